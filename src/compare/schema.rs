//! How comparisons are written. Everything except the arms has a default; every number that has a unit needs it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::address::ServiceName;
use super::claim::Claim;
use super::margin::Margin;
use super::metric::Metric;
use crate::input::ApiVersion;
use crate::quantity::{Rate, Share, Span};

/// Two ways to the same service, and the question which one is faster.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Hearth comparison", extend("$id" = "https://hearth.dev/schema/v1alpha1/comparison.json"))]
pub struct ComparisonFile {
    /// Version of this format.
    #[allow(dead_code)] // checked against the schema; there is only one
    pub api_version: ApiVersion,
    /// Kind of this document.
    #[allow(dead_code)] // checked against the schema; there is only one
    pub kind: Kind,
    /// Names the comparison.
    pub metadata: Metadata,
    /// What is compared, and how.
    pub spec: Spec,
}

/// Kind of this document.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub enum Kind {
    /// Two arms measured against each other.
    Comparison,
}

/// Names the comparison.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// Short name: lower-case letters, digits and `-`. Reports and folders carry it.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9-]*$"), length(max = 63))]
    pub name: String,
}

/// What is compared, and how.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// The two arms. Every difference is the second less the first.
    #[schemars(length(min = 2, max = 2))]
    pub arms: Vec<Arm>,
    /// What is expected, in words; it is sealed with everything else before the first request.
    pub hypothesis: Option<String>,
    /// Published figures, each compared with what is measured here. They do not affect the verdict.
    #[serde(default)]
    pub claim: Vec<Claim>,
    /// What decides.
    #[serde(default)]
    pub primary: Primary,
    /// Chance of a wrong better or worse when the arms are alike.
    #[serde(default = "Spec::alpha")]
    pub alpha: Share,
    /// The requests.
    #[serde(default)]
    pub load: Load,
    /// The order of the measurement.
    #[serde(default)]
    pub design: Design,
    /// What a good answer is.
    #[serde(default)]
    pub expect: Expect,
}

/// One of the two: a `url` or a `service`. In a declaration a service also has the `url` that was found for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Arm {
    /// What results call it.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Where its requests go, for example `http://10.0.0.1:8080/api`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A service of the cluster as NAMESPACE/NAME: requests go to its load balancer's address, to port 80 or its only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// Path and query of requests to a service; `/` where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^/[!-~]*$"))]
    pub path: Option<String>,
    /// Host header of requests to a service; its address where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// What decides.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Primary {
    /// The figure.
    #[serde(default = "Primary::metric")]
    pub metric: Metric,
    /// The largest difference that does not matter, as a time or as a share of the first arm's value.
    #[serde(default = "Primary::margin")]
    pub margin: Margin,
}

/// The requests: an open loop, the same offered rate for both arms. The client retries nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Load {
    /// Requests that are due per second and arm.
    #[serde(default = "Load::rate")]
    pub rate: Rate,
    /// Connections kept open to each arm, one request at a time on each.
    #[serde(default = "Load::connections")]
    #[schemars(range(min = 1, max = 4096))]
    pub connections: u32,
    /// A request without a whole answer this long after it was due has failed.
    #[serde(default = "Load::timeout")]
    pub timeout: Span,
    /// Each request is moved by up to this share of the interval, either way; at most 50 %.
    #[serde(default = "Load::jitter")]
    pub jitter: Share,
}

/// The order of the measurement. What is left out has a default that depends on `quick`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Design {
    /// Half a minute instead of several: fewer windows, no second method.
    #[serde(default)]
    pub quick: bool,
    /// Length of a window, the unit of all statistics.
    pub window: Option<Span>,
    /// Windows of the duet: how many are measured, and the most there will be.
    #[schemars(range(min = 6, max = 500))]
    pub windows: Option<u32>,
    /// Windows of the A/A run, in which both arms are the first one.
    #[schemars(range(max = 500))]
    pub same_arm_windows: Option<u32>,
    /// Blocks of the check, each a window in which one arm has the load alone; a multiple of four.
    #[schemars(range(max = 500))]
    pub blocks: Option<u32>,
    /// Requests to each arm one after the other, each on a new connection, as `curl` in a loop makes them.
    #[schemars(range(max = 10000))]
    pub visits: Option<u32>,
    /// Seed of everything that is drawn.
    #[serde(default = "Design::seed")]
    pub seed: u64,
}

/// What a good answer is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expect {
    /// Its status.
    #[serde(default = "Expect::status")]
    #[schemars(range(min = 200, max = 599))]
    pub status: u16,
    /// Bodies may differ between the arms and from request to request.
    #[serde(default)]
    pub different_bodies: bool,
}

impl Spec {
    /// A comparison of these arms, with defaults for everything else.
    pub fn of(arms: Vec<Arm>) -> Self {
        Spec {
            arms,
            hypothesis: None,
            claim: Vec::new(),
            primary: Primary::default(),
            alpha: Self::alpha(),
            load: Load::default(),
            design: Design::default(),
            expect: Expect::default(),
        }
    }

    /// True if an arm is a service, so that a cluster is needed.
    pub fn needs_cluster(&self) -> bool {
        self.arms.iter().any(|arm| arm.service.is_some())
    }

    /// 5 %.
    pub(super) fn alpha() -> Share {
        Share(0.05)
    }
}

impl std::str::FromStr for Arm {
    type Err = String;

    /// Parses `NAME=URL`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, url) = text.split_once('=').ok_or("write an arm as NAME=URL, as in a=http://127.0.0.1:8080/")?;
        Ok(Arm { name: name.into(), url: Some(url.into()), ..Arm::default() })
    }
}

impl Primary {
    fn metric() -> Metric {
        Metric::P50
    }

    fn margin() -> Margin {
        Margin::Share(Share(0.02))
    }
}

impl Default for Primary {
    fn default() -> Self {
        Primary { metric: Self::metric(), margin: Self::margin() }
    }
}

impl Load {
    fn rate() -> Rate {
        Rate(200.0)
    }

    fn connections() -> u32 {
        16
    }

    fn timeout() -> Span {
        Span::secs(5)
    }

    fn jitter() -> Share {
        Share(0.5)
    }
}

impl Default for Load {
    fn default() -> Self {
        Load { rate: Self::rate(), connections: Self::connections(), timeout: Self::timeout(), jitter: Self::jitter() }
    }
}

impl Design {
    fn seed() -> u64 {
        1
    }
}

impl Default for Design {
    fn default() -> Self {
        Design {
            quick: false,
            window: None,
            windows: None,
            same_arm_windows: None,
            blocks: None,
            visits: None,
            seed: Self::seed(),
        }
    }
}

impl Expect {
    fn status() -> u16 {
        200
    }
}

impl Default for Expect {
    fn default() -> Self {
        Expect { status: Self::status(), different_bodies: false }
    }
}
