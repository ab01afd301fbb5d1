//! Bare hosts in the course of a run: what they get, what they have, and who may work on them.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use ipnet::Ipv4Net;

use super::Session;
use super::error::SessionError;
use crate::artifact::pins;
use crate::components::{address_pool, catalogue};
use crate::error::{BoxError, Result};
use crate::profile::{AddressRange, Role};
use crate::progress::Progress;
use crate::provider::docker::{PINNED, import};
use crate::provider::machine::{self, facts::Facts, install, lease};
use crate::provider::ssh::SshNode;
use crate::provider::{AnyNode, AnyProvider, Command, FileSpec, Node};

/// How long a host may take to pull an image.
const PULL: Duration = Duration::from_secs(600);

impl Session {
    /// The machine of that name.
    pub(super) async fn host(&self, name: &str) -> Result<SshNode> {
        match self.provider.node(name).await? {
            AnyNode::Ssh(node) => Ok(node),
            AnyNode::Docker(_) => Err(SessionError::OtherProvider { wants: "SSH" }.into()),
        }
    }

    /// What hosts say of themselves, and which could not be asked; nothing of either where nodes are containers.
    pub async fn look_at_hosts(&self) -> (Vec<Facts>, Vec<(String, BoxError)>) {
        let AnyProvider::Ssh(_) = self.provider else { return Default::default() };
        let (mut nodes, mut unreached) = (Vec::new(), Vec::new());
        let names = self.profile.nodes().names();
        for (found, name) in join_all(names.iter().map(|name| self.provider.node(name))).await.into_iter().zip(&names) {
            match found {
                Ok(node) => nodes.push(node),
                Err(error) => unreached.push((name.clone(), error)),
            }
        }
        let all: Vec<Ipv4Addr> = nodes.iter().map(Node::address).collect();
        let mut facts = Vec::new();
        let looks = join_all(nodes.iter().map(|node| machine::facts::gather(node, &all))).await;
        for (found, node) in looks.into_iter().zip(&nodes) {
            match found {
                Ok(found) => facts.push(found),
                Err(error) => unreached.push((node.name().to_owned(), error.into())),
            }
        }
        if unreached.is_empty() {
            // whoever looked before leaves the same
            let _looked = self.facts.set(facts.clone());
        }
        (facts, unreached)
    }

    /// The files that make a host a node.
    async fn host_files(&self, node: &str) -> Result<Vec<FileSpec>> {
        let facts = self.facts().await?.iter().find(|facts| facts.node == node).cloned().unwrap_or_default();
        let quirks = install::Quirks {
            withholds_sys_resource: facts.withholds_sys_resource(),
            few_inotify: facts.inotify <= install::INOTIFY,
        };
        Ok(install::files(&pins::pause(&self.profile.kubernetes.version), quirks))
    }

    /// True when a host has its programs and its configuration, and its container runtime runs.
    pub(super) async fn is_installed(&self, node: &SshNode) -> Result<bool> {
        Ok(install::is_configured(node, &self.host_files(node.name()).await?).await?
            && self.programs_missing(node, false).await?.is_empty())
    }

    /// Configures a host and starts its container runtime, anew where it ran with another program or configuration.
    pub(super) async fn configure(&self, node: &SshNode) -> Result<()> {
        Ok(install::configure(node, self.host_files(node.name()).await?).await?)
    }

    /// Those of `images` that a host lacks.
    pub(super) async fn images_missing_on_host(&self, node: &SshNode, images: &[String]) -> Result<Vec<String>> {
        let has = self.images_of(&AnyNode::Ssh(node.clone())).await?;
        Ok(images.iter().filter(|image| !has.contains(*image)).cloned().collect())
    }

    /// Brings images that a host lacks to it: out of the bundle, else the host pulls them itself. An archive streams into the
    /// import, which checks every blob; index or manifest come last in it, so one that breaks off is no image. Layers stay
    /// packed until they run: unpacking all of them now would starve the API server that starts meanwhile.
    pub(super) async fn copy_to_host(&self, node: &SshNode, images: &[String], progress: &Progress) -> Result<()> {
        for image in images {
            progress.say(format!("{image} to {}", node.name()));
            match self.archive(image).await? {
                Some(archive) => node.feed_file(&archive, &import(false)).await?,
                None => {
                    let pull = ["ctr", "--namespace=k8s.io", "images", "pull", PINNED, image];
                    node.run(Command::new(pull).timeout(PULL)).await.map(drop)?;
                }
            }
        }
        Ok(())
    }

    /// The archive of an image on this machine; none if only its registry has it.
    async fn archive(&self, image: &str) -> Result<Option<PathBuf>> {
        let was = self.was().await?;
        Ok(match &self.bundle {
            _ if image == was.reference => Some(was.path.clone()),
            Some(bundle) => bundle.image(image).ok(),
            None => None,
        })
    }

