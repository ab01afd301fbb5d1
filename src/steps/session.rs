//! What steps share within one run: connections, and facts that are looked up once.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use kube::Client;
use serde_json::Value;
use tokio::sync::{Mutex, OnceCell};
use tokio::task::spawn_blocking;

use super::error::SessionError;
use super::leave::{Leaving, refuse_volumes};
use super::load_image::ImagesSeen;
use super::pool;
use crate::artifact::{FilePin, Store, download, store};
use crate::cluster::made::{self, Made};
use crate::cluster::pki::Pki;
use crate::cluster::{self, ClusterError, kubelet, leaving, registration, routed};
use crate::components::answer::Question;
use crate::components::removal::Removal;
use crate::components::{Decided, Owner, Part, PartId, Secrets, catalogue, render};
use crate::decision::Choice;
use crate::error::{BoxError, Result};
use crate::profile::{AddressRange, NodeSpec, Profile, Role};
use crate::provider::{AnyNode, AnyProvider, Leases, Network, Node, NodeView, Provider};
use crate::state::State;

/// One cluster, as the steps of a run see it.
pub struct Session {
    /// The cluster's profile.
    pub profile: Profile,
    /// The provider of its nodes.
    pub provider: AnyProvider,
    /// The source of its images and files.
    pub store: Store,
    /// The place of the cluster's files on this machine.
    pub state: State,
    /// The user's kubeconfig into which the cluster's entries are merged, on request.
    pub merge_into: Option<PathBuf>,
    pki: OnceCell<Pki>,
    client: OnceCell<Client>,
    pool: OnceCell<AddressRange>,
    decided: OnceCell<Decided>,
    segments: OnceCell<Vec<routed::Segment>>,
    /// Definitions from upstream files: parsing them takes as long as several requests to the API.
    definitions: Mutex<BTreeMap<PartId, Vec<Value>>>,
    pub(super) images_seen: ImagesSeen,
    pub(super) removal: Mutex<Removal>,
}

impl Session {
    /// A session in which nothing is looked up yet.
    pub fn new(profile: Profile, provider: AnyProvider, store: Store, state: State, merge_into: Option<PathBuf>) -> Self {
        Session {
            profile,
            provider,
            store,
            state,
            merge_into,
            pki: OnceCell::new(),
            client: OnceCell::new(),
            pool: OnceCell::new(),
            decided: OnceCell::new(),
            segments: OnceCell::new(),
            definitions: Mutex::default(),
            images_seen: ImagesSeen::default(),
            removal: Mutex::default(),
        }
    }

    /// The session with values that others have to look up.
    #[cfg(test)]
    pub(super) fn knowing(self, client: Client, decided: Decided) -> Self {
        let _first = (self.client.set(client), self.decided.set(decided));
        self
    }

    /// What the profile no longer asks for, as of the last look.
    pub async fn removal(&self) -> Removal {
        self.removal.lock().await.clone()
    }

    /// The control plane's name.
    pub fn control_plane_name(&self) -> String {
        self.profile.nodes().first_control_plane().name.clone()
    }

    /// The control plane's node, which must be running.
    pub async fn control_plane(&self) -> Result<AnyNode> {
        self.provider.node(&self.control_plane_name()).await
    }

    /// All nodes of the profile, in its order; each must be running.
    pub async fn nodes(&self) -> Result<Vec<AnyNode>> {
        self.provider.nodes(self.profile.nodes().as_slice()).await
    }

