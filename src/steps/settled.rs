//! Whether everything works, and whether the API's information is current: after a node was down, the API goes on repeating the
//! last report of its kubelet until that kubelet reports again.

use std::time::Duration;

use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::{Act, Session, Stage, goes_with_its_nodes, needs, patience};
use crate::cluster::{ClusterError, ready, routed};
use crate::components::{PartId, apply, catalogue, health};
use crate::error::{BoxError, Result, chain};
use crate::graph::{Check, Class, StepLimits};
use crate::profile::Cni;
use crate::progress::Progress;
use crate::provider::{AnyNode, Node};

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(250);

/// Everything works, and the status of pods was reported after their nodes started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settled;

impl Act for Settled {
    const STAGE: Stage = Stage::Cluster;
    const CLASS: Class = Class::InPlace;
    const LIMITS: StepLimits = StepLimits::USUAL;
    const WAITS: bool = true;

    fn sentence(&self) -> String {
        "See that everything works".into()
    }

    fn target(&self) -> Option<&str> {
        None
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        Ok(needs(&unsettled(session).await, "", "; "))
    }

    async fn apply(&self, session: &Session, progress: &Progress) -> Result<()> {
        let (start, limit) = (Instant::now(), patience::<Self>());
        loop {
            let found = unsettled(session).await;
            if found.is_empty() {
                return Ok(());
            }
            if start.elapsed() > limit {
                return Err(ClusterError::NotReady { what: "the cluster".into(), limit, state: found.join("; ") }.into());
            }
            progress.say(found.join("; "));
            sleep(LOOK).await;
        }
    }

    goes_with_its_nodes!();
}

/// The state of what runs on the nodes.
pub struct Look {
    /// Each component, and whether it works.
    pub parts: Vec<(PartId, bool)>,
    /// What does not work, one line each.
    pub problems: Vec<String>,
}

impl Look {
    /// Looks at what runs on these nodes, by the health rules that the steps of a run wait for.
    pub async fn at(session: &Session, nodes: &[AnyNode]) -> Result<Look> {
        let client = session.client().await?;
        let parts = catalogue::parts(&session.profile).into_iter().filter(|part| part.file().is_none());
        let parts = try_join_all(parts.map(|part| async move {
            let unhealthy = health::unhealthy(client, &part.ready, &session.objects(&part).await?).await?;
            Ok::<_, BoxError>((part.id, unhealthy))
        }));
        let outdated = async { Ok(ready::outdated(client, nodes).await?) };
        let (mut problems, parts, gateway) = tokio::try_join!(outdated, parts, gateway_problem(session))?;
        let works = parts.iter().map(|(part, unhealthy)| (*part, unhealthy.is_empty())).collect();
        for (part, unhealthy) in parts {
            problems.extend(unhealthy.into_iter().map(|one| format!("{part}: {}: {}", one.object, one.why)));
        }
        problems.extend(gateway);
        Ok(Look { parts: works, problems })
    }
}

/// Objects that somebody else changed since Hearth wrote them, one line each.
pub async fn edited(session: &Session) -> Result<Vec<String>> {
    let client = session.client().await?;
    let parts = catalogue::parts(&session.profile).into_iter().filter(|part| part.file().is_none());
    let looks = parts.map(|part| async move {
        let differences = apply::check(client, &session.owner(part.id.component()), &session.objects(&part).await?).await?;
        let told = differences.into_iter().filter(|one| matches!(one.change, apply::Change::PutBack(_)));
        Ok::<_, BoxError>(told.map(move |one| format!("{}: {one}; `hearth up` puts it back", part.id)).collect::<Vec<_>>())
    });
    Ok(try_join_all(looks).await?.concat())
}

/// Why the application does not answer, if the profile has it.
async fn gateway_problem(session: &Session) -> Result<Option<String>> {
    if session.profile.components.workloads.is_none() {
        return Ok(None);
    }
    let question = session.question().await?;
    Ok(question.trouble().await.map(|why| format!("gateway: {question} does not answer 200: {why}")))
}

/// What is missing of the pod network on these nodes, one line each. In a run, its own steps have just seen to that.
pub async fn pod_network_problems(session: &Session, nodes: &[AnyNode]) -> Result<Vec<String>> {
    // which routes a node needs is known only if all nodes can be asked for their shares; a node that cannot be asked is a
    // problem in itself
    if session.profile.cni == Cni::None || nodes.len() < session.profile.nodes().count() {
        return Ok(Vec::new());
    }
    let looks = nodes.iter().map(|node| async move {
        let missing = routed::missing(node, &session.pod_network(node.name()).await?).await?;
        let name = node.name();
        Ok::<_, BoxError>(missing.into_iter().map(move |what| format!("pod network of {name}: {what} is missing")))
    });
    Ok(try_join_all(looks).await?.into_iter().flatten().collect())
}

/// What does not work, one line each; empty if everything does. If a node or an API server fails to answer once, that means it
/// does not work now, and no more.
async fn unsettled(session: &Session) -> Vec<String> {
    let found = async {
        let nodes = session.nodes().await?;
        let names = session.profile.nodes().names();
        let problems = async { Ok::<_, BoxError>(ready::node_problems(session.client().await?, &names).await?) };
        let (problems, look) = tokio::try_join!(problems, Look::at(session, &nodes))?;
        let mut found: Vec<String> = problems.into_iter().map(|problem| format!("node {problem}")).collect();
        found.extend(look.problems);
        Ok::<_, BoxError>(found)
    };
    found.await.unwrap_or_else(|error| vec![chain(&*error)])
}
