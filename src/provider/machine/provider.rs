//! Machines over SSH as a [`Provider`].

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::{join_all, try_join_all};
use ipnet::Ipv4Net;
use tokio::sync::{Mutex, OnceCell};

use super::claim::{keep_pool, pool};
use super::facts::{self, Facts};
use super::programs::Program;
use super::{Leases, MachineError, clean, images, lacking, lease, neighbours};
use crate::artifact::{Store, download, pins, programs, store::answers};
use crate::decision::{Choice, Decision};
use crate::error::{BoxError, Result, chain};
use crate::profile::{AddressRange, Host, NodeSpec, Nodes, Profile, Role, SshHosts};
use crate::progress::Progress;
use crate::provider::ssh::{SshNode, SshProvider};
use crate::provider::{Choose, Fixed, Holder, Holdings, Machine, Network, Node, NodeView, Provider, Quirks};

/// The machines of one cluster.
#[derive(Clone)]
pub struct Machines {
    profile: Profile,
    nodes: Nodes,
    /// The hosts of the profile, then those that it no longer names.
    all: Vec<Host>,
    hosts: SshProvider,
    facts: Arc<OnceCell<Vec<Facts>>>,
    /// Addresses that others have on the hosts' network.
    others: Arc<OnceCell<Vec<Ipv4Addr>>>,
    /// What clean-ups left on purpose.
    kept: Arc<Mutex<Vec<String>>>,
}

/// The port on which API servers listen.
const API_PORT: u16 = 6443;

/// Facts about hosts, and the names of those that could not be asked, with the reason.
pub type Looks = (Vec<Facts>, Vec<(String, BoxError)>);

impl Machines {
    /// The hosts of a profile, and those of `former` that it no longer names: they are to leave. Does not connect yet;
    /// `known_hosts` is where `hostKeys: tofu` keeps keys.
    pub fn new(profile: &Profile, hosts: &SshHosts, former: &[Host], known_hosts: PathBuf) -> Self {
        let nodes = profile.nodes();
        let all = SshHosts { hosts: [hosts.hosts.clone(), hosts.leaving(former)].concat(), ..hosts.clone() };
        Machines {
            profile: profile.clone(),
            hosts: SshProvider::new(&all, known_hosts),
            all: all.hosts,
            facts: Arc::default(),
            others: Arc::default(),
            kept: Arc::default(),
            nodes,
        }
    }

    /// Gathers facts about all hosts; one that cannot be reached does not keep others from being looked at.
    pub async fn look(&self) -> Looks {
        let (mut nodes, mut unreached) = (Vec::new(), Vec::new());
        let names = self.nodes.names();
        for (found, name) in join_all(names.iter().map(|name| self.hosts.node(name))).await.into_iter().zip(&names) {
            match found {
                Ok(node) => nodes.push(node),
                Err(error) => unreached.push((name.clone(), error.into())),
            }
        }
        let mut facts = Vec::new();
        let looks = join_all(nodes.iter().map(|node| facts::gather(node, &self.profile))).await;
        for (found, node) in looks.into_iter().zip(&nodes) {
            match found {
                Ok(found) => facts.push(found),
                Err(error) => unreached.push((node.name().to_owned(), error.into())),
            }
        }
        let control_plane = &self.nodes.first_control_plane().name;
        if let Some(facts) = facts.iter_mut().find(|facts| facts.node == *control_plane) {
            match self.others_in_pool(facts.pool).await {
                Ok(others) => facts.others_in_pool = others,
                Err(error) => unreached.push((facts.node.clone(), error)),
            }
        }
        if unreached.is_empty() {
            // an earlier look found the same
            let _looked = self.facts.set(facts.clone());
        }
        (facts, unreached)
    }

    /// Facts about the hosts, in the profile's order; gathered once.
    pub async fn facts(&self) -> Result<&[Facts]> {
        let facts = self.facts.get_or_try_init(|| async {
            let nodes = self.nodes(self.nodes.as_slice()).await?;
            Ok::<_, BoxError>(try_join_all(nodes.iter().map(|node| facts::gather(node, &self.profile))).await?)
        });
        facts.await.map(Vec::as_slice)
    }

