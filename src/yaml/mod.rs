//! YAML, and the only place that names its library.
//!
//! Three ways in and out: [`documents`] reads manifests, [`to_string`] writes them, and [`load`] reads a user's
//! file strictly: every structural problem at once, each with its place. A strict load is
//!
//! 1. text → a tree whose nodes know where they stand (`tree`),
//! 2. later files and `--set` laid over it (`layers`),
//! 3. the tree held against the JSON schema of the target type (`check`),
//! 4. serde, on what is right; so that checks of meaning can add their problems to those of structure.
//!
//! So the schema that editors use and the check that the command line makes cannot drift apart. Types for strict
//! loading derive `JsonSchema` and `Deserialize` with `deny_unknown_fields` and without `flatten`; an `Option` may
//! be left out, but not be null. A custom `Deserialize` is fine too: its error gets a place, though only the first one.

mod check;
mod choice;
mod expect;
mod layers;
mod path;
mod problem;
mod scalar;
mod schema;
mod suggest;
mod tree;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use layers::{Layer, Located, load_layers, load_with};
pub use problem::{Location, Problem, Problems};
pub use schema::schema_of;

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
    // Upstream's CRD files are larger than the limits meant for untrusted input; they are pinned by digest.
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

/// Reads one user file strictly. `file_name` is only for messages.
///
/// # Errors
/// All [`Problems`] of the file: its syntax error, or every key and value that does not fit `T`.
pub fn load<T: DeserializeOwned + JsonSchema>(file_name: &str, text: &str) -> Result<Located<T>, Problems> {
    load_layers(&[Layer { name: file_name.to_owned(), text: text.to_owned() }], &[])
}

#[cfg(test)]
mod tests;
