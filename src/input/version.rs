//! The version named by every document that people write: profiles, scenarios, comparisons.

use schemars::JsonSchema;
use serde::Deserialize;

/// Version of this format.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The first version.
    #[serde(rename = "hearth.dev/v1alpha1")]
    V1alpha1,
}