    /// Facts about one host.
    pub async fn facts_of(&self, node: &str) -> Result<Facts> {
        Ok(self.facts().await?.iter().find(|facts| facts.node == node).cloned().unwrap_or_default())
    }

    /// The pool that the profile gives, if it does.
    fn given_pool(&self) -> Option<AddressRange> {
        self.profile.components.metallb.as_ref()?.pool.given()
    }

    /// Addresses of the profile's pool that others have; `own` is the pool that the cluster has already.
    async fn others_in_pool(&self, own: Option<AddressRange>) -> Result<Vec<Ipv4Addr>> {
        let Some(given) = self.given_pool().filter(|given| Some(*given) != own) else { return Ok(Vec::new()) };
        Ok(neighbours::within(&self.control_plane().await?, given, own).await?)
    }

    /// The control plane; an error if it cannot be reached.
    async fn control_plane(&self) -> Result<SshNode> {
        self.node(&self.nodes.first_control_plane().name).await
    }

    async fn view(&self, name: String, role: Role) -> Option<NodeView> {
        let view = |running, status: String, address: Option<Ipv4Addr>| {
            let api = address.filter(|_| role == Role::ControlPlane).map(|address| SocketAddrV4::new(address, API_PORT));
            let (name, away) = (name.clone(), address.is_none());
            Some(NodeView { name, role, running, away, problem: status.clone(), status, address, api })
        };
        let node = match self.hosts.look(&name).await {
            Ok(node) => node,
            Err(error) => return view(false, format!("cannot be reached: {}", chain(&error)), None),
        };
        match super::cluster(&node).await {
            Ok(Some(mark)) if mark == self.profile.name => view(true, String::new(), Some(node.address())),
            Ok(_) => None,
            Err(error) => view(false, chain(&error), Some(node.address())),
        }
    }
}

/// The first control plane's address. In a valid profile, it is one of the hosts.
fn control_plane(profile: &Profile, hosts: &SshHosts) -> SocketAddrV4 {
    let nodes = profile.nodes();
    let first = hosts.hosts.iter().find(|host| host.name == nodes.first_control_plane().name);
    SocketAddrV4::new(first.map_or(Ipv4Addr::UNSPECIFIED, |host| host.address), API_PORT)
}

/// An address: nothing is certain to resolve hosts' names.
pub fn endpoint(profile: &Profile, hosts: &SshHosts) -> Choice<String> {
    Choice::new(control_plane(profile, hosts).to_string(), "the control plane's own address")
}

/// This machine is on the hosts' network too.
pub fn api_server(profile: &Profile, hosts: &SshHosts) -> Decision<SocketAddrV4> {
    Decision::made(control_plane(profile, hosts), "the control plane's own address")
}

impl Provider for Machines {
    type Node = SshNode;

    async fn reachable(&self) -> Result<()> {
        self.nodes(self.nodes.as_slice()).await.map(drop)
    }

    /// A machine that cannot be reached may well belong to the cluster: it is listed, as not running.
    async fn existing(&self) -> Result<Vec<NodeView>> {
        let looks = self.hosts.wanted().into_iter().map(|(name, role)| self.view(name, role));
        Ok(join_all(looks).await.into_iter().flatten().collect())
    }

    async fn node(&self, name: &str) -> Result<SshNode> {
        Ok(self.hosts.node(name).await?)
    }

    async fn running(&self, name: &str) -> Result<Option<SshNode>> {
        if self.hosts.wanted().iter().all(|(known, _)| known != name) {
            return Ok(None);
        }
        let node = self.node(name).await?;
        let mark = super::cluster(&node).await?;
        Ok(mark.is_some_and(|mark| mark == self.profile.name).then_some(node))
    }

    async fn nodes(&self, wanted: &[NodeSpec]) -> Result<Vec<SshNode>> {
        Ok(self.hosts.nodes(wanted.iter().map(|node| node.name.as_str())).await?)
    }