    /// Nodes of the cluster that the profile no longer asks for. `forgotten` are hosts that are gone for good.
    ///
    /// # Errors
    /// A volume would be lost with one of them, unless that host is gone for good, or pods would be, unless `delete_data`; or the
    /// profile asks for changes that are impossible for this cluster.
    pub async fn leaving(&self, delete_data: bool, forgotten: &[String]) -> Result<Vec<Leaving>> {
        let wanted = self.profile.nodes();
        let existing = self.provider.existing().await?;
        self.refuse_impossible(&existing).await?;
        let (stay, go): (Vec<_>, Vec<_>) = existing.into_iter().partition(|node| wanted.contains(&node.name));
        refuse_renamed(&stay, &go)?;
        // pods of a node that does not run are already lost
        let live: Vec<String> = go.iter().filter(|node| node.running).map(|node| node.name.clone()).collect();
        let names: Vec<String> = go.iter().map(|node| node.name.clone()).collect();
        let mut volumes = Vec::new();
        if !go.is_empty() {
            volumes = leaving::volumes_on(self.client().await?, &names).await?;
            refuse_volumes(&volumes, &go, forgotten)?;
            if !delete_data {
                leaving::refuse_loss(self.client().await?, &live).await?;
            }
        }
        let leaving = go.into_iter().map(|node| {
            let lost = volumes.iter().filter(|volume| volume.node == node.name).cloned().collect();
            Leaving { node: NodeSpec { name: node.name, role: node.role }, lost }
        });
        Ok(leaving.collect())
    }

    /// Refuses a profile that differs from its cluster in what no `up` can change, with all differences at once, and a cluster
    /// that has lost its control plane.
    async fn refuse_impossible(&self, existing: &[NodeView]) -> Result<()> {
        let (name, cluster) = (self.control_plane_name(), self.profile.name.clone());
        let control_plane = existing.iter().find(|node| node.name == name);
        let mut differences = Vec::new();
        let mut has_authority = false;
        if let Some(view) = control_plane.filter(|view| view.running) {
            let node = self.provider.node(&view.name).await?;
            let (authority, made) = tokio::join!(Pki::look(&node), Made::look(&node));
            has_authority = authority.known()?.is_some();
            differences.extend(made?.differences(&self.profile.kubernetes));
        }
        if control_plane.is_some() {
            let fixed = self.provider.fixed(&name).await?;
            differences.extend(fixed.iter().filter_map(|it| made::difference(it.field, &it.has, &it.wants)));
        }
        if !differences.is_empty() {
            return Err(SessionError::Unchangeable { cluster, differences: differences.join("\n  ") }.into());
        }
        if has_authority || control_plane.is_some_and(|view| !view.running) {
            return Ok(());
        }
        let mut joined = Vec::new();
        for view in existing.iter().filter(|view| view.running && view.name != name) {
            if kubelet::has_joined(&self.provider.node(&view.name).await?).await? {
                joined.push(view.name.clone());
            }
        }
        match joined.as_slice() {
            [] => Ok(()),
            _ => Err(SessionError::ControlPlaneGone { cluster, node: name, joined: joined.join(", ") }.into()),
        }
    }

    /// The cluster's authorities: those on its control plane, or new ones if it never had any.
    ///
    /// # Errors
    /// It may have authorities: it does not run, or they cannot be read.
    pub async fn pki(&self) -> Result<&Pki> {
        let pki = self.pki.get_or_try_init(|| async {
            let existing = self.provider.existing().await?;
            let Some(node) = existing.iter().find(|node| node.role == Role::ControlPlane) else { return Ok(Pki::generate()?) };
            if !node.running {
                return Err(SessionError::ControlPlaneStopped { node: node.name.clone(), status: node.status.clone() }.into());
            }
            let found = Pki::look(&self.provider.node(&node.name).await?).await.known()?;
            found.map_or_else(|| Ok::<_, BoxError>(Pki::generate()?), Ok)
        });
        pki.await
    }

    /// The URL at which this machine reaches the API server.
    pub async fn api_server(&self) -> Result<String> {
        let node = self.control_plane().await?;
        let (address, port) = node
            .api_server()
            .ok_or_else(|| ClusterError::Connect { reason: format!("node {} publishes no API port", node.name()) })?;
        Ok(format!("https://{address}:{port}"))
    }

    /// A client of the API with full rights.
    pub async fn client(&self) -> Result<&Client> {
        let client = async { Ok(cluster::api::client(self.pki().await?, &self.api_server().await?).await?) };
        self.client.get_or_try_init(|| client).await
    }

