//! Text from the cluster stays text: markup is escaped where it is written; characters that would affect the text around them,
//! such as marks that change the direction of writing, are made visible here, once for the whole report.

use serde_json::Value;

use crate::report::model::Report;

/// The same report with every text made safe.
pub fn text_only(report: &Report) -> Report {
    // a report can be written as JSON and read back: that is its file format
    let value = serde_json::to_value(report).map(plain);
    value.and_then(serde_json::from_value).unwrap_or_else(|_| report.clone())
}

fn plain(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(visible(text)),
        Value::Array(values) => values.into_iter().map(plain).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (visible(name), plain(value))).collect(),
        other => other,
    }
}

/// Replaces invisible characters that affect the text by their code points; newlines and tabs stay.
fn visible(text: String) -> String {
    let acts = |c: char| {
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            || (c.is_control() && !matches!(c, '\n' | '\t'))
    };
    if !text.contains(acts) {
        return text;
    }
    text.chars().map(|c| if acts(c) { format!("⟨U+{:04X}⟩", u32::from(c)) } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_direction_are_seen_and_do_nothing() {
        assert_eq!(visible("a\u{202e}b\u{0}c\n".into()), "a⟨U+202E⟩b⟨U+0000⟩c\n");
        assert_eq!(visible("46\u{202f}ms −1".into()), "46\u{202f}ms −1");
        assert_eq!(
            plain(serde_json::json!({"a\u{2066}": ["\u{200f}", 1.5]})),
            serde_json::json!({"a⟨U+2066⟩": ["⟨U+200F⟩", 1.5]})
        );
    }
}
