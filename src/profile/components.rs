//! The components that a profile can ask for. The same types are written by users and read everywhere later: every default is
//! filled in, and every text is parsed. Their docs become the schema that editors show.
//!
//! To add a component: a field of [`Components`], a struct for its settings with its `Default`, and its line in [`NEEDS`] if it
//! does not work without another.

use std::net::Ipv4Addr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::AddressRange;
use super::values::{self, Complaint};

/// What gets installed; a component that is not mentioned is not.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Components {
    /// Addresses for services of type LoadBalancer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metallb: Option<Metallb>,
    /// Service mesh with an ingress gateway; needs metallb.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub istio: Option<Istio>,
    /// Sample web, WAS and MySQL; needs istio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workloads: Option<Workloads>,
    /// What `kubectl top` and autoscalers ask: CPU and memory of nodes and pods, every 15 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_server: Option<MetricsServer>,
    /// ingress-nginx in front of the gateway, at an address of its own: the way with one hop more, for comparisons; needs istio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress_nginx: Option<IngressNginx>,
}

/// Components that do not work without another, by the names that profiles write: the component, the other one, and why.
pub(super) const NEEDS: &[(&str, &str, &str)] = &[
    ("istio", "metallb", "the gateway needs an address"),
    ("workloads", "istio", "the workloads are reached through the gateway"),
    ("ingressNginx", "istio", "ingress-nginx stands in front of the gateway here"),
];

/// MetalLB in layer 2 mode.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Metallb {
    /// Addresses it hands out: `auto`, first and last as in `192.168.1.200-192.168.1.220`, or a subnet as in `192.168.1.192/27`.
    #[schemars(regex(pattern = r"^(auto|[0-9.]+ *- *[0-9.]+|[0-9.]+/[0-9]+)$"))]
    pub pool: Pool,
}

/// The address pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("x-list" = values::ONE_RANGE))]
pub enum Pool {
    /// Planned from the nodes' network.
    #[default]
    Auto,
    /// As the profile says, both ends included.
    Range(AddressRange),
}

impl Pool {
    /// The addresses given in the profile, if any.
    pub fn given(self) -> Option<AddressRange> {
        match self {
            Pool::Auto => None,
            Pool::Range(range) => Some(range),
        }
    }
}

/// Istio: istiod, injector, ingress gateway.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Istio {
    /// The ingress gateway.
    pub gateway: Gateway,
    /// `envoy`: Envoy's own statistics, runs on stock Envoy; `istio`: istio_requests_total too, needs Istio's build of Envoy.
    pub telemetry: Telemetry,
}

/// The ingress gateway.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Gateway {
    /// Its address: `auto` for the first of the pool, or one of the pool.
    #[schemars(regex(pattern = r"^(auto|[0-9.]+)$"))]
    pub vip: Vip,
}

/// An address out of the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub enum Vip {
    /// The first that is free.
    #[default]
    Auto,
    /// As the profile says.
    Address(Ipv4Addr),
}

impl Vip {
    /// The address given in the profile, if any.
    pub fn given(self) -> Option<Ipv4Addr> {
        match self {
            Vip::Auto => None,
            Vip::Address(address) => Some(address),
        }
    }
}

/// Which telemetry the proxies produce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Telemetry {
    /// Envoy's own statistics; runs on stock Envoy.
    #[default]
    Envoy,
    /// Istio's standard metrics too; needs Istio's build of Envoy.
    Istio,
}

/// Sample web, WAS and MySQL in namespace `blog-system`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Workloads {
    /// The gateway serves `*.<domain>`, the application is `blog.<domain>`; default: any host name.
    #[serde(deserialize_with = "values::optional_domain")]
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$"), length(max = 200))]
    pub domain: Option<String>,
    /// nginx in front.
    pub web: Web,
    /// Application server.
    pub was: Was,
    /// Database.
    pub mysql: Mysql,
}

impl Workloads {
    /// The host name that the application answers to; none if it answers to any.
    pub fn host(&self) -> Option<String> {
        self.domain.as_ref().map(|domain| format!("blog.{domain}"))
    }
}

/// nginx in front.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Web {
    /// Number of pods.
    #[schemars(range(min = 1, max = 50))]
    pub replicas: u32,
}

impl Default for Web {
    fn default() -> Self {
        Web { replicas: 2 }
    }
}

/// Application server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Was {
    /// Number of pods.
    #[schemars(range(min = 1, max = 50))]
    pub replicas: u32,
}

impl Default for Was {
    fn default() -> Self {
        Was { replicas: 3 }
    }
}

/// Database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Mysql {
    /// Size of its volume with a unit, for example `1Gi`.
    #[serde(deserialize_with = "values::storage_size")]
    #[schemars(regex(pattern = r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)$"))]
    pub storage: String,
}

impl Default for Mysql {
    fn default() -> Self {
        Mysql { storage: "1Gi".to_owned() }
    }
}

/// metrics-server: has no settings.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricsServer {}

/// ingress-nginx. Upstream retired it in March 2026: there are no fixes any more, so keep it to tests and comparisons.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct IngressNginx {
    /// The controller's image; default: the one that Hearth was tested with, of version 1.11.
    #[serde(deserialize_with = "values::optional_image", skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

impl TryFrom<String> for Pool {
    type Error = Complaint;

    fn try_from(text: String) -> Result<Self, Complaint> {
        values::pool(&text)
    }
}

impl From<Pool> for String {
    fn from(pool: Pool) -> String {
        match pool {
            Pool::Auto => "auto".to_owned(),
            Pool::Range(range) => range.to_string(),
        }
    }
}

impl TryFrom<String> for Vip {
    type Error = Complaint;

    fn try_from(text: String) -> Result<Self, Complaint> {
        values::vip(&text)
    }
}

impl From<Vip> for String {
    fn from(vip: Vip) -> String {
        vip.given().map_or_else(|| "auto".to_owned(), |address| address.to_string())
    }
}
