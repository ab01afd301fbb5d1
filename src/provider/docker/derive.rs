//! The derived node image: the node image with the components' images already in its store, built once and kept
//! in the engine. Copying images into every node of every cluster costs a third of a bring-up's processor time;
//! from a derived image the engine copies them when it makes the nodes' volumes, for next to nothing.

use std::collections::HashMap;

use bollard::exec::{CreateExecOptions, StartExecOptions};
use bollard::models::{ContainerConfig, ContainerCreateBody, HostConfig};
use bollard::query_parameters::{
    CommitContainerOptionsBuilder, CreateContainerOptionsBuilder, ListImagesOptionsBuilder, RemoveContainerOptionsBuilder,
    RemoveImageOptions, StartContainerOptions,
};
use futures_util::StreamExt;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::image::IMPORT;
use super::{DockerError, DockerNode, DockerProvider, OWNER_LABEL, call, is_absent};
use crate::error::Result;
use crate::provider::{Command, Node};

/// Repository of derived images.
const REPOSITORY: &str = "hearth.dev/node";
/// Label of derived images; its value is the node image they come from.
const BASE_LABEL: &str = "hearth.dev/node-base";

impl DockerProvider {
    /// The derived image's reference: its tag is a digest over the image ids that go into it, so it changes
    /// whenever one of them does. Without images to add, the node image itself.
    pub async fn derived_reference(&self, images: &[String]) -> Result<String, DockerError> {
        if images.is_empty() {
            return Ok(self.nodes.image.clone());
        }
        let mut digest = Sha256::new();
        for reference in std::iter::once(&self.nodes.image).chain(images) {
            let image = self.docker.inspect_image(reference).await.map_err(call(format!("inspect image {reference}")))?;
            digest.update(format!("{reference} {}\n", image.id.unwrap_or_default()));
        }
        let digest = digest.finalize();
        let tag: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        Ok(format!("{REPOSITORY}:{tag}"))
    }

    /// Builds the derived image. `progress` hears what happens.
    pub async fn derive_image(&self, reference: &str, images: &[String]) -> Result<()> {
        let builder = format!("hearth-build-{}", reference.rsplit(':').next().unwrap_or_default());
        self.remove_builder(&builder).await?;
        let built = self.build_in(&builder, reference, images).await;
        let removed = self.remove_builder(&builder).await;
        built?;
        removed?;
        self.remove_older(reference).await;
        Ok(())
    }

    async fn build_in(&self, builder: &str, reference: &str, images: &[String]) -> Result<()> {
        let options = CreateContainerOptionsBuilder::new().name(builder).build();
        let body = ContainerCreateBody {
            image: Some(self.nodes.image.clone()),
            entrypoint: Some(vec!["sleep".into(), "infinity".into()]),
            labels: Some(HashMap::from([(OWNER_LABEL.to_owned(), self.cluster.clone())])),
            host_config: Some(HostConfig {
                network_mode: Some("none".to_owned()),
                security_opt: Some(vec!["seccomp=unconfined".to_owned(), "apparmor=unconfined".to_owned()]),
                cap_add: Some(vec!["SYS_ADMIN".to_owned()]),
                ..Default::default()
            }),
            ..Default::default()
        };
        self.docker.create_container(Some(options), body).await.map_err(call("create the image builder"))?;
        self.docker.start_container(builder, None::<StartContainerOptions>).await.map_err(call("start the image builder"))?;
        let node = DockerNode::builder(self.docker.clone(), builder);
        let daemon = CreateExecOptions { cmd: Some(vec!["containerd"]), ..Default::default() };
        let daemon = self.docker.create_exec(builder, daemon).await.map_err(call("start containerd in the image builder"))?;
        let detached = StartExecOptions { detach: true, ..Default::default() };
        self.docker.start_exec(&daemon.id, Some(detached)).await.map_err(call("start containerd in the image builder"))?;
        node.run(Command::shell("until ctr --connect-timeout 1s version >/dev/null 2>&1; do sleep 0.05; done")).await?;

        let references: Vec<&str> = images.iter().map(String::as_str).collect();
        let mut export = Box::pin(self.docker.export_images(&references));
        let (sender, receiver) = mpsc::channel(8);
        let feed = async move {
            while let Some(chunk) = export.next().await {
                if sender.send(chunk.map_err(call("export images"))?).await.is_err() {
                    break;
                }
            }
            Ok::<(), DockerError>(())
        };
        let (fed, imported) = tokio::join!(feed, node.feed(IMPORT, receiver));
        fed?;
        node.expect_success(IMPORT, imported?)?;
        // its database must be whole on disk before the file system is committed
        node.run(Command::shell("pkill -x containerd; while pgrep -x containerd >/dev/null; do sleep 0.05; done")).await?;

        let (repository, tag) = reference.rsplit_once(':').unwrap_or((reference, "latest"));
        let changes = format!(
            "ENTRYPOINT [\"/usr/local/bin/entrypoint\",\"/sbin/init\"]\nLABEL {BASE_LABEL}=\"{}\"",
            self.nodes.image
        );
        let options = CommitContainerOptionsBuilder::new().container(builder).repo(repository).tag(tag).changes(&changes).build();
        self.docker.commit_container(options, ContainerConfig::default()).await.map_err(call("keep the derived node image"))?;
        Ok(())
    }

    async fn remove_builder(&self, builder: &str) -> Result<(), DockerError> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        match self.docker.remove_container(builder, Some(options)).await {
            Err(error) if !is_absent(&error) => Err(call("remove the image builder")(error)),
            _ => Ok(()),
        }
    }

    /// Derived images of the same node image that are no longer current; one that a container uses stays.
    async fn remove_older(&self, current: &str) {
        let label = format!("{BASE_LABEL}={}", self.nodes.image);
        let filters = HashMap::from([("label", vec![label.as_str()])]);
        let options = ListImagesOptionsBuilder::new().filters(&filters).build();
        let listed = self.docker.list_images(Some(options)).await.unwrap_or_default();
        for tag in listed.into_iter().flat_map(|image| image.repo_tags).filter(|tag| tag != current) {
            // in use: the engine refuses, and that is right
            let _refused = self.docker.remove_image(&tag, None::<RemoveImageOptions>, None).await;
        }
    }
}
