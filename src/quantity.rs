//! Numbers with their units, as scenario files write them: `800 req/s`, `3s`, `200us`, `0 req`, `99.5 %`.
//! A bare number is refused: nobody should have to guess whether `5` means seconds or milliseconds.

use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// Why a text is not the quantity expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum QuantityError {
    /// A number without a unit.
    #[error("`{text}` has no unit, write it as in `{example}`")]
    NoUnit { text: String, example: &'static str },
    /// Not a number and one of the units.
    #[error("`{text}` is not {what}, write it as in `{example}`")]
    Form { text: String, what: &'static str, example: &'static str },
}

/// How one kind of quantity is written.
struct Form {
    what: &'static str,
    example: &'static str,
    /// Units and the value of each in the base unit.
    units: &'static [(&'static str, f64)],
    /// Whether it may be negative.
    signed: bool,
}

const SPAN: Form = Form {
    what: "a time span",
    example: "3s",
    units: &[("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0), ("min", 60.0), ("h", 3600.0)],
    signed: false,
};
const RATE: Form =
    Form { what: "a rate of requests", example: "800 req/s", units: &[("req/s", 1.0), ("req/min", 1.0 / 60.0)], signed: false };
const SHARE: Form = Form { what: "a share", example: "99.5 %", units: &[("%", 1e-2), ("ppm", 1e-6)], signed: false };
const REQUESTS: Form = Form { what: "a number of requests", example: "0 req", units: &[("req", 1.0)], signed: false };
const MEMORY: Form = Form {
    what: "a change of memory",
    example: "-128 Mi",
    units: &[("Ki", 1.0 / 1024.0), ("Mi", 1.0), ("Gi", 1024.0)],
    signed: true,
};

impl Form {
    /// The amount in the base unit.
    fn parse(&self, text: &str) -> Result<f64, QuantityError> {
        let wrong = || QuantityError::Form { text: text.to_owned(), what: self.what, example: self.example };
        let (sign, size) = match text.strip_prefix('-') {
            Some(size) if self.signed => (-1.0, size),
            _ => (1.0, text),
        };
        let end = size.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(size.len());
        let (number, unit) = (&size[..end], size[end..].trim());
        let number: f64 = number.parse().map_err(|_| wrong())?;
        if unit.is_empty() {
            return Err(QuantityError::NoUnit { text: text.to_owned(), example: self.example });
        }
        let (_, worth) = self.units.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        Ok(sign * number * worth)
    }

    fn parse_value(&self, value: &Value) -> Result<f64, QuantityError> {
        match value {
            Value::String(text) => self.parse(text.trim()),
            Value::Number(number) => Err(QuantityError::NoUnit { text: number.to_string(), example: self.example }),
            other => Err(QuantityError::Form { text: other.to_string(), what: self.what, example: self.example }),
        }
    }

    /// For editors: `not` and `pattern`, which `input` passes over, since [`Form::parse_value`] explains a bare number
    /// better.
    fn schema(&self) -> Schema {
        let units: Vec<&str> = self.units.iter().map(|(unit, _)| *unit).collect();
        let sign = if self.signed { "-?" } else { "" };
        json_schema!({
            "not": {"type": ["number", "boolean", "array", "object", "null"]},
            "pattern": format!(r"^{sign}[0-9]+(\.[0-9]+)? *({})$", units.join("|")),
            "examples": [self.example],
        })
    }
}

/// A time span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// Requests per second.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Rate(pub f64);

/// A share, 1 is the whole.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Share(pub f64);

/// A number of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Requests(pub u64);

/// A change of memory, in MiB.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Memory(pub f64);

impl Span {
    fn from_amount(seconds: f64) -> Option<Self> {
        Duration::try_from_secs_f64(seconds).ok().map(Span)
    }

    /// Whole seconds, for defaults.
    pub(crate) const fn secs(seconds: u64) -> Self {
        Span(Duration::from_secs(seconds))
    }
}

impl Rate {
    fn from_amount(amount: f64) -> Option<Self> {
        (amount > 0.0 && amount <= 1e6).then_some(Rate(amount))
    }
}

impl Share {
    fn from_amount(amount: f64) -> Option<Self> {
        (amount <= 1.0).then_some(Share(amount))
    }
}

impl Requests {
    fn from_amount(amount: f64) -> Option<Self> {
        (amount.fract() == 0.0 && amount < 1e15).then_some(Requests(amount as u64))
    }
}

impl Memory {
    fn from_amount(amount: f64) -> Option<Self> {
        (amount.abs() < 1e12).then_some(Memory(amount))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        let (amount, unit) = match seconds {
            0.0 => (0.0, "s"),
            s if s < 1e-6 => (s * 1e9, "ns"),
            s if s < 1e-3 => (s * 1e6, "us"),
            s if s < 1.0 => (s * 1e3, "ms"),
            s => (s, "s"),
        };
        write!(f, "{}{unit}", number(amount))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} req/s", number(self.0))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 > 0.0 && self.0 < 1e-3 {
            return write!(f, "{} ppm", number(self.0 * 1e6));
        }
        write!(f, "{} %", number(self.0 * 100.0))
    }
}

