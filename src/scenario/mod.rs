//! Scenarios.

pub mod load;
pub mod quantity;
pub mod schema;

/// The JSON schema of scenario files.
pub fn json_schema() -> serde_json::Value {
    crate::yaml::schema_of::<schema::ScenarioFile>()
}
