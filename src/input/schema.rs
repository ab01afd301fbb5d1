//! JSON schemas as files use them.

use schemars::JsonSchema;
use serde_json::Value;

/// The JSON schema (2020-12) of a type. An optional field may be left out but not be null: a key with no value is far more
/// often a forgotten value than a wish for the default.
pub fn schema_of<T: JsonSchema>() -> Value {
    let mut schema = schemars::schema_for!(T).to_value();
    without_null(&mut schema);
    schema
}

fn without_null(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(without_null),
        Value::Object(map) => {
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    map["type"] = only.clone();
                }
            }
            if let Some(Value::Array(values)) = map.get_mut("enum") {
                values.retain(|value| !value.is_null());
            }
            if map.get("default").is_some_and(Value::is_null) {
                map.shift_remove("default");
            }
            if let Some(Value::Array(branches)) = map.get_mut("anyOf") {
                branches.retain(|branch| branch.get("type").is_none_or(|name| name != "null"));
                // `anyOf: [X]` is X, with the field's own description in front
                if let [Value::Object(only)] = branches.as_slice() {
                    let only = only.clone();
                    map.shift_remove("anyOf");
                    only.into_iter().for_each(|(key, value)| {
                        map.entry(key).or_insert(value);
                    });
                }
            }
            map.values_mut().for_each(without_null);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[allow(dead_code)]
    #[derive(JsonSchema)]
    struct Outer {
        /// A number.
        a: Option<u8>,
        /// An inner thing.
        b: Option<Inner>,
    }

    #[allow(dead_code)]
    #[derive(JsonSchema)]
    enum Inner {
        A,
        B,
    }

    #[test]
    fn options_are_absent_never_null() {
        let schema = schema_of::<Outer>();
        assert_eq!(schema["properties"]["a"]["type"], "integer");
        assert_eq!(schema["properties"]["b"], json!({"description": "An inner thing.", "$ref": "#/$defs/Inner"}));
        assert_eq!(schema.get("required"), None);
        assert!(!schema.to_string().contains("null"), "{schema}");
    }
}
