//! How reports write numbers: real minus, narrow no-break space before units, comma per thousand, and no more digits
//! than were measured. Pages, Markdown and the terminal share these.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// U+2212, the minus of typesetting; as wide as a plus.
pub const MINUS: char = '\u{2212}';

/// U+202F, the narrow no-break space between a number and its unit.
pub const SPACE: char = '\u{202f}';

/// A unit of time; the same within a column or a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Microseconds.
    Us,
    /// Milliseconds.
    Ms,
    /// Seconds.
    S,
    /// Minutes.
    Min,
}

impl Unit {
    /// The unit as written after a number.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Us => "µs",
            Unit::Ms => "ms",
            Unit::S => "s",
            Unit::Min => "min",
        }
    }

    /// The unit's length in milliseconds.
    pub fn ms(self) -> f64 {
        match self {
            Unit::Us => 1e-3,
            Unit::Ms => 1.0,
            Unit::S => 1e3,
            Unit::Min => 6e4,
        }
    }

    /// The unit in which a time is easiest to read.
    pub fn of(ms: f64) -> Unit {
        match ms.abs() {
            ms if ms < 0.9995 => Unit::Us,
            ms if ms < 999.5 => Unit::Ms,
            ms if ms < 119_500.0 => Unit::S,
            _ => Unit::Min,
        }
    }
}

/// A count: `2,999`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count within a sentence: in words up to twelve.
pub fn words(number: u64) -> String {
    const WORDS: [&str; 13] =
        ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    usize::try_from(number).ok().and_then(|number| WORDS.get(number)).map_or_else(|| count(number), |word| (*word).to_owned())
}

/// A fixed number of decimals, with a real minus and commas; a value that rounds to zero has no sign.
pub fn fixed(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "unknown".to_owned();
    }
    let text = format!("{:.decimals$}", value.abs());
    let (whole, rest) = text.find('.').map_or((text.as_str(), ""), |dot| text.split_at(dot));
    let negative = value < 0.0 && text.bytes().any(|digit| (b'1'..=b'9').contains(&digit));
    let grouped = whole.parse().map_or_else(|_| whole.to_owned(), count);
    format!("{}{grouped}{rest}", if negative { MINUS.to_string() } else { String::new() })
}

/// The same, with a plus on increases.
pub fn signed(value: f64, decimals: usize) -> String {
    let text = fixed(value, decimals);
    let zero = !text.bytes().any(|digit| (b'1'..=b'9').contains(&digit));
    if value > 0.0 && !zero { format!("+{text}") } else { text }
}

/// `−1.61 to −1.05`; an infinite end is open.
pub fn interval(low: f64, high: f64, decimals: usize) -> String {
    let end = |end: f64| if end.is_infinite() { "open".to_owned() } else { signed(end, decimals) };
    format!("{} to {}", end(low), end(high))
}

/// Number of decimals that shows two digits of an interval's half-width.
pub fn decimals(half_width: f64) -> usize {
    if half_width.is_finite() && half_width > 0.0 {
        // one more than the place of the first digit
        (1.0 - half_width.log10().floor()).clamp(0.0, 4.0) as usize
    } else {
        2
    }
}

/// A time in the unit that is easiest to read, with three digits: `46.2 ms`.
pub fn time(ms: f64) -> String {
    let unit = Unit::of(ms);
    format!("{}{SPACE}{}", time_in(ms, unit), unit.name())
}

/// The same without the unit.
pub fn time_in(ms: f64, unit: Unit) -> String {
    three_digits(ms / unit.ms())
}

/// Three significant digits, at most three decimals.
pub fn three_digits(value: f64) -> String {
    let decimals = match value.abs() {
        value if value >= 99.95 => 0,
        value if value >= 9.995 => 1,
        value if value >= 0.9995 || value == 0.0 => 2,
        _ => 3,
    };
    fixed(value, decimals)
}

/// A range of times in the unit of its upper end: `7.10 to 9.82 s`.
pub fn times(low_ms: f64, high_ms: f64) -> String {
    let unit = Unit::of(high_ms);
    format!("{} to {}{SPACE}{}", time_in(low_ms, unit), time_in(high_ms, unit), unit.name())
}

/// A time that people wrote, in their form: `30 s`, `0.5 ms`.
pub fn limit_time(ms: f64) -> String {
    let unit = Unit::of(ms);
    format!("{}{SPACE}{}", plain(ms / unit.ms()), unit.name())
}

