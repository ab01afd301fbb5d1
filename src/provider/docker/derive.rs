//! The derived node image: the node image with all images unpacked inside, built after the first start of a cluster and
//! kept in the engine for later ones.
//!
//! Copying images into the nodes of every new cluster, and unpacking them there, takes a third of a start. In a derived image
//! the unpacked layers are in the image's own file system, where all nodes of all clusters share them (and their page cache); a
//! node's container runtime only gets its database and links to them. Containers on a node stack their writable layer, which
//! must not be on an overlay, on top of layers that may be.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use bollard::models::{ContainerConfig, ContainerCreateBody, HostConfig};
use bollard::query_parameters::{
    CommitContainerOptionsBuilder, CreateContainerOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptions,
    StartContainerOptions,
};
use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::{DockerError, DockerNode, DockerProvider, LONG, call};
use crate::artifact::short_digest;
use crate::decision::Choice;
use crate::error::Result;
use crate::progress::Progress;
use crate::provider::runtime::import;
use crate::provider::{Command, Node, NodeError};
use crate::quantity::counted;

/// Repository of derived images.
const REPOSITORY: &str = "hearth.dev/node";
/// Prefix of the names of containers in which derived images are built.
const BUILDER: &str = "hearth-build-";
/// Label of the container in which one is built; its value is the cluster's name. The image inherits it, and with it every
/// container that anybody starts from the image, so it does not prove whose a container is.
pub(super) const BUILDER_LABEL: &str = "hearth.dev/builder";
/// Label of derived images: a digest over the names of the images they come from.
const RECIPE_LABEL: &str = "hearth.dev/node-recipe";
/// The script that runs inside the builder.
const SCRIPT: &str = include_str!("derive.sh");
/// The script's exit status when unpacked layers do not look the same from the image.
const NOT_THE_SAME: i64 = 3;

/// How images are stored in a derived image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Layers unpacked, shared by all nodes.
    Unpacked,
    /// Layers as blobs, copied into every node and unpacked there when used.
    Packed,
}

impl Form {
    fn name(self) -> &'static str {
        match self {
            Form::Unpacked => "unpacked",
            Form::Packed => "packed",
        }
    }
}

impl DockerProvider {
    /// The derived image's reference: its tag is a digest over the recipe and the ids of the images that go into it, so it
    /// changes whenever one of them does.
    pub async fn derived_reference(&self, images: &[String]) -> Result<String, DockerError> {
        let mut recipe = SCRIPT.to_owned();
        for reference in self.ingredients(images) {
            let image = self.engine.docker.inspect_image(reference).await.map_err(call(format!("inspect image {reference}")))?;
            recipe += &format!("{reference} {}\n", image.id.unwrap_or_default());
        }
        Ok(format!("{REPOSITORY}:{}", short_digest(recipe.as_bytes())))
    }

    /// The image that nodes start from: the one derived with `images` if it exists, else the profile's. The engine must have
    /// all of `images`.
    pub async fn image_of_nodes(&self, images: &[String]) -> Result<Choice<String>, DockerError> {
        let (base, derived) = (&self.nodes.image, self.derived_reference(images).await?);
        Ok(match self.has_image(&derived).await? {
            true => {
                Choice::new(derived, format!("kept by an earlier run: {base} with {} inside", counted(images.len(), "image")))
            }
            false => Choice::new(base.clone(), "the profile's: none with the components' images inside is kept"),
        })
    }

    /// The names of the images that go into a derived image.
    fn ingredients<'a>(&'a self, images: &'a [String]) -> BTreeSet<&'a str> {
        images.iter().chain([&self.nodes.image]).map(String::as_str).collect()
    }

    /// Builds the derived image.
    pub async fn derive_image(&self, reference: &str, images: &[String], progress: &Progress) -> Result<()> {
        let builder = format!("{BUILDER}{}", reference.rsplit(':').next().unwrap_or_default());
        let mut built =
            Err(NodeError::Failed { node: builder.clone(), command: String::new(), status: NOT_THE_SAME, output: String::new() }
                .into());
        for form in [Form::Unpacked, Form::Packed] {
            // a builder that a killed run left behind is in the way
            self.remove_node(&builder).await?;
            built = self.build_in(&builder, reference, images, form, progress).await;
            if !matches!(&built, Err(BuildError::Node(NodeError::Failed { status: NOT_THE_SAME, .. }))) {
                break;
            }
            progress.say("image layers cannot be shared here: keeping them packed");
        }
        self.remove_node(&builder).await?;
        built?;
        self.remove_older(reference, images).await;
        Ok(())
    }

