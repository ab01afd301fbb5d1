//! Copies an image of the components into every node that may have to run it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, OnceCell};

use super::{Act, Session, Stage, goes_with_its_nodes, needs};
use crate::components::catalogue;
use crate::error::{BoxError, Result};
use crate::graph::{Check, Class, StepLimits};
use crate::profile::NodeSpec;
use crate::progress::Progress;
use crate::provider::{AnyNode, Node, Provider, runtime};

/// The image is in the container runtime of every node that may have to run it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadImage {
    /// Its reference; for the WAS image without the tag, which is known once it is packed.
    pub image: String,
}

impl Act for LoadImage {
    const STAGE: Stage = Stage::Nodes;
    const CLASS: Class = Class::InPlace;
    const LIMITS: StepLimits = StepLimits::USUAL.within(900).patient().attempts(3);
    const WAITS: bool = false;

    fn sentence(&self) -> String {
        format!("Copy `{}` into nodes that lack it", self.image)
    }

    fn target(&self) -> Option<&str> {
        None
    }

    async fn check(&self, session: &Session) -> Result<Check> {
        let lacking = self.lacking(session).await?;
        let names: Vec<&str> = lacking.iter().map(Node::name).collect();
        Ok(needs(&names, "missing on ", ", "))
    }

    async fn apply(&self, session: &Session, progress: &Progress) -> Result<()> {
        let reference = session.store.reference(&self.image).await?;
        let lacking = self.lacking(session).await?;
        session.provider.load_image(reference, &lacking, &session.store, progress).await
    }

    goes_with_its_nodes!();
}

impl LoadImage {
    /// Nodes that may have to run the image and lack it.
    async fn lacking(&self, session: &Session) -> Result<Vec<AnyNode>> {
        let reference = session.store.reference(&self.image).await?;
        let runs = |node: &&NodeSpec| catalogue::may_run(&session.profile, node, &self.image);
        let nodes = session.profile.nodes();
        let looks = nodes.iter().filter(runs).map(|spec| async move {
            let node = session.provider.node(&spec.name).await?;
            let has = session.images_seen.of(&node).await?.contains(reference);
            Ok::<_, BoxError>((!has).then_some(node))
        });
        Ok(try_join_all(looks).await?.into_iter().flatten().collect())
    }
}

/// The images that each node had when it was first asked: asked once for all image steps.
#[derive(Default)]
pub struct ImagesSeen(Mutex<HashMap<String, Arc<OnceCell<BTreeSet<String>>>>>);

impl ImagesSeen {
    async fn of(&self, node: &AnyNode) -> Result<BTreeSet<String>> {
        let first = self.0.lock().await.entry(node.name().to_owned()).or_default().clone();
        Ok(first.get_or_try_init(|| runtime::images(node)).await?.clone())
    }
}
