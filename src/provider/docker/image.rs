//! Images: which ones the engine has, and copying them into the nodes' container runtime.

use bollard::query_parameters::{CreateImageOptionsBuilder, ImportImageOptionsBuilder};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use tokio::sync::mpsc;

use super::{DockerError, DockerNode, DockerProvider, LONG, call, is_absent};
use crate::artifact::Store;
use crate::error::{Family, Result};
use crate::progress::Progress;
use crate::provider::runtime::import;
use crate::provider::{Node, NodeError};

impl DockerProvider {
    /// True when the engine has the image.
    pub async fn has_image(&self, reference: &str) -> Result<bool, DockerError> {
        match self.engine.docker.inspect_image(reference).await {
            Ok(_) => Ok(true),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(call(format!("inspect image {reference}"))(error)),
        }
    }

    /// The ones among `references` that the engine lacks.
    pub async fn lacking(&self, references: &[String]) -> Result<Vec<String>, DockerError> {
        let mut lacking = Vec::new();
        for reference in references {
            if !self.has_image(reference).await? {
                lacking.push(reference.clone());
            }
        }
        Ok(lacking)
    }

    /// Gets an image into the engine: from the bundle, else from its registry.
    pub async fn fetch_image(&self, reference: &str, store: &Store, progress: &Progress) -> Result<(), DockerError> {
        if let Some(archive) = store.bundled(reference) {
            progress.say(format!("loading {reference} from the bundle"));
            return self.load_archive(&archive).await;
        }
        progress.say(format!("pulling {reference}"));
        let pulled = self.pull_image(reference).await;
        pulled.map_err(|source| DockerError::NoImage { image: reference.to_owned(), source: Box::new(source) })
    }

    /// Pulls an image into the engine.
    async fn pull_image(&self, reference: &str) -> Result<(), DockerError> {
        let mut options = CreateImageOptionsBuilder::new().from_image(reference);
        let name = reference.rsplit('/').next().unwrap_or_default();
        if !name.contains([':', '@']) {
            // without a tag, the engine would pull all of them
            options = options.tag("latest");
        }
        let options = options.build();
        let engine = self.engine.patient(LONG);
        let pull = engine.create_image(Some(options), None, None);
        pull.try_for_each(|_| async { Ok(()) }).await.map_err(call(format!("pull image {reference}")))
    }

    /// Loads an archive on this machine into the engine.
    async fn load_archive(&self, path: &std::path::Path) -> Result<(), DockerError> {
        let action = || format!("load {}", path.display());
        let file = tokio::fs::File::open(path).await.map_err(|error| call(action())(error.into()))?;
        let options = ImportImageOptionsBuilder::new().quiet(true).build();
        let body = bollard::body_try_stream(chunks(file));
        let engine = self.engine.patient(LONG);
        let load = engine.import_image(options, body, None);
        load.try_for_each(|_| async { Ok(()) }).await.map_err(call(action()))
    }

    /// Streams an image out of the engine once, into all `nodes` at the same time.
    pub async fn copy_image(&self, reference: &str, nodes: &[DockerNode]) -> Result<()> {
        let engine = self.engine.patient(LONG);
        let mut export = Box::pin(engine.export_image(reference));
        let (senders, imports) = fan_out(nodes);
        let feed = async move {
            while let Some(chunk) = export.next().await {
                let chunk = chunk.map_err(call(format!("export image {reference}")))?;
                send_all(&senders, chunk).await;
            }
            Ok::<(), DockerError>(())
        };
        let (fed, imported) = tokio::join!(feed, futures_util::future::join_all(imports));
        fed?;
        imported.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(())
    }
}

/// Streams an archive on this machine into all `nodes` at the same time.
pub async fn copy_archive(path: &std::path::Path, nodes: &[DockerNode]) -> Result<(), NodeError> {
    let unreadable = |error| NodeError::Transport {
        node: nodes.first().map(|node| node.name().to_owned()).unwrap_or_default(),
        action: format!("reading {}", path.display()),
        family: Family::Docker,
        source: Box::new(error) as _,
    };
    let mut file = Box::pin(chunks(tokio::fs::File::open(path).await.map_err(unreadable)?));
    let (senders, imports) = fan_out(nodes);
    let feed = async move {
        while let Some(chunk) = file.next().await {
            send_all(&senders, chunk.map_err(unreadable)?).await;
        }
        Ok::<(), NodeError>(())
    };
    let (fed, imported) = tokio::join!(feed, futures_util::future::join_all(imports));
    fed?;
    imported.into_iter().collect()
}

type Imports<'a> = Vec<std::pin::Pin<Box<dyn Future<Output = Result<(), NodeError>> + Send + 'a>>>;

/// Starts an import on every node, and returns the senders that feed them.
fn fan_out(nodes: &[DockerNode]) -> (Vec<mpsc::Sender<Bytes>>, Imports<'_>) {
    nodes
        .iter()
        .map(|node| {
            let (sender, receiver) = mpsc::channel(8);
            let import = async move {
                let argv = import(false);
                let output = node.feed(&argv, receiver).await?;
                node.expect_success(&argv, output).map(drop)
            };
            (sender, Box::pin(import) as std::pin::Pin<Box<dyn Future<Output = _> + Send>>)
        })
        .unzip()
}

/// Sends a chunk to every import that still runs; one that has ended reports the reason itself.
async fn send_all(senders: &[mpsc::Sender<Bytes>], chunk: Bytes) {
    for sender in senders {
        let _ended = sender.send(chunk.clone()).await;
    }
}

/// A file as chunks of 1 MiB.
fn chunks(file: tokio::fs::File) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> + Send + 'static {
    futures_util::stream::try_unfold(file, |mut file| async move {
        use tokio::io::AsyncReadExt;
        let mut buffer = bytes::BytesMut::with_capacity(1 << 20);
        let read = file.read_buf(&mut buffer).await?;
        Ok((read > 0).then(|| (buffer.freeze(), file)))
    })
}