    /// A node's purpose.
    pub fn purpose(&self, node: &str) -> registration::Purpose {
        match self.profile.nodes().control_planes().any(|spec| spec.name == node) {
            true => registration::Purpose::ControlPlane { schedulable: self.profile.control_plane_runs_pods() },
            false => registration::Purpose::Worker,
        }
    }

    /// The share of the pod subnet of each node of the profile, in its order: the one it has, else a free one.
    pub async fn segments(&self) -> Result<&[routed::Segment]> {
        let segments = self.segments.get_or_try_init(|| async {
            let nodes = self.nodes().await?;
            let had =
                nodes.iter().map(|node| async { Ok::<_, BoxError>((node.name().to_owned(), routed::segment(node).await?)) });
            let had = futures_util::future::try_join_all(had).await?;
            let shares = routed::share(self.profile.kubernetes.pod_subnet, &had)?;
            let segments = nodes.iter().zip(shares).map(|(node, cidr)| routed::Segment { host: node.host(), cidr });
            Ok::<_, BoxError>(segments.collect())
        });
        segments.await.map(Vec::as_slice)
    }

    /// A node's index in the profile.
    fn position(&self, node: &str) -> usize {
        self.profile.nodes().iter().position(|spec| spec.name == node).unwrap_or_default()
    }

    /// One node's share of the pod subnet.
    pub async fn segment(&self, node: &str) -> Result<routed::Segment> {
        Ok(self.segments().await?[self.position(node)].clone())
    }

    /// The files of the pod network for one node.
    pub async fn pod_network(&self, node: &str) -> Result<Vec<crate::provider::FileSpec>> {
        let segments = self.segments().await?;
        let index = self.position(node);
        let others = segments.iter().enumerate().filter(|(at, _)| *at != index);
        Ok(routed::node_files(&routed::PodNetwork {
            subnet: self.profile.kubernetes.pod_subnet,
            own: segments[index].cidr,
            others: others.map(|(_, segment)| segment.clone()).collect(),
            service: self.profile.kubernetes.service_subnet.hosts().next().unwrap_or(Ipv4Addr::UNSPECIFIED),
            api_server: segments[0].host.clone(),
            machine: !self.provider.machine(node).await?.quirks.in_container,
        }))
    }

    /// The address pool given in the profile, if any.
    pub fn given_pool(&self) -> Option<AddressRange> {
        self.profile.components.metallb.as_ref()?.pool.given()
    }

    /// The address pool with the reason for it; one that is not reserved yet may still change. None if there is no network yet.
    pub async fn choose_pool(&self) -> Result<Option<Choice<AddressRange>>> {
        if let Some(given) = self.given_pool() {
            return Ok(Some(Choice::new(given, "as the profile says")));
        }
        if let Some(pool) = self.pool.get() {
            return Ok(Some(Choice::new(*pool, "the cluster has it already")));
        }
        let Some(network) = self.provider.network().await? else { return Ok(None) };
        if let Some(recorded) = network.own {
            self.pool.get_or_init(|| async { recorded }).await;
        }
        pool::choose(None, &network, None).map(Some)
    }

    /// The address pool, reserved or not.
    ///
    /// # Errors
    /// There is no network to choose it from, or no room on the network.
    pub async fn pool(&self) -> Result<AddressRange> {
        Ok(self.choose_pool().await?.ok_or(SessionError::NoNetwork)?.value)
    }

    /// Records the address pool for good: the preferred one if it is still free.
    pub async fn reserve_pool(&self, preferred: Option<AddressRange>) -> Result<AddressRange> {
        let choose = |network: &Network| Ok(pool::choose(self.given_pool(), network, preferred)?.value);
        let pool = self.provider.reserve_pool(&choose).await?;
        Ok(*self.pool.get_or_init(|| async { pool }).await)
    }

    /// Takes the leases for a run, so that no other run works on the same machines.
    pub async fn take_leases(&self) -> Result<Leases> {
        // the lock on the state directory keeps runs with the same desk apart, so a killed run's leases are this run's
        let who = format!("process {}, cluster {}", std::process::id(), self.profile.name);
        self.provider.take_leases(&self.state.desk(), &who).await
    }