impl fmt::Display for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} req", self.0)
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Mi", number(self.0))
    }
}

/// A number of things, `1 image` or `7 images`; `noun` takes an s.
pub fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// At most three decimals, without trailing zeros.
fn number(amount: f64) -> String {
    let text = format!("{amount:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

macro_rules! quantity {
    ($type:ident, $form:ident) => {
        impl std::str::FromStr for $type {
            type Err = QuantityError;
            fn from_str(text: &str) -> Result<Self, QuantityError> {
                $type::from_amount($form.parse(text.trim())?).ok_or_else(|| QuantityError::Form {
                    text: text.to_owned(),
                    what: $form.what,
                    example: $form.example,
                })
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = Value::deserialize(deserializer)?;
                $form.parse_value(&value).map_err(serde::de::Error::custom)?;
                value.as_str().unwrap_or_default().parse().map_err(serde::de::Error::custom)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $form.schema()
            }
        }
    };
}

quantity!(Span, SPAN);
quantity!(Rate, RATE);
quantity!(Share, SHARE);
quantity!(Requests, REQUESTS);
quantity!(Memory, MEMORY);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_and_written() {
        assert_eq!("200us".parse(), Ok(Span(Duration::from_micros(200))));
        assert_eq!("1.5 s".parse(), Ok(Span(Duration::from_millis(1500))));
        assert_eq!(("2min".parse(), "1h".parse()), (Ok(Span::secs(120)), Ok(Span::secs(3600))));
        assert_eq!("800 req/s".parse(), Ok(Rate(800.0)));
        assert_eq!("0 req".parse(), Ok(Requests(0)));
        assert_eq!("100 ppm".parse::<Share>().map(|share| (share.0 * 1e6).round()), Ok(100.0));
        for text in ["200us", "1.5s", "40ms", "0s"] {
            assert_eq!(text.parse::<Span>().map(|span| span.to_string()), Ok(text.to_owned()));
        }
        assert_eq!(["-128 Mi", "-0.5Gi", "512Ki"].map(str::parse), [Ok(Memory(-128.0)), Ok(Memory(-512.0)), Ok(Memory(0.5))]);
        assert_eq!(Memory(-128.0).to_string(), "-128 Mi");
        assert_eq!(Share(0.995).to_string(), "99.5 %");
        assert_eq!([0, 1, 2].map(|number| counted(number, "image")), ["0 images", "1 image", "2 images"]);
        assert_eq!(Share(0.0001).to_string(), "100 ppm");
    }

    #[test]
    fn numbers_without_a_unit_or_with_another_are_refused() {
        let no_unit = serde_json::from_str::<Span>("5").map_err(|error| error.to_string());
        assert_eq!(no_unit, Err("`5` has no unit, write it as in `3s`".into()));
        assert!(matches!("5".parse::<Rate>(), Err(QuantityError::NoUnit { .. })));
        assert!(matches!("-128".parse::<Memory>(), Err(QuantityError::NoUnit { .. })));
        for bad in ["-1s", "s", "3 parsecs", "1e3s", ""] {
            assert!(matches!(bad.parse::<Span>(), Err(QuantityError::Form { .. })), "{bad}");
        }
        assert!(
            "0 req/s".parse::<Rate>().is_err() && "101 %".parse::<Share>().is_err() && "1.5 req".parse::<Requests>().is_err()
        );
    }
}
