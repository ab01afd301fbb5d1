//! Plain scalars: the meaning of a text without quotes.

use serde_json::{Number, Value};

/// The value of a plain scalar, by the YAML 1.2 core schema. Numbers with leading zeros, which 1.1 reads as octal and 1.2 as
/// decimal, stay text: where a number is expected, that is an error.
pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

fn number(text: &str) -> Option<Number> {
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            return u64::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with('+')).map(Number::from);
        }
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    if (digits > 1 && unsigned.starts_with('0')) || !unsigned.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b)) {
        return None;
    }
    if digits == unsigned.len() && digits > 0 {
        let plain = text.strip_prefix('+').unwrap_or(text);
        if let Ok(integer) = plain.parse::<u64>().map(Number::from).or_else(|_| plain.parse::<i64>().map(Number::from)) {
            return Some(integer);
        }
    }
    unsigned.parse::<f64>().ok()?;
    text.parse::<f64>().ok().and_then(Number::from_f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scalars_follow_the_core_schema() {
        for (text, value) in [
            ("3", json!(3)),
            ("-3", json!(-3)),
            ("+3", json!(3)),
            ("0", json!(0)),
            ("0x1F", json!(31)),
            ("0o17", json!(15)),
            ("1.5", json!(1.5)),
            ("1e3", json!(1000.0)),
            (".5", json!(0.5)),
            ("~", json!(null)),
            ("True", json!(true)),
        ] {
            assert_eq!(resolve(text), value, "{text}");
        }
        for text in [
            "yes", "on", "0644", "00", "1_000", "1:30", "v1", "1.2.3", ".", "-", "+", "e", ".inf", "nan", "inf", "1-2", "0x",
            "--1", "10.0.0.1",
        ] {
            assert_eq!(resolve(text), json!(text), "{text}");
        }
    }
}