    fn hosts(&self) -> Vec<Host> {
        self.all.clone()
    }

    async fn leaving(&self) -> Vec<Host> {
        let leaving = self.all.iter().filter(|host| !self.nodes.contains(&host.name));
        let looks = leaving.map(|host| async { self.view(host.name.clone(), host.role).await.map(|_| host.clone()) });
        join_all(looks).await.into_iter().flatten().collect()
    }

    async fn machine(&self, node: &str) -> Result<Machine> {
        let facts = self.facts_of(node).await?;
        Ok(Machine {
            cpus: facts.cpus,
            memory: facts.memory,
            provider_id: format!("hearth://ssh/{}/{node}", self.profile.name),
            quirks: Quirks {
                cgroup_v1: facts.cgroup_v1,
                in_container: false,
                name: (facts.hostname != node).then(|| node.to_owned()),
                resolver: Some(facts.resolver).filter(|path| !path.is_empty()),
                nameserver: facts.gateway.filter(|_| facts.nameservers.iter().all(Ipv4Addr::is_loopback)),
            },
        })
    }

    async fn fixed(&self, _: &str) -> Result<Vec<Fixed>> {
        Ok(Vec::new())
    }

    /// The hosts' network, with the addresses that hosts or others have there. A pool is not chosen before it is asked who
    /// answers; once there is one, the cluster itself answers.
    async fn network(&self) -> Result<Option<Network>> {
        let facts = self.facts().await?;
        let Some(subnet) = facts.first().and_then(Facts::network) else { return Ok(None) };
        let mut used: Vec<Ipv4Addr> = facts.iter().flat_map(|facts| facts.addresses.iter().map(Ipv4Net::addr)).collect();
        used.extend(facts.iter().filter_map(|facts| facts.gateway));
        let control_plane = self.control_plane().await?;
        let own = pool(&control_plane).await?;
        let chosen = own.is_none() && self.profile.components.metallb.is_some() && self.given_pool().is_none();
        let asked = chosen.then(|| neighbours::last(subnet));
        used.extend(self.others.get_or_try_init(|| neighbours::of(&control_plane, asked)).await?);
        Ok(Some(Network { subnet, used, taken: Vec::new(), own }))
    }

    async fn has_pool(&self, given: Option<AddressRange>) -> Result<bool> {
        let recorded = pool(&self.control_plane().await?).await?;
        Ok(recorded.is_some_and(|pool| given.is_none_or(|given| given == pool)))
    }

    async fn reserve_pool(&self, choose: &Choose<'_>) -> Result<AddressRange> {
        let network = self
            .network()
            .await?
            .ok_or_else(|| MachineError::NoNetwork { host: self.nodes.first_control_plane().name.clone() })?;
        let pool = choose(&network)?;
        keep_pool(&self.control_plane().await?, pool).await?;
        Ok(pool)
    }

    async fn node_image(&self, _: &[String]) -> Result<Option<Decision<String>>> {
        Ok(None)
    }

    async fn to_fetch(&self, _: &[String]) -> Result<Option<Vec<String>>> {
        Ok(None)
    }

    async fn nowhere(&self, images: &[String], store: &Store) -> Result<Vec<String>> {
        let (version, nodes) = (&self.profile.kubernetes.version, self.nodes(self.nodes.as_slice()).await?);
        let mut needed: Vec<Program> = Vec::new();
        for program in try_join_all(nodes.iter().map(|node| lacking::programs(node, version))).await?.into_iter().flatten() {
            if !needed.contains(&program) && store.program_at_hand(program.name, version).is_none() {
                needed.push(program);
            }
        }
        let programs = join_all(needed.iter().map(|program| async {
            let url = programs::release(program.name, version).url;
            let answers = answers(&download::server(&url)).await;
            (!answers).then(|| format!("program {} ({})", program.name, download::address(&url)))
        }));
        let pulls = nodes.iter().map(|node| async {
            let all = [images, &pins::kubernetes_images(version, node.role())].concat();
            let pulled: Vec<String> = all.into_iter().filter(|image| store.bundled(image).is_none()).collect();
            if pulled.is_empty() { Ok(Vec::new()) } else { lacking::images(node, &pulled).await }
        });
        let (programs, images) = tokio::join!(programs, try_join_all(pulls));
        Ok(programs.into_iter().flatten().chain(images?.into_iter().flatten()).collect())
    }