/// A plain number of seconds with one decimal, as on a time axis: `6.4 s`.
pub fn seconds(ms: f64) -> String {
    format!("{}{SPACE}s", fixed(ms / 1e3, 1))
}

/// A number without needless zeros, for limits that people wrote: `0.5`, `20`, `99.5`.
pub fn plain(value: f64) -> String {
    let text = fixed(value, 4);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A share of 1 as a limit that people wrote: `99.5 %`.
pub fn share(share: f64) -> String {
    format!("{}{SPACE}%", plain(share * 100.0))
}

/// A measured share of 1, rounded towards zero so that 99.997 % does not read as all: `99.99 %`.
pub fn measured_share(share: f64) -> String {
    // the small addition keeps products such as 0.29 * 1e4 from falling below their whole number
    format!("{}{SPACE}%", plain((share * 1e4 + 1e-9).floor() / 100.0))
}

/// An upper bound of a share, rounded up to two digits, which is the cautious direction: 0.000998 becomes `0.10 %`.
pub fn below(share: f64) -> String {
    let percent = share * 100.0;
    if percent <= 0.0 || !percent.is_finite() {
        return format!("0{SPACE}%");
    }
    let decimals = (1.0 - percent.log10().floor()).clamp(0.0, 6.0) as usize;
    let scale = 10f64.powi(decimals as i32);
    let up = (percent * scale - 1e-9).ceil() / scale;
    // 0.0998 rounds up to 0.100: one digit more than two
    let decimals = if up.log10().floor() > percent.log10().floor() { decimals.saturating_sub(1) } else { decimals };
    format!("{}{SPACE}%", fixed(up, decimals))
}

/// A file's size: `577 KB`, with 1,000 bytes to a KB.
pub fn file_size(bytes: u64) -> String {
    let (value, unit) = match bytes {
        bytes if bytes < 1_000 => return format!("{bytes}{SPACE}bytes"),
        bytes if bytes < 1_000_000 => (bytes as f64 / 1e3, "KB"),
        bytes => (bytes as f64 / 1e6, "MB"),
    };
    format!("{}{SPACE}{unit}", if value < 9.95 { fixed(value, 1) } else { fixed(value, 0) })
}

/// A number and a unit from a record: milliseconds become a time, everything else stays as it is.
pub fn amount(value: f64, unit: &str) -> String {
    match unit {
        "ms" => time(value),
        "" => plain(value),
        "ratio" => share(value),
        unit => format!("{}{SPACE}{unit}", plain(value)),
    }
}

/// A number and a unit that people wrote.
pub fn limit(value: f64, unit: &str) -> String {
    if unit == "ms" { limit_time(value) } else { amount(value, unit) }
}

/// A sentence from a record, with a typographic space between each number and its unit, both in `20ms` and in `50 %`, and
/// with the typographic minus.
pub fn typeset(text: &str) -> String {
    const UNITS: [&str; 8] = ["%", "ms", "us", "µs", "s", "min", "req", "ppm"];
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let end = rest[at..].find(|c: char| !c.is_ascii_digit() && c != '.').map_or(rest.len(), |end| at + end);
        let minus = rest[..at].strip_suffix('-').filter(|before| before.is_empty() || before.ends_with([' ', '(']));
        match minus {
            Some(before) => {
                out.push_str(before);
                out.push(MINUS);
                out.push_str(&rest[at..end]);
            }
            None => out.push_str(&rest[..end]),
        }
        let free = minus.is_some() || at == 0 || !rest[..at].ends_with(|c: char| c.is_alphanumeric() || c == '-');
        rest = &rest[end..];
        let behind = rest.strip_prefix(' ').unwrap_or(rest);
        let word = behind.find(|c: char| !c.is_alphanumeric() && c != '%').unwrap_or(behind.len());
        if free && UNITS.contains(&&behind[..word]) {
            out.push(SPACE);
            rest = behind;
        }
    }
    out.push_str(rest);
    out
}

/// `26 Nov 2026, 18:56 UTC`.
pub fn moment(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%-d %b %Y, %H:%M UTC").to_string()
}

/// `18:40:02`, in UTC.
pub fn clock(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%H:%M:%S").to_string()
}

