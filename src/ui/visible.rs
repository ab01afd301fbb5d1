//! Text from others on a terminal: anything that could move the cursor, rename the window or answer for the user is made
//! visible.

use std::borrow::Cow;
use std::cmp::Ordering;

/// `text` with every control character made visible, except for line ends, tabs and colours (`CSI ... m`, ECMA-48 8.3.117).
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| c.is_control() && c != '\n') {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = colour(rest).or_else(|| rest.starts_with("\r\n").then_some(2)).unwrap_or(c.len_utf8());
        match c {
            '\x1b' | '\r' if length > 1 => shown.push_str(rest[..length].trim_start_matches('\r')),
            '\n' | '\t' => shown.push(c),
            // the pictures of control characters are in the same order
            '\0'..'\x20' => shown.extend(char::from_u32(0x2400 + u32::from(c))),
            '\x7f' => shown.push('␡'),
            c if c.is_control() => shown.push('\u{fffd}'),
            c => shown.push(c),
        }
        rest = &rest[length..];
    }
    Cow::Owned(shown)
}

/// `text` in at most `width` columns; colours take no columns, and are reset at the end.
pub(super) fn cut(text: &str, width: usize) -> String {
    let mut columns = 0;
    let mut short = String::new();
    let mut rest = text;
    let fits = anstream::adapter::strip_str(text).to_string().chars().count() <= width;
    while let Some(c) = rest.chars().next() {
        let length = colour(rest);
        match length {
            Some(length) => short.push_str(&rest[..length]),
            None => {
                columns += 1;
                match columns.cmp(&width) {
                    Ordering::Less => short.push(c),
                    Ordering::Equal => short.push(if fits { c } else { '…' }),
                    Ordering::Greater => {}
                }
            }
        }
        rest = &rest[length.unwrap_or(c.len_utf8())..];
    }
    short
}

/// Length of the colour sequence at the start of `text`, in bytes.
fn colour(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\x1b[")?;
    let end = parameters.find(|c: char| !(c.is_ascii_digit() || c == ';'))?;
    parameters[end..].starts_with('m').then_some(2 + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_and_lines_pass_and_nothing_else_does() {
        assert_eq!(visible("plain ✓\n\ttext"), "plain ✓\n\ttext");
        assert_eq!(visible("\x1b[1;32mgreen\x1b[0m"), "\x1b[1;32mgreen\x1b[0m");
        assert_eq!(visible("one\r\ntwo\rthree"), "one\ntwo␍three");
        // clears the screen, renames the window, asks the terminal to type its answer
        assert_eq!(visible("\x1b[2J\x1b]0;owned\x07\x1b[c"), "␛[2J␛]0;owned␇␛[c");
        assert_eq!(visible("\u{9b}2J\x7f\x08"), "\u{fffd}2J␡␈");
        assert_eq!(visible("cut \x1b[3"), "cut ␛[3");
    }

    #[test]
    fn a_line_is_cut_at_the_edge_and_its_colours_end() {
        assert_eq!((cut("abc", 3).as_str(), cut("abcd", 3).as_str(), cut("", 3).as_str()), ("abc", "ab…", ""));
        assert_eq!(cut("\x1b[36mabcd\x1b[0m ef", 3), "\x1b[36mab…\x1b[0m");
    }
}