    /// Programs and images for hosts that are nowhere to be had.
    pub(super) async fn host_artifacts_nowhere(&self) -> Vec<String> {
        let mut nowhere = self.programs_nowhere().await;
        let mut images = catalogue::pulled(&self.profile);
        images.extend(pins::kubernetes_images(&self.profile.kubernetes.version, Role::ControlPlane));
        let bundled = |image: &String| self.bundle.as_ref().is_some_and(|bundle| bundle.image(image).is_ok());
        images.retain(|image| !bundled(image));
        let answers = join_all(images.iter().map(|image| super::images::answers(super::images::registry(image)))).await;
        nowhere.extend(images.into_iter().zip(answers).filter(|(_, answers)| !answers).map(|(image, _)| image));
        nowhere
    }

    /// The pool of a cluster on hosts: the one recorded on the control plane, else one planned in their network, around
    /// every address that a host or its table of neighbours knows.
    pub(super) async fn pool_of_hosts(&self) -> Result<AddressRange> {
        let control_plane = self.control_plane().await?;
        if let Some((first, last)) = machine::pool(&control_plane).await?.as_deref().and_then(|text| text.split_once('-'))
            && let (Ok(first), Ok(last)) = (first.parse(), last.parse())
        {
            return Ok(AddressRange { first, last });
        }
        let facts = self.facts().await?;
        let network = facts.first().and_then(Facts::network).unwrap_or_default();
        let mut used: Vec<Ipv4Addr> = facts.iter().flat_map(|facts| facts.addresses.iter().map(Ipv4Net::addr)).collect();
        used.extend(facts.iter().filter_map(|facts| facts.gateway));
        let neighbours = control_plane.run(Command::shell("ip -4 neigh show | awk '!/FAILED|INCOMPLETE/ {print $1}'")).await?;
        used.extend(neighbours.text().lines().filter_map(|line| line.parse::<Ipv4Addr>().ok()));
        let planned = address_pool::plan(network, &used, &[], address_pool::AUTOMATIC_SIZE)?;
        Ok(planned.range)
    }

    /// A node that has left the cluster is removed, or becomes a plain host again.
    pub(super) async fn release_node(&self, node: &str) -> Result<()> {
        if let AnyProvider::Docker(docker) = &self.provider {
            return Ok(docker.remove_node(node).await?);
        }
        let host = self.host(node).await?;
        machine::clean::clean(&host, self.profile.kubernetes.pod_subnet).await?;
        match machine::clean::verify(&host).await? {
            left if left.is_empty() => Ok(()),
            left => Err(SessionError::Left { host: node.to_owned(), left: left.join("\n  ") }.into()),
        }
    }

    /// Takes the lease of every host that can be reached; none where nodes are containers.
    ///
    /// # Errors
    /// [`SessionError::Leased`] names who holds one; those taken are given back.
    pub async fn take_leases(&self) -> Result<Leases> {
        let mut hosts = Vec::new();
        if let AnyProvider::Ssh(_) = self.provider {
            let names = self.profile.nodes().names();
            let found = join_all(names.iter().map(|name| self.provider.node(name))).await;
            hosts = found.into_iter().flatten().collect();
        }
        let (who, cluster) = (crate::state::whoami(), &self.profile.name);
        // the lock on the state directory keeps runs with the same one apart; what a killed one left is theirs
        let desk = format!("{}:{}", who.user_at_machine(), self.state.root().display());
        let who = format!("process {}, cluster {cluster}", who.process);
        let taken = try_join_all(hosts.iter().map(|host| lease::acquire(host, &desk, &who))).await;
        let leases = Leases { hosts, desk, renewal: None };
        let held = match taken {
            Ok(taken) => taken.into_iter().zip(&leases.hosts).find_map(|(holder, host)| Some((holder?, host.name().to_owned()))),
            Err(error) => {
                leases.release().await;
                return Err(error.into());
            }
        };
        if let Some((holder, host)) = held {
            leases.release().await;
            return Err(SessionError::Leased { host, holder }.into());
        }
        Ok(leases.keep(who))
    }
}

/// The leases of a run, renewed while it lasts.
pub struct Leases {
    hosts: Vec<AnyNode>,
    desk: String,
    renewal: Option<tokio::task::JoinHandle<()>>,
}

impl Leases {
    fn keep(mut self, who: String) -> Leases {
        if !self.hosts.is_empty() {
            let (hosts, desk) = (self.hosts.clone(), self.desk.clone());
            self.renewal = Some(tokio::spawn(async move {
                loop {
                    tokio::time::sleep(lease::RENEWAL).await;
                    // a host that is away for a while is renewed when it is back
                    let _away = join_all(hosts.iter().map(|host| lease::acquire(host, &desk, &who))).await;
                }
            }));
        }
        self
    }

    /// Gives them back; a host that is away keeps its lease until it ends.
    pub async fn release(self) {
        if let Some(renewal) = &self.renewal {
            renewal.abort();
        }
        let _away = join_all(self.hosts.iter().map(|host| lease::release(host, Some(&self.desk)))).await;
    }
}

/// What is left on hosts after a clean-up, one line each; also those of one host at a time, in the order of the hosts.
pub(super) async fn verify(session: &Session) -> Result<Vec<String>> {
    let look = session.profile.nodes().names().into_iter().map(|name| async move {
        let node = session.host(&name).await?;
        Ok::<_, BoxError>(machine::clean::verify(&node).await?.into_iter().map(move |line| format!("{name}: {line}")).collect())
    });
    let left: Vec<Vec<String>> = try_join_all(look).await?;
    Ok(left.concat())
}
