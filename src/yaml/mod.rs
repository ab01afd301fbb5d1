//! stub
use serde::Serialize;
/// stub
pub fn to_string(value: &impl Serialize) -> String { serde_yaml::to_string(value).unwrap_or_default() }
/// stub
pub fn documents(text: &str) -> Result<Vec<serde_json::Value>, serde_yaml::Error> { serde_yaml::from_multiple(text) }