/// `26 Nov 2026, 18:56:45 to 18:57:56 UTC`.
pub fn span(from: Timestamp, to: Timestamp) -> String {
    let [from, to] = [from, to].map(|at| at.to_zoned(TimeZone::UTC));
    let end = if from.date() == to.date() { "%H:%M:%S UTC" } else { "%-d %b %Y, %H:%M:%S UTC" };
    format!("{} to {}", from.strftime("%-d %b %Y, %H:%M:%S"), to.strftime(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_and_thousands_are_those_of_print() {
        assert_eq!(
            [signed(-1.317, 2), signed(0.471, 2), signed(0.004, 2), signed(-0.004, 2)],
            ["−1.32", "+0.47", "0.00", "0.00"]
        );
        assert_eq!(interval(-0.451, 0.47, 2), "−0.45 to +0.47");
        assert_eq!(interval(f64::NEG_INFINITY, 0.47, 2), "open to +0.47");
        assert_eq!([count(0), count(999), count(24_000), count(1_234_567)], ["0", "999", "24,000", "1,234,567"]);
        assert_eq!(fixed(-12_345.678, 1), "−12,345.7");
        assert_eq!([words(0), words(5), words(13)], ["no", "five", "13"]);
    }

    #[test]
    fn decimals_show_two_digits_of_the_half_width() {
        assert_eq!([0.28, 2.8, 28.0, 0.028, 0.0028, 0.0].map(decimals), [2, 1, 0, 3, 4, 2]);
    }

    #[test]
    fn times_have_three_digits_and_one_unit() {
        let times = [0.138, 1.0, 46.17, 142.4, 999.6, 3_512.0, 390_000.0].map(time);
        assert_eq!(
            times,
            [
                "138\u{202f}µs",
                "1.00\u{202f}ms",
                "46.2\u{202f}ms",
                "142\u{202f}ms",
                "1.00\u{202f}s",
                "3.51\u{202f}s",
                "6.50\u{202f}min"
            ]
        );
        assert_eq!([time_in(6.37, Unit::Ms), time_in(0.138, Unit::Ms)], ["6.37", "0.138"]);
        assert_eq!(seconds(6_400.0), "6.4\u{202f}s");
    }

    #[test]
    fn bounds_are_rounded_away_from_the_claim() {
        assert_eq!(
            [below(0.000_998_4), below(0.000_123_4), below(0.013), below(0.1)],
            ["0.10\u{202f}%", "0.013\u{202f}%", "1.3\u{202f}%", "10\u{202f}%"]
        );
        assert_eq!(
            [measured_share(0.999_97), measured_share(1.0), measured_share(0.29)],
            ["99.99\u{202f}%", "100\u{202f}%", "29\u{202f}%"]
        );
        assert_eq!([share(0.995), share(0.2)], ["99.5\u{202f}%", "20\u{202f}%"]);
    }

    #[test]
    fn sentences_of_records_get_the_space_of_print() {
        let text = "later than 20ms in 10 of 30 seconds, at most 20 % may be; pod was-7s-1 after 1.5 s.";
        assert_eq!(
            typeset(text).replace(SPACE, "_"),
            "later than 20_ms in 10 of 30 seconds, at most 20_% may be; pod was-7s-1 after 1.5_s."
        );
        assert_eq!(typeset("+0.010 ms (-0.440 to -0.1)").replace(SPACE, "_"), "+0.010_ms (−0.440 to −0.1)");
        assert_eq!(times(7_100.0, 9_820.0), "7.10 to 9.82\u{202f}s");
        assert_eq!(
            [limit(30_000.0, "ms"), limit(0.5, "ms"), limit(0.0, "req")].map(|s| s.replace(SPACE, " ")),
            ["30 s", "500 µs", "0 req"]
        );
    }

    #[test]
    fn sizes_and_moments() {
        assert_eq!(
            [file_size(812), file_size(5_200), file_size(577_000), file_size(2_500_000)].map(|s| s.replace('\u{202f}', " ")),
            ["812 bytes", "5.2 KB", "577 KB", "2.5 MB"]
        );
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        assert_eq!(moment(at("2026-11-26T18:56:45Z")), "26 Nov 2026, 18:56 UTC");
        assert_eq!(span(at("2026-11-26T18:56:45Z"), at("2026-11-26T18:57:56Z")), "26 Nov 2026, 18:56:45 to 18:57:56 UTC");
        assert_eq!(
            [amount(30_000.0, "ms"), amount(20.0, "req"), amount(0.5, "mCPU")].map(|s| s.replace('\u{202f}', " ")),
            ["30.0 s", "20 req", "0.5 mCPU"]
        );
    }
}
