//! Strict input: what a user writes, read with every structural problem at once, each with its place.
//!
//! In: the text of profiles and scenario files, and `--set` values. Out: a typed value that knows where each of its
//! parts was written ([`Located`]), or all [`Problems`]. Only the files that are named are looked at.
//!
//! A strict load is
//!
//! 1. text → a tree whose nodes know their place (`tree`),
//! 2. later files and `--set` laid over it (`layers`),
//! 3. the tree checked against the JSON schema of the target type (`check`),
//! 4. serde, on what is valid, with stand-ins for the rest (`stand_in`); so that checks of meaning can add their problems to
//!    those of structure.
//!
//! So the schema used by editors and the check made by the command line cannot drift apart. Types for strict loading derive
//! `JsonSchema` and `Deserialize` with `deny_unknown_fields` and without `flatten`; an `Option` may be left out, but not be
//! null. A custom `Deserialize` is fine too: its error gets a place, and a second line in it is shown as the hint.

mod check;
mod choice;
mod expect;
mod file;
mod layers;
mod path;
mod problem;
mod scalar;
mod schema;
mod stand_in;
mod suggest;
mod tree;
mod version;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

pub use file::{Unreadable, read_file};
pub use layers::{Layer, Located, load_layers, load_with};
pub use path::within;
pub use problem::{Location, Problem, Problems};
pub use schema::schema_of;
pub use version::ApiVersion;

/// Reads one user file strictly. `file_name` is only for messages.
///
/// # Errors
/// All [`Problems`] of the file: its syntax error, or every key and value that does not fit `T`.
pub fn load<T: DeserializeOwned + JsonSchema>(file_name: &str, text: &str) -> Result<Located<T>, Problems> {
    load_layers(&[Layer { name: file_name.to_owned(), text: text.to_owned() }], &[])
}

#[cfg(test)]
mod tests;
