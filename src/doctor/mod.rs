//! A look at the machines before anything is changed: `hearth up` refuses on errors, all of them at once, and
//! `hearth doctor` prints everything.
//!
//! In: a profile and its provider. Out: findings, each with its evidence and what to do about it. Facts are gathered once,
//! every check is a function from facts to findings, and nothing is touched.

mod engine;
mod facts;
mod finding;
mod leftover;
mod local;
mod machines;
mod needs;
#[cfg(test)]
mod tests;

use std::path::Path;

pub use finding::{Finding, Findings, PreflightError, Severity};

use crate::error::Result;
use crate::profile::{DockerNodes, Profile, Provider, Role, SshHosts};
use crate::provider::AnyProvider;
use crate::provider::machine::Looks;
use facts::Facts;
use needs::Needs;

/// Number of workers assumed for limits if there is no profile.
const USUAL_WORKERS: u32 = 2;

/// A profile whose nodes are containers.
type OnEngine<'a> = Option<(&'a Profile, &'a DockerNodes)>;

/// Checks whether the profile can be brought up; changes nothing. Returns warnings and infos. `missing` are images and files
/// that cannot be obtained, `merge_into` is the user's kubeconfig into which entries will be merged.
///
/// # Errors
/// [`PreflightError`] with all findings, if an error is among them.
pub async fn preflight(
    profile: &Profile,
    provider: &AnyProvider,
    missing: &[String],
    merge_into: Option<&Path>,
) -> Result<Findings> {
    Ok(Findings::new(look(profile, provider, missing, merge_into, Leftovers::Left).await).into_result()?)
}

/// Looks for trouble and for what earlier runs left behind; with a profile, also checks whether it fits. Never fails: what
/// cannot be looked at is a finding.
pub async fn examine(asked: Option<(&Profile, &AnyProvider)>) -> Findings {
    Findings::new(match asked {
        Some((profile, provider)) => look(profile, provider, &[], None, Leftovers::Found).await,
        None => on_engine(None, &[], None, Leftovers::Found).await,
    })
}

/// Whether to look for what earlier runs left behind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leftovers {
    /// No: it is in nobody's way.
    Left,
    /// Yes.
    Found,
}

async fn look(
    profile: &Profile,
    provider: &AnyProvider,
    missing: &[String],
    merge_into: Option<&Path>,
    leftovers: Leftovers,
) -> Vec<Finding> {
    match &profile.provider {
        Provider::Docker(nodes) => on_engine(Some((profile, nodes)), missing, merge_into, leftovers).await,
        Provider::Ssh(hosts) => {
            let looks = match provider.machines() {
                Ok(machines) => machines.look().await,
                Err(error) => (Vec::new(), vec![(profile.name.clone(), error.into())]),
            };
            on_machines(profile, hosts, &looks, missing, merge_into)
        }
    }
}

/// What is wrong with hosts, as far as they answered, and with this machine.
fn on_machines(
    profile: &Profile,
    hosts: &SshHosts,
    (facts, unreached): &Looks,
    missing: &[String],
    merge_into: Option<&Path>,
) -> Vec<Finding> {
    let role = |name: &str| hosts.hosts.iter().find(|host| host.name == name).map_or(Role::Worker, |host| host.role);
    let mut findings: Vec<Finding> = unreached.iter().map(|(host, error)| machines::unreached(host, role(host), error)).collect();
    findings.extend(machines::all(facts, profile, hosts));
    let first = profile.nodes().first_control_plane().name.clone();
    let network = facts.iter().find(|facts| facts.node == first).and_then(|facts| facts.network());
    findings.extend(engine::pool_on_hosts(profile, network));
    findings.extend(local::unwritable(&facts::Host::of_places(&profile.name, merge_into)));
    findings.extend(engine::missing(missing));
    findings
}

/// What is wrong with the engine and this machine, and what is left on both.
async fn on_engine(asked: OnEngine<'_>, missing: &[String], merge_into: Option<&Path>, leftovers: Leftovers) -> Vec<Finding> {
    let facts = Facts::gather(asked, merge_into).await;
    let mut findings = found(&facts, asked, missing);
    if let (Ok(engine), Leftovers::Found) = (&facts.engine, leftovers) {
        findings.extend(leftover::all(&facts.host, engine, asked.map(|(profile, _)| profile.name.as_str())));
    }
    findings
}

/// Everything except leftovers, in the order of the exit codes that errors would lead to if there are several: the engine, the
/// machine, the images.
fn found(facts: &Facts, docker: OnEngine<'_>, missing: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    match &facts.engine {
        Err(error) => findings.push(engine::unreachable(error)),
        Ok(engine) => {
            findings.extend(engine::unsupported(engine));
            findings.extend(engine::elsewhere(facts, engine, docker));
            if facts.engine_is_here() {
                findings.extend(local::route_taken(&facts.host, engine));
            }
            if let Some((profile, docker)) = docker {
                let needs = Needs::of(profile, &engine.containers);
                findings.extend(engine::name_taken(&profile.name, engine));
                findings.extend(engine::port_taken(facts, engine, docker));
                findings.extend(engine::pool(profile, engine));
                findings.extend(local::memory(facts, engine, needs));
                findings.extend(local::disk(engine, needs));
            }
        }
    }
    if facts.engine_is_here() {
        findings.extend(local::inotify(&facts.host, docker.map_or(USUAL_WORKERS, |(_, docker)| docker.workers)));
        findings.extend(local::overlay(&facts.host));
    }
    findings.extend(local::unwritable(&facts.host));
    findings.extend(engine::missing(missing));
    findings.extend(local::adapted(facts, facts.engine.as_ref().ok()));
    findings
}