    /// Images, programs and files that `up` would need and that cannot be obtained.
    pub async fn nowhere(&self) -> Result<Vec<String>> {
        let mut nowhere = self.provider.nowhere(&catalogue::pulled(&self.profile), &self.store).await?;
        let mut pins: Vec<FilePin> = catalogue::parts(&self.profile).iter().filter_map(|part| part.file()).collect();
        pins.dedup_by_key(|pin| pin.name);
        for pin in pins.into_iter().filter(|pin| !self.store.has_file(pin)) {
            if !store::answers(&download::server(pin.url)).await {
                nowhere.push(format!("{} ({})", pin.name, pin.url));
            }
        }
        nowhere.sort();
        nowhere.dedup();
        Ok(nowhere)
    }

    /// The gateway's address.
    pub async fn vip(&self) -> Result<Ipv4Addr> {
        Ok(pool::vip(&self.profile, self.pool().await?)?.value)
    }

    /// The request that shows whether the application answers.
    pub async fn question(&self) -> Result<Question> {
        Ok(Question::of(&self.profile, self.vip().await?))
    }

    /// The values with which components are rendered.
    pub async fn decided(&self) -> Result<&Decided> {
        self.decided
            .get_or_try_init(|| async {
                let (vip, pool) = match self.profile.components.metallb {
                    Some(_) => (self.vip().await?, self.pool().await?),
                    // nothing that is rendered without MetalLB contains addresses
                    None => (Ipv4Addr::UNSPECIFIED, AddressRange { first: Ipv4Addr::UNSPECIFIED, last: Ipv4Addr::UNSPECIFIED }),
                };
                let secrets = Secrets::of_cluster(self.client().await?, &self.profile).await?;
                Ok(Decided::new(&self.profile, vip, pool, &self.store.was().await?.reference, secrets))
            })
            .await
    }

    /// The part with that name.
    pub fn part(&self, id: PartId) -> Result<Part> {
        Ok(catalogue::part(&self.profile, id)?)
    }

    /// A part's objects, ready to be applied.
    pub async fn objects(&self, part: &Part) -> Result<Vec<Value>> {
        let Some(pin) = part.file() else { return Ok(render::render(part, self.decided().await?)?) };
        if let Some(known) = self.definitions.lock().await.get(&part.id) {
            return Ok(known.clone());
        }
        let (bytes, part) = (self.store.file(pin).await?, part.clone());
        // parsing takes long enough to delay the other steps
        let (id, read) = (part.id, spawn_blocking(move || render::definitions(&part, &String::from_utf8_lossy(&bytes))));
        let objects = read.await.map_err(|_| SessionError::Interrupted)??;
        self.definitions.lock().await.insert(id, objects.clone());
        Ok(objects)
    }

    /// The owner of a component's objects.
    pub fn owner(&self, component: &'static str) -> Owner {
        Owner { profile: self.profile.name.clone(), component }
    }
}

/// Refuses a machine that would leave under one name and stay under another: releasing it would break the node that stays.
fn refuse_renamed(stay: &[NodeView], go: &[NodeView]) -> Result<()> {
    for gone in go {
        let Some(address) = gone.address else { continue };
        if let Some(kept) = stay.iter().find(|kept| kept.address == Some(address)) {
            return Err(SessionError::Renamed { was: gone.name.clone(), now: kept.name.clone(), address }.into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Role;

    #[test]
    fn a_machine_does_not_leave_under_one_name_while_it_stays_under_another() {
        let view = |name: &str, last: u8| NodeView {
            name: name.to_owned(),
            role: Role::Worker,
            running: true,
            away: false,
            status: String::new(),
            problem: String::new(),
            address: Some([10, 0, 0, last].into()),
            api: None,
        };
        assert!(refuse_renamed(&[view("a", 1)], &[view("b", 2)]).is_ok());
        let refused = refuse_renamed(&[view("a", 1), view("cp1", 2)], &[view("h1", 2)]).expect_err("one machine");
        assert!(refused.to_string().contains("`h1` is called `cp1`"), "{refused}");
    }
}
