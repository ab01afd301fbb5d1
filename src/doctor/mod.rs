//! A look at the machine before anything is changed: `hearth up` refuses on errors, all of them at once, and
//! `hearth doctor` prints everything. Facts are gathered once; every check is a function from them to findings.

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

use crate::error::{BoxError, Result};
use crate::profile::{Profile, Provider};
use crate::provider::machine::facts::Facts as Machine;
use facts::Facts;
use needs::Needs;

/// Workers that limits are held against when no profile says how many.
const USUAL_WORKERS: u32 = 2;

/// Looks whether the machine can take the profile; changes nothing. Gives warnings and infos. `missing` are
/// images and files that neither the engine nor a bundle has and that cannot be pulled, `merge_into` is a kubeconfig of the
/// user's that entries are going to be merged into.
///
/// # Errors
/// [`PreflightError`] with everything that was found, if an error is among it.
pub async fn preflight(profile: &Profile, missing: &[String], merge_into: Option<&Path>) -> Result<Findings> {
    let findings = found(&Facts::gather(Some(profile), merge_into).await, Some(profile), missing);
    Ok(Findings::new(findings).into_result()?)
}

/// Whether hosts can become the profile's cluster: `facts` are of those that could be asked, `unreached` names the others
/// with the reason.
pub async fn machines(
    profile: &Profile,
    facts: &[Machine],
    unreached: &[(String, BoxError)],
    missing: &[String],
    merge_into: Option<&Path>,
) -> Findings {
    let mut findings: Vec<Finding> = unreached.iter().map(|(host, error)| machines::unreached(host, error)).collect();
    if let Provider::Ssh(ssh) = &profile.provider {
        findings.extend(machines::all(facts, &profile.name, ssh));
    }
    findings.extend(local::unwritable(&facts::Host::of_places(&profile.name, merge_into)));
    findings.extend(engine::missing(missing));
    Findings::new(findings)
}

/// Looks for trouble and for what earlier runs left behind; with a profile, also whether it fits. Never fails:
/// what cannot be asked is a finding.
pub async fn examine(profile: Option<&Profile>) -> Findings {
    let facts = Facts::gather(profile, None).await;
    let mut findings = found(&facts, profile, &[]);
    if let Ok(engine) = &facts.engine {
        findings.extend(leftover::all(&facts.host, engine, profile.map(|profile| profile.name.as_str())));
    }
    Findings::new(findings)
}

/// Everything but leftovers, in the order of the exit codes that errors would lead to when several are found:
/// the engine, the machine, the images.
fn found(facts: &Facts, profile: Option<&Profile>, missing: &[String]) -> Vec<Finding> {
    let docker = profile.and_then(|profile| match &profile.provider {
        Provider::Docker(docker) => Some((profile, docker)),
        Provider::Ssh(_) => None,
    });
    let mut findings = Vec::new();
    match &facts.engine {
        Err(error) => findings.push(engine::unreachable(error)),
        Ok(engine) => {
            findings.extend(engine::unsupported(engine));
            findings.extend(engine::elsewhere(facts, engine, docker.map(|(_, docker)| docker)));
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
