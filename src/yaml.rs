//! YAML as Kubernetes writes it, and the only file that names its library. A user's own files are read by [`crate::input`].

use serde::Serialize;
use serde_json::Value;
pub(crate) use serde_yaml::granit_parser as parser;

/// A manifest could not be read as YAML.
#[derive(Debug, thiserror::Error)]
#[error("not valid YAML: {message}")]
pub struct SyntaxError {
    /// What is wrong, with line and column where they are known.
    pub message: String,
}

impl crate::error::Explain for SyntaxError {
    fn family(&self) -> crate::error::Family {
        crate::error::Family::Component
    }
}

/// Every document of a manifest, empty ones left out, with the scalars as Kubernetes reads them: `0644` is octal,
/// `yes` and `on` are booleans.
///
/// # Errors
/// [`SyntaxError`] for the first document that is not YAML, or has a key twice.
pub fn documents(text: &str) -> Result<Vec<Value>, SyntaxError> {
    // Upstream's CRD files exceed the limits meant for untrusted input; they are pinned by digest.
    let options = serde_yaml::options! { budget: None, with_snippet: false, legacy_octal_numbers: true };
    let documents: Vec<Value> =
        serde_yaml::from_multiple_with_options(text, options).map_err(|error| SyntaxError { message: error.to_string() })?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// A value as block-style YAML, ending in a newline.
///
/// # Errors
/// [`SyntaxError`] when the value has no YAML form, for example a map with maps as keys.
pub fn to_string(value: &impl Serialize) -> Result<String, SyntaxError> {
    serde_yaml::to_string(value).map_err(|error| SyntaxError { message: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_skips_empty_ones_and_reads_scalars_as_kubernetes_does() {
        let text = "# comment\n---\n---\nmode: 0644\non: yes\nversion: \"1\"\n---\n# nothing\n---\n{}\n...\n";
        let documents = documents(text).expect("valid");
        assert_eq!(documents, [serde_json::json!({"mode": 420, "on": true, "version": "1"}), serde_json::json!({})]);
    }

    #[test]
    fn documents_refuses_duplicate_keys_with_their_place() {
        let error = documents("a: 1\na: 2\n").expect_err("duplicate");
        assert!(error.message.contains("line 2"), "{error}");
    }

    #[test]
    fn documents_takes_large_generated_files() {
        let property = "      p: {type: string, description: \"some words that make the file as long as a CRD\"}\n";
        let text: String = (0..10_000).map(|i| property.replacen('p', &format!("p{i}"), 1)).collect();
        let documents = documents(&format!("spec:\n  properties:\n{text}")).expect("valid");
        assert_eq!(documents[0]["spec"]["properties"].as_object().map(serde_json::Map::len), Some(10_000));
    }

    #[test]
    fn to_string_quotes_what_would_change_its_type() {
        let text =
            to_string(&serde_json::json!({"a": "1", "b": "true", "c": "null", "d": "x", "e": "0644", "f": [1, {"g": "on"}]}));
        let text = text.expect("serialisable");
        assert_eq!(documents(&text).expect("valid")[0]["f"][1]["g"], "on", "{text}");
        assert_eq!(documents(&text).expect("valid")[0]["e"], "0644", "{text}");
        assert_eq!(documents(&text).expect("valid")[0]["a"], "1", "{text}");
    }
}
