//! Comparison files: read strictly, then checked for what a schema cannot say.

use serde_json::Value;

use super::plan::Declaration;
use super::record::Comparison;
use super::schema::{ComparisonFile, Metadata, Spec};
use crate::input::{Layer, Problems, load_with};

/// Reads a comparison: its name, and what to compare. `file_name` is for messages.
///
/// # Errors
/// All [`Problems`] of the file, each with its place.
pub fn load_file(file_name: &str, text: &str) -> Result<(Metadata, Spec), Problems> {
    let layer = Layer { name: file_name.to_owned(), text: text.to_owned() };
    load_with::<ComparisonFile, _>(&[layer], &[], |located, problems| {
        let name = &located.value.metadata.name;
        let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if name.is_empty() || name.len() > 63 || !plain {
            let hint = Some("it names folders and reports".to_owned());
            problems.push(located.problem("metadata.name", format!("`{name}` is not made of a-z, 0-9 and `-`"), hint));
        }
        // a declaration is judged as one: stand-ins in it would be judged as if they had been written
        let flaws = if located.is_whole() { Declaration::of(&located.value.spec).err() } else { None };
        for flaw in flaws.into_iter().flatten() {
            // a value that was left out has no place: the flaw is then shown at the nearest thing around it
            let mut path = flaw.path.as_str();
            while located.find(path).is_none() {
                path = path.rsplit_once(['.', '[']).map_or("", |(above, _)| above);
                if path.is_empty() {
                    break;
                }
            }
            problems.push(located.problem(path, flaw.message.clone(), flaw.hint.clone()));
        }
        (located.value.metadata, located.value.spec)
    })
}

/// The JSON schema of comparison files.
pub fn json_schema() -> Value {
    crate::input::schema_of::<ComparisonFile>()
}

/// The JSON schema of results.
pub fn result_schema() -> Value {
    schemars::schema_for!(Comparison).to_value()
}
