//! The margin: the largest difference that does not matter, `0.5ms` or `2 %` of the first arm.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::quantity::{QuantityError, Share, Span};

/// The largest difference that does not matter, in either direction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Margin {
    /// A time.
    Time(Span),
    /// A share of the first arm's value.
    Share(Share),
}

impl Margin {
    /// The margin in milliseconds, if the first arm's value is `value_ms`.
    pub fn ms(self, value_ms: f64) -> f64 {
        match self {
            Margin::Time(span) => span.0.as_secs_f64() * 1e3,
            Margin::Share(share) => share.0 * value_ms,
        }
    }

    /// True if there is no room at all, so that nothing could ever be equivalent.
    pub fn is_zero(self) -> bool {
        self.ms(1.0) == 0.0
    }
}

impl fmt::Display for Margin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Margin::Time(span) => span.fmt(f),
            Margin::Share(share) => share.fmt(f),
        }
    }
}

impl FromStr for Margin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |_: QuantityError| format!("`{text}` is not a margin, write it as in `0.5ms` or `2 %`");
        match text.parse().map(Margin::Share) {
            Ok(share) => Ok(share),
            Err(_) => text.parse().map(Margin::Time).map_err(wrong),
        }
    }
}

impl<'de> Deserialize<'de> for Margin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Margin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Margin {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Margin".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? *(ns|us|µs|ms|s|min|%|ppm)$", "examples": ["0.5ms", "2 %"]})
    }
}
