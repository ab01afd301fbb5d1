//! The version that every document names which people write: profiles, scenarios, comparisons.

use schemars::JsonSchema;
use serde::Deserialize;

/// Version of this format.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The first one.
    #[serde(rename = "hearth.dev/v1alpha1")]
    V1alpha1,
}