    async fn load_image(&self, reference: &str, nodes: &[SshNode], store: &Store, progress: &Progress) -> Result<()> {
        let image = [reference.to_owned()];
        try_join_all(nodes.iter().map(|node| images::copy(node, &image, store, progress))).await.map(drop)
    }

    /// The leases of every host that is worked on, also of one that is to leave. Hosts that are away do not keep others from
    /// being worked on, and are not worked on themselves.
    async fn take_leases(&self, desk: &str, who: &str) -> Result<Leases> {
        Leases::take(self.hosts.there().await, desk, who).await
    }

    async fn leases(&self) -> Result<Vec<(SshNode, Holder)>> {
        let nodes = self.nodes(self.nodes.as_slice()).await?;
        let looks = nodes.into_iter().map(|node| async {
            let holder = lease::holder(&node).await?;
            Ok::<_, BoxError>(holder.map(|holder| (node, holder)))
        });
        Ok(try_join_all(looks).await?.into_iter().flatten().collect())
    }

    async fn end_lease(&self, node: &SshNode) -> Result<()> {
        Ok(lease::release(node, None).await?)
    }

    async fn terminal(&self, node: &str, command: Option<Vec<String>>) -> Result<i32> {
        Ok(self.hosts.node(node).await?.interactive(command).await?)
    }

    async fn release(&self, node: &str) -> Result<()> {
        let (host, subnet) = (self.node(node).await?, self.profile.kubernetes.pod_subnet);
        let cleaned = clean::clean(&host, &self.profile.name, subnet, &self.hosts.addresses()).await?;
        self.kept.lock().await.extend(cleaned.kept.into_iter().map(|note| format!("{node}: {note}")));
        match cleaned.left {
            left if left.is_empty() => Ok(()),
            left => Err(MachineError::Left { host: node.to_owned(), left: left.join("\n  ") }.into()),
        }
    }

    async fn kept(&self) -> Vec<String> {
        self.kept.lock().await.clone()
    }

    async fn holdings(&self) -> Result<Holdings> {
        Ok(Holdings::default())
    }

    /// Each host was checked when it was released.
    async fn leftovers(&self, _: &Holdings) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::profile::{self, Source, load};

    /// Without a lease another run may work on the host at the same time.
    #[tokio::test]
    async fn a_host_that_comes_back_during_a_run_without_a_lease_on_it_is_left_alone() {
        let mut profile = load(&[Source::File("profiles/homelab.yaml".into())], &[]).expect("valid");
        let profile::Provider::Ssh(hosts) = &mut profile.provider else { panic!("homelab is of hosts") };
        let free = || TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
        hosts.port = free().port();
        hosts.hosts.iter_mut().for_each(|host| host.address = Ipv4Addr::LOCALHOST);
        let (hosts, scratch) = (hosts.clone(), tempfile::tempdir().expect("scratch"));
        let machines = Machines::new(&profile, &hosts, &[], scratch.path().join("known_hosts"));
        let leases = machines.take_leases("ann@desk", "a run").await.expect("nobody is there to refuse");
        let back = TcpListener::bind(("127.0.0.1", hosts.port)).expect("the port is free again");
        back.set_nonblocking(true).expect("a socket");
        let existing = machines.existing().await.expect("a look");
        assert!(
            existing.len() == 3 && existing.iter().all(|node| node.away && node.problem.contains("no lease")),
            "{existing:?}"
        );
        assert!(machines.release("n1").await.is_err());
        assert!(back.accept().is_err(), "nobody contacted it");
        leases.release().await;
    }
}
