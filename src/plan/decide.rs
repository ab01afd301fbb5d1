//! Every decision about a cluster, each with its reason: what the profile leaves open is decided here, as far as that is
//! possible before anything is changed.

use std::net::Ipv4Addr;

use futures_util::future::join_all;
use ipnet::Ipv4Net;
use serde::Serialize;

use crate::cluster::routed;
use crate::components::catalogue;
use crate::decision::{Choice, Decision};
use crate::error::{Result, chain};
use crate::profile::{AddressRange, Cni, Profile};
use crate::provider::{self, NodeView, Provider};
use crate::steps::{Session, pool};

/// What a look at the live world contributes to the decisions.
pub struct Seen {
    existing: Vec<NodeView>,
    pool: Result<Option<Choice<AddressRange>>>,
    node_image: Option<Decision<String>>,
    /// Each node of the profile with the share of the pod subnet that it has; none if one of the nodes did not answer.
    shares: Option<Vec<(String, Option<Ipv4Net>)>>,
}

/// One decision, as shown in plans.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What is decided.
    pub what: String,
    /// The value; none if it cannot be decided yet.
    pub value: Option<String>,
    /// Why this value, or when it will be decided.
    pub reason: String,
}

/// All decisions of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Decisions {
    /// The decisions, as shown in plans.
    pub lines: Vec<Line>,
    /// The addresses for load balancers, for the step that reserves them.
    #[serde(skip)]
    pub pool: Option<AddressRange>,
    /// Whether objects that the profile no longer asks for are removed together with the data in them and with what others put
    /// there. The user decides this.
    #[serde(skip)]
    pub delete_data: bool,
}

impl Seen {
    /// Looks at the live world; changes nothing.
    ///
    /// # Errors
    /// The Docker engine or the hosts do not answer.
    pub async fn of(session: &Session) -> Result<Seen> {
        let images = catalogue::pulled(&session.profile);
        let (existing, node_image) = tokio::try_join!(session.provider.existing(), session.provider.node_image(&images))?;
        let pool = match session.profile.components.metallb {
            Some(_) => session.choose_pool().await,
            None => Ok(None),
        };
        let shares = shares(session, &existing).await;
        Ok(Seen { existing, pool, node_image, shares })
    }
}

/// The share of the pod subnet that each node has; a node that does not exist has none.
async fn shares(session: &Session, existing: &[NodeView]) -> Option<Vec<(String, Option<Ipv4Net>)>> {
    let nodes = session.profile.nodes();
    let looks = nodes.iter().map(|spec| async {
        let name = spec.name.clone();
        match existing.iter().find(|node| node.name == name) {
            None => Some((name, None)),
            Some(view) if !view.running => None,
            Some(_) => {
                let node = session.provider.node(&name).await.ok()?;
                Some((name, routed::segment(&node).await.ok()?))
            }
        }
    });
    join_all(looks).await.into_iter().collect()
}

/// All decisions for a profile's cluster; without a look at the live world, only those that follow from the profile.
pub fn decide(profile: &Profile, seen: Option<&Seen>) -> Decisions {
    let mut lines = Vec::new();
    if let Some(base) = profile.provider.node_image() {
        let offline = || Decision::Later(format!("when the engine is looked at: {base}, or one kept with images inside"));
        lines.push(line("node image", seen.and_then(|seen| seen.node_image.clone()).unwrap_or_else(offline)));
    }
    lines.extend(api(profile, seen));
    if profile.cni == Cni::Routed {
        lines.extend(segments(profile, seen));
    }
    let mut decided = None;
    if profile.components.metallb.is_some() {
        let pool = pool_of(profile, seen);
        decided = pool.value().copied();
        lines.push(line("addresses for load balancers", pool));
        lines.extend(profile.components.istio.as_ref().map(|_| line("address of the gateway", vip(profile, decided))));
    }
    Decisions { lines, pool: decided, delete_data: false }
}

/// The port of the API server, and the addresses that reach it.
fn api(profile: &Profile, seen: Option<&Seen>) -> [Line; 3] {
    let existing = seen.into_iter().flat_map(|seen| &seen.existing).find_map(|node| node.api);
    let here = match existing {
        Some(api) => Decision::made(api, "the control plane has it already"),
        None => provider::api_server(profile),
    };
    let port = match &here {
        Decision::Made(Choice { value, reason }) => Decision::made(value.port(), reason.clone()),
        Decision::Later(when) => Decision::Later(when.clone()),
    };
    let address = match here {
        Decision::Made(Choice { value, reason }) => Decision::made(format!("https://{value}"), reason),
        Decision::Later(_) => Decision::Later("with the port".into()),
    };
    let nodes = Decision::Made(provider::endpoint(profile));
    [line("API port", port), line("API server from here", address), line("API server for nodes", nodes)]
}

/// Each node's share of the pod subnet.
fn segments(profile: &Profile, seen: Option<&Seen>) -> Vec<Line> {
    let subnet = profile.kubernetes.pod_subnet;
    let what = |node: &str| format!("pods of {node}");
    let all = |decision: Decision<Ipv4Net>| profile.nodes().iter().map(|node| line(what(&node.name), decision.clone())).collect();
    let Some(seen) = seen else { return all(later()) };
    let Some(shares) = &seen.shares else { return all(Decision::Later("when every node answers".into())) };
    match routed::share(subnet, shares) {
        Err(error) => all(Decision::Later(format!("never: {}", chain(&error)))),
        Ok(given) => {
            let one = |((node, had), share): (&(String, Option<Ipv4Net>), Ipv4Net)| {
                let reason = match had {
                    Some(_) => "the node has it already".to_owned(),
                    None => format!("the lowest /24 of {subnet} that is free"),
                };
                line(what(node), Decision::made(share, reason))
            };
            shares.iter().zip(given).map(one).collect()
        }
    }
}

fn pool_of(profile: &Profile, seen: Option<&Seen>) -> Decision<AddressRange> {
    match (profile.components.metallb.as_ref().and_then(|metallb| metallb.pool.given()), seen.map(|seen| &seen.pool)) {
        (Some(given), _) => Decision::made(given, "as the profile says"),
        (None, None) => later(),
        (None, Some(Ok(Some(choice)))) => Decision::Made(choice.clone()),
        (None, Some(Ok(None))) => Decision::Later("when the nodes' network exists".into()),
        (None, Some(Err(error))) => Decision::Later(format!("cannot be chosen: {}", chain(&**error))),
    }
}

fn vip(profile: &Profile, decided: Option<AddressRange>) -> Decision<Ipv4Addr> {
    let given = profile.components.istio.as_ref().and_then(|istio| istio.gateway.vip.given());
    match (decided.map(|range| pool::vip(profile, range)), given) {
        (Some(Ok(choice)), _) => Decision::Made(choice),
        (Some(Err(error)), _) => Decision::Later(format!("never: {error}")),
        (None, Some(given)) => Decision::made(given, "as the profile says"),
        (None, None) => Decision::Later("with the addresses for load balancers: the first of them".into()),
    }
}

fn later<T>() -> Decision<T> {
    Decision::Later("when the live world is looked at".into())
}

fn line<T: ToString>(what: impl Into<String>, decision: Decision<T>) -> Line {
    let what = what.into();
    match decision {
        Decision::Made(Choice { value, reason }) => Line { what, value: Some(value.to_string()), reason },
        Decision::Later(reason) => Line { what, value: None, reason },
    }
}
