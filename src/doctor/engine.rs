//! The Docker engine, and whether it can run this cluster.

use ipnet::Ipv4Net;

use super::facts::{Engine, Facts};
use super::finding::Finding;
use crate::components::address_pool;
use crate::error::{Explain, Family, chain};
use crate::profile::{DockerNodes, Profile};
use crate::provider::docker::{DockerError, Unreachable};

/// The engine does not answer.
pub(super) fn unreachable(error: &DockerError) -> Finding {
    let hint = error.hint().unwrap_or_else(|| "look at the engine's log: journalctl -u docker".to_owned());
    let finding = match error {
        DockerError::Absent { source: Unreachable::Address(_), .. } => {
            Finding::error("engine-address", "DOCKER_HOST names a kind of connection that Hearth does not support")
                .fix("set DOCKER_HOST to a unix:// or tcp:// address")
        }
        DockerError::Absent { source: Unreachable::Forbidden(_), .. } => {
            Finding::error("engine-not-permitted", "You may not use the Docker engine")
                .fix("run `sudo usermod -aG docker $USER`, then log out and in again")
        }
        DockerError::Absent { .. } => Finding::error("engine-absent", "No Docker engine answers")
            .fix("install Docker, start it (sudo systemctl start docker), or point DOCKER_HOST at an engine"),
        DockerError::WantsTls { .. } => Finding::error("engine-tls", "The Docker engine is to be spoken to by TLS").fix(hint),
        DockerError::TooOld { .. } => Finding::error("engine-too-old", "The Docker engine is too old").fix(hint),
        DockerError::NoSubnet => Finding::error("network-without-ipv4", "Docker network `kind` has no IPv4 addresses")
            .fix("`docker network rm kind` once nothing uses it: Hearth makes it anew"),
        _ => Finding::error("engine-failed", "The Docker engine answers with errors").fix(hint),
    };
    finding.family(error.family()).evidence(chain(error))
}

/// Engines whose containers cannot be nodes.
pub(super) fn unsupported(engine: &Engine) -> Option<Finding> {
    if engine.info.rootless {
        let finding = Finding::error("engine-rootless", "A rootless Docker engine is not supported yet");
        let fix = "point DOCKER_HOST at the system's engine: unix:///var/run/docker.sock";
        return Some(finding.family(Family::Docker).evidence("its security options have name=rootless").fix(fix));
    }
    let finding = engine.info.remapped.then(|| Finding::error("engine-userns", "The engine maps containers' users to others"));
    Some(
        finding?
            .family(Family::Docker)
            .evidence("its security options have name=userns: it refuses the privileged containers that nodes are")
            .fix("remove userns-remap from /etc/docker/daemon.json and restart Docker"),
    )
}

/// The engine runs somewhere else: ports on its loopback and addresses on its bridge are not reachable from here. With an API
/// port set in the profile there may be a tunnel, and a local socket of a virtual machine forwards published ports. If the
/// profile has workloads, `up` would wait for their answer at the gateway's address in vain.
pub(super) fn elsewhere(facts: &Facts, engine: &Engine, asked: Option<(&Profile, &DockerNodes)>) -> Option<Finding> {
    if facts.engine_is_here() {
        return None;
    }
    let far = !facts.engine_is_near();
    let hopeless =
        asked.is_some_and(|(profile, docker)| profile.components.workloads.is_some() || (far && docker.api_port.is_none()));
    let title = match far {
        true => "The engine is on another machine: its API server and gateway address are not reachable from here",
        false => "The engine is in a virtual machine or on another host: the gateway's address is not reachable from here",
    };
    let evidence = format!("engine at {} on `{}`, this is `{}`", facts.address, engine.info.host, facts.host.name);
    Some(Finding::graded(hopeless, "engine-elsewhere", title).evidence(evidence).fix("run hearth on the engine's machine"))
}

/// The cluster's name is taken by a cluster that is not Hearth's.
pub(super) fn name_taken(cluster: &str, engine: &Engine) -> Option<Finding> {
    let foreign: Vec<&str> = engine.containers.iter().filter(|c| !c.ours).map(|c| c.name.as_str()).collect();
    if foreign.is_empty() {
        return None;
    }
    let error = DockerError::Foreign { cluster: cluster.to_owned(), containers: foreign.join(", ") };
    let finding = Finding::error("name-taken", "The cluster's name is taken").family(error.family());
    Some(finding.evidence(error.to_string()).fix(error.hint().unwrap_or_default()))
}

/// Something else listens on the API server's port.
pub(super) fn port_taken(facts: &Facts, engine: &Engine, docker: &DockerNodes) -> Option<Finding> {
    let port = docker.api_port.filter(|_| facts.host.api_port_taken && facts.engine_is_here())?;
    if engine.containers.iter().any(|container| container.ours && container.api_port == Some(port)) {
        return None;
    }
    let finding = Finding::error("api-port-taken", "The API server's port is in use");
    let fix = format!(
        "set spec.provider.docker.apiPort to a free port, or leave it out; `ss -ltnp 'sport = :{port}'` shows what uses it"
    );
    Some(finding.evidence(format!("something listens on 127.0.0.1:{port}")).fix(fix))
}

/// The pool does not fit the network as it is now. If there is no network yet, there is nothing to check against.
pub(super) fn pool(profile: &Profile, engine: &Engine) -> Option<Finding> {
    let pool = profile.components.metallb.as_ref()?.pool;
    let view = &engine.network.as_ref()?.view;
    let error = address_pool::fits(pool, view.subnet, &view.used, &view.taken, view.own).err()?;
    let finding = Finding::error("address-pool", "The load balancer's addresses do not fit the network").family(error.family());
    Some(finding.evidence(error.to_string()).fix(error.hint().unwrap_or_default()))
}

/// The pool is not on the hosts' network, as far as that is known.
pub(super) fn pool_on_hosts(profile: &Profile, network: Option<Ipv4Net>) -> Option<Finding> {
    let range = profile.components.metallb.as_ref()?.pool.given()?;
    let network = network.filter(|network| !network.contains(&range.first) || !network.contains(&range.last))?;
    let error = address_pool::PoolError::Outside { range, network };
    let finding = Finding::error("address-pool", "The load balancer's addresses do not fit the network").family(error.family());
    Some(finding.evidence(error.to_string()).fix(error.hint().unwrap_or_default()))
}

/// Images and files that cannot be obtained.
pub(super) fn missing(artifacts: &[String]) -> Option<Finding> {
    let title = match artifacts.len() {
        0 => return None,
        1 => "An image or file is not available".to_owned(),
        count => format!("{count} images or files are not available"),
    };
    let finding = Finding::error("artifacts-missing", title).family(Family::Artifact).evidence(artifacts.join("\n"));
    Some(
        finding.fix(
            "name a directory that has them by --bundle DIR or HEARTH_BUNDLE, or let this machine reach where they come from",
        ),
    )
}