    async fn build_in(
        &self,
        builder: &str,
        reference: &str,
        images: &[String],
        form: Form,
        progress: &Progress,
    ) -> Result<(), BuildError> {
        let options = CreateContainerOptionsBuilder::new().name(builder).build();
        let body = ContainerCreateBody {
            image: Some(self.nodes.image.clone()),
            entrypoint: Some(vec!["sleep".into(), "infinity".into()]),
            labels: Some(HashMap::from([(BUILDER_LABEL.to_owned(), self.cluster.clone())])),
            volumes: Some(vec!["/build".to_owned()]),
            host_config: Some(HostConfig {
                network_mode: Some("none".to_owned()),
                security_opt: Some(vec!["seccomp=unconfined".to_owned(), "apparmor=unconfined".to_owned()]),
                cap_add: Some(vec!["SYS_ADMIN".to_owned()]),
                init: Some(true),
                ..Default::default()
            }),
            ..Default::default()
        };
        self.engine.docker.create_container(Some(options), body).await.map_err(call("create the image builder"))?;
        self.engine
            .docker
            .start_container(builder, None::<StartContainerOptions>)
            .await
            .map_err(call("start the image builder"))?;
        let node = DockerNode::builder(self.engine.docker.clone(), builder);
        let script = |phase: &str| {
            let argv = ["sh", "-s", phase, form.name()].map(str::to_owned);
            Command::new(argv).stdin(SCRIPT).timeout(Duration::from_secs(600))
        };
        node.run(script("begin")).await?;
        if !images.is_empty() {
            progress.say(format!("importing {}", counted(images.len(), "image")));
            self.import_into(&node, images, form).await?;
        }
        progress.say("unpacking");
        node.run(script("finish")).await?;
        progress.say("keeping the image");
        let (repository, tag) = reference.rsplit_once(':').unwrap_or((reference, "latest"));
        let label = self.recipe_label(images);
        let changes = format!("ENTRYPOINT [\"/usr/local/bin/entrypoint\",\"/sbin/init\"]\nLABEL {label}");
        let options = CommitContainerOptionsBuilder::new().container(builder).repo(repository).tag(tag).changes(&changes).build();
        self.engine
            .patient(LONG)
            .commit_container(options, ContainerConfig::default())
            .await
            .map_err(call("keep the derived node image"))?;
        Ok(())
    }

    /// Copies all images out of the engine in one stream: layers they share travel once.
    async fn import_into(&self, node: &DockerNode, images: &[String], form: Form) -> Result<(), BuildError> {
        let references: Vec<&str> = images.iter().map(String::as_str).collect();
        let engine = self.engine.patient(LONG);
        let mut export = Box::pin(engine.export_images(&references));
        let (sender, receiver) = mpsc::channel(8);
        let feed = async move {
            while let Some(chunk) = export.next().await {
                if sender.send(chunk.map_err(call("export images"))?).await.is_err() {
                    break;
                }
            }
            Ok::<(), DockerError>(())
        };
        let argv = import(form == Form::Unpacked);
        let (fed, imported) = tokio::join!(feed, node.feed(&argv, receiver));
        fed?;
        node.expect_success(&argv, imported?)?;
        Ok(())
    }

    /// Builders that killed runs of this cluster left behind.
    pub async fn builders(&self) -> Result<Vec<String>, DockerError> {
        let listed = self.engine.containers_labelled(&format!("{BUILDER_LABEL}={}", self.cluster)).await?;
        let names = listed.into_iter().flat_map(|container| container.names.unwrap_or_default());
        Ok(names.map(|name| name.trim_start_matches('/').to_owned()).filter(|name| name.starts_with(BUILDER)).collect())
    }

    /// Removes the builders that killed runs left behind.
    pub async fn remove_builders(&self) -> Result<(), DockerError> {
        for builder in self.builders().await? {
            self.remove_node(&builder).await?;
        }
        Ok(())
    }

    fn recipe_label(&self, images: &[String]) -> String {
        let names: Vec<&str> = self.ingredients(images).into_iter().collect();
        format!("{RECIPE_LABEL}={}", short_digest(names.join("\n").as_bytes()))
    }

    /// Removes derived images made from older versions of the same image names; one that a container uses stays.
    async fn remove_older(&self, current: &str, images: &[String]) {
        let label = self.recipe_label(images);
        let filters = HashMap::from([("label", vec![label.as_str()])]);
        let options = ListImagesOptionsBuilder::new().filters(&filters).build();
        let listed = self.engine.docker.list_images(Some(options)).await.unwrap_or_default();
        for tag in listed.into_iter().flat_map(|image| image.repo_tags).filter(|tag| tag != current) {
            // in use: the engine refuses, and rightly so
            let _refused = self.engine.docker.remove_image(&tag, None::<RemoveImageOptions>, None).await;
        }
    }
}

/// A derived image on the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptImage {
    /// The image's name and tag.
    pub reference: String,
    /// Its size on disk, including layers that it shares with others.
    pub bytes: u64,
}

impl super::Engine {
    /// All derived images, by name.
    pub async fn kept_images(&self) -> Result<Vec<KeptImage>, DockerError> {
        let filters = HashMap::from([("label", vec![RECIPE_LABEL])]);
        let options = ListImagesOptionsBuilder::new().filters(&filters).build();
        let listed = self.docker.list_images(Some(options)).await.map_err(call("list images"))?;
        let kept = listed.into_iter().flat_map(|image| {
            let bytes = u64::try_from(image.size).unwrap_or_default();
            image.repo_tags.into_iter().map(move |reference| KeptImage { reference, bytes })
        });
        let mut kept: Vec<KeptImage> = kept.filter(|image| image.reference.starts_with(REPOSITORY)).collect();
        kept.sort_by(|one, other| one.reference.cmp(&other.reference));
        Ok(kept)
    }

    /// Removes a derived image; false when a container uses it.
    pub async fn remove_kept(&self, reference: &str) -> Result<bool, DockerError> {
        match self.docker.remove_image(reference, None::<RemoveImageOptions>, None).await {
            Ok(_) => Ok(true),
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => Ok(true),
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 409, .. }) => Ok(false),
            Err(error) => Err(call(format!("remove image {reference}"))(error)),
        }
    }
}

/// Building failed in the engine, or inside the builder.
#[derive(Debug, thiserror::Error)]
enum BuildError {
    #[error(transparent)]
    Docker(#[from] DockerError),
    #[error(transparent)]
    Node(#[from] NodeError),
}

impl crate::error::Explain for BuildError {
    fn family(&self) -> crate::error::Family {
        crate::error::Family::Docker
    }

    fn hint(&self) -> Option<String> {
        Some("the cluster works without it; `keepNodeImage: false` under spec.provider.docker goes without".into())
    }
}
