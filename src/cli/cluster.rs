//! Which cluster a verb is about, and what it takes to work on it.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use super::UsageError;
use super::args::{BundleArgs, ProfileArgs};
use crate::artifact::Bundle;
use crate::error::Result;
use crate::profile::{self, Profile, Provider, Source, SshHosts};
use crate::provider::AnyProvider;
use crate::provider::docker::DockerProvider;
use crate::provider::ssh::SshProvider;
use crate::state::State;
use crate::steps::Session;

/// The profile looked for when none is named.
const DEFAULT_FILE: &str = "hearth.yaml";

/// The profile that the arguments name, read from files.
pub fn load(args: &ProfileArgs) -> Result<Profile> {
    let mut sources = Vec::new();
    for file in &args.file {
        sources.push(match file.as_str() {
            "-" => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).map_err(UsageError::Stdin)?;
                Source::Stdin(text)
            }
            path => Source::File(PathBuf::from(path)),
        });
    }
    if sources.is_empty() {
        if !PathBuf::from(DEFAULT_FILE).exists() {
            return Err(UsageError::NoProfile.into());
        }
        sources.push(Source::File(PathBuf::from(DEFAULT_FILE)));
    }
    let name = args.name.iter().map(|name| format!("metadata.name=\"{name}\""));
    let overrides: Vec<String> = args.set.iter().cloned().chain(name).collect();
    profile::load(&sources, &overrides)
}

/// The profile of an existing cluster: from files where named, else as its last `up` kept it.
pub fn existing(args: &ProfileArgs) -> Result<Profile> {
    if !args.file.is_empty() {
        return load(args);
    }
    let names = State::names()?;
    let name = match (&args.name, names.as_slice()) {
        (Some(name), _) => name.clone(),
        (None, [only]) => only.clone(),
        (None, []) => return load(args),
        (None, several) => return Err(UsageError::Several { names: several.join(", ") }.into()),
    };
    let kept = std::fs::read(kept_profile(&State::of(&name)?)).ok();
    match kept.and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
        Some(profile) => Ok(profile),
        // a cluster whose state is lost can still be looked at and removed: its containers carry its name
        None => profile::load(
            &[Source::Stdin(
                "{apiVersion: hearth.dev/v1alpha1, kind: ClusterProfile, metadata: {}, spec: {provider: {docker: {}}}}".into(),
            )],
            &[format!("metadata.name=\"{name}\"")],
        ),
    }
}

/// Keeps the profile for verbs that are later used without naming it.
pub fn keep(state: &State, profile: &Profile) -> std::io::Result<()> {
    std::fs::write(kept_profile(state), serde_json::to_vec_pretty(profile).unwrap_or_default())
}

fn kept_profile(state: &State) -> PathBuf {
    state.root().join("profile.json")
}

/// The profile's hosts, and those that the last `up` had and this one no longer asks for: they are to leave.
fn with_former(hosts: &SshHosts, state: &State) -> SshHosts {
    let mut all = hosts.clone();
    let kept = std::fs::read(kept_profile(state)).ok().and_then(|bytes| serde_json::from_slice::<Profile>(&bytes).ok());
    if let Some(Provider::Ssh(former)) = kept.map(|profile| profile.provider) {
        let known: Vec<String> = hosts.hosts.iter().map(|host| host.name.clone()).collect();
        all.hosts.extend(former.hosts.into_iter().filter(|host| !known.contains(&host.name)));
    }
    all
}

/// Everything a run on this profile shares.
pub fn session(profile: Profile, bundle: Option<&BundleArgs>, merge_into: Option<PathBuf>) -> Result<Arc<Session>> {
    let state = State::of(&profile.name)?;
    let provider = match &profile.provider {
        Provider::Docker(nodes) => AnyProvider::Docker(DockerProvider::new(&profile.name, nodes)?),
        Provider::Ssh(hosts) => {
            let hosts = with_former(hosts, &state);
            AnyProvider::Ssh(SshProvider::new(&hosts, state.root().join("known_hosts")))
        }
    };
    // an empty HEARTH_BUNDLE means none
    let named = bundle.and_then(|args| args.bundle.as_ref()).filter(|path| !path.as_os_str().is_empty());
    let bundle = named.map(Bundle::open).transpose()?;
    Ok(Arc::new(Session::new(profile, provider, bundle, state, merge_into)))
}
