//! What faults do to nodes beyond the API: running scripts, and pausing.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{BoxError, chain};
use crate::provider::{Command, Node, NodeError, Provider, standstill};

/// An operation on a node, in progress.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, NodeError>> + Send + 'a>>;

/// Access to the nodes of a cluster, by their names.
pub trait Nodes: Send + Sync {
    /// Runs a shell script, and returns its output.
    fn run<'a>(&'a self, node: &'a str, script: String) -> Pending<'a, String>;
    /// Pauses a node; it resumes by itself after `lease`.
    fn pause<'a>(&'a self, node: &'a str, lease: Duration) -> Pending<'a, ()>;
    /// Resumes a paused node; no error if it is not paused, or does not exist any more.
    fn resume<'a>(&'a self, node: &'a str) -> Pending<'a, ()>;
}

/// The nodes of a provider, looked up when they are needed.
pub fn nodes(provider: impl Provider) -> Arc<dyn Nodes> {
    Arc::new(Provided(provider))
}

struct Provided<P>(P);

fn failed(node: &str, action: &str) -> impl FnOnce(BoxError) -> NodeError {
    move |error| {
        let (node, action, family) = (node.to_owned(), action.to_owned(), error.family());
        NodeError::Transport { node, action, family, source: chain(&*error).into() }
    }
}

impl<P: Provider> Nodes for Provided<P> {
    fn run<'a>(&'a self, node: &'a str, script: String) -> Pending<'a, String> {
        Box::pin(async move {
            let found = self.0.node(node).await.map_err(failed(node, "finding it"))?;
            Ok(found.run(Command::shell(script)).await?.text())
        })
    }

    fn pause<'a>(&'a self, node: &'a str, lease: Duration) -> Pending<'a, ()> {
        Box::pin(async move {
            let found = self.0.node(node).await.map_err(failed(node, "finding it"))?;
            standstill::pause(&found, lease).await
        })
    }

    fn resume<'a>(&'a self, node: &'a str) -> Pending<'a, ()> {
        Box::pin(async move {
            match self.0.running(node).await.map_err(failed(node, "finding it"))? {
                Some(found) => standstill::resume(&found).await,
                None => Ok(()),
            }
        })
    }
}
