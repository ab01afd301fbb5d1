//! What a schema expects of one value, in the words of a message.

use serde_json::Value;

use super::scalar::resolve;
use super::suggest::listing;
use super::tree::{Finding, Kind, Mend, Node};

/// The schemas under a keyword; empty when it is absent.
pub(super) fn list<'a>(schema: &'a Value, key: &str) -> &'a [Value] {
    schema.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The strings of an `enum` or `const`.
pub(super) fn words(schema: &Value) -> Option<Vec<&str>> {
    match (schema.get("enum"), schema.get("const")) {
        (Some(Value::Array(values)), _) => Some(values.iter().filter_map(Value::as_str).collect()),
        (_, Some(Value::String(word))) => Some(vec![word]),
        _ => None,
    }
}

pub(super) fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// True when the value is of one of the schema's types.
pub(super) fn fits(node: &Node, schema: &Value) -> bool {
    let types = types(schema);
    types.is_empty()
        || types.iter().any(|name| match (&node.kind, *name) {
            (Kind::Map(_), "object") | (Kind::List(_), "array") => true,
            (Kind::Scalar { value, .. }, name) => match name {
                "null" => value.is_null(),
                "boolean" => value.is_boolean(),
                "integer" => value.is_i64() || value.is_u64(),
                "number" => value.is_number(),
                "string" => value.is_string(),
                _ => false,
            },
            _ => false,
        })
}

/// What a schema expects, in the words of a message.
pub(super) fn kind_of(schema: &Value) -> String {
    if let Some(words) = words(schema) {
        return listing(&words);
    }
    let names = types(schema).into_iter().map(|name| match name {
        "object" => "a mapping",
        "array" => "a list",
        "integer" => "an integer",
        "number" => "a number",
        "boolean" => "true or false",
        "string" => "a string",
        other => other,
    });
    names.collect::<Vec<_>>().join(" or ")
}

/// A value of the wrong type, and how to write it right.
pub(super) fn mismatch(node: &Node, wanted: &str, path: &str) -> Finding {
    let (found, hint) = match &node.kind {
        Kind::Map(_) => ("a mapping".to_owned(), None),
        Kind::List(_) => ("a list".to_owned(), None),
        Kind::Scalar { text, value } => {
            let hint = match (wanted, value) {
                ("a mapping", Value::Null) => Some("write `{}` for the defaults, or remove the key".to_owned()),
                (_, Value::Null) => Some("give it a value, or remove the key".to_owned()),
                ("a list", _) => Some(format!("write [{text}]")),
                ("a string", _) => Some(format!("quote it: \"{text}\"")),
                ("true or false", Value::String(_)) => match text.to_ascii_lowercase().as_str() {
                    "yes" | "on" | "true" => Some("write true".to_owned()),
                    "no" | "off" | "false" => Some("write false".to_owned()),
                    _ => None,
                },
                ("an integer" | "a number", Value::String(_)) if resolve(text).is_number() => {
                    Some(format!("write {text} without quotes"))
                }
                ("an integer", Value::Number(number)) if number.as_f64().is_some_and(|n| n.fract() == 0.0) => {
                    Some(format!("write {}", number.as_f64().unwrap_or_default()))
                }
                _ => None,
            };
            let found = match value {
                Value::Null => "nothing".to_owned(),
                Value::String(_) => format!("the string \"{text}\""),
                Value::Number(_) => format!("the number {text}"),
                _ => text.clone(),
            };
            (found, hint)
        }
    };
    Finding { hint, mend: Mend::Remove, ..Finding::new(node.span, path, format!("expected {wanted}, found {found}")) }
}
