//! Which cluster a verb is about, why that one, and what it takes to work on it.
//!
//! All verbs look in the same order: `-f`, `--name`, `./hearth.yaml`, the one cluster that is up. A verb that brings a cluster
//! to what a profile says ([`wanted`]) reads the profile's file where there is one; a verb that takes a cluster as it is
//! ([`existing`]) uses what the last `up` kept where only a name is given.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::{BundleArgs, ProfileArgs};
use super::{UsageError, members};
use crate::artifact::{Bundle, Store};
use crate::error::Result;
use crate::journal::Journal;
use crate::journal::steps::StepEntry;
use crate::profile::{self, Kept, Profile, Source};
use crate::provider::{AnyProvider, NodeView, Provider};
use crate::state::State;
use crate::steps::Session;

/// The profile looked for when none is named.
pub const DEFAULT_FILE: &str = "hearth.yaml";

/// A cluster, and what pointed to it.
#[derive(Debug)]
pub struct Target {
    /// Its profile.
    pub profile: Profile,
    /// Which argument or file pointed to it.
    pub why: Why,
}

/// What pointed to a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// `-f`, with its files.
    Files(Vec<String>),
    /// `--name`.
    Named,
    /// `hearth.yaml` in the working directory.
    Here,
    /// Nothing: it is the only cluster.
    Only,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Files(files) => write!(f, "by -f {}", files.join(" -f ")),
            Why::Named => f.write_str("by --name"),
            Why::Here => write!(f, "by ./{DEFAULT_FILE}"),
            Why::Only => f.write_str("the only cluster that is up"),
        }
    }
}

/// The cluster for a verb that brings it to what a profile says, or shows how it would.
pub fn wanted(args: &ProfileArgs) -> Result<Target> {
    if let Some(target) = from_files(args)? {
        return Ok(target);
    }
    if here() {
        return Ok(Target { profile: from_here(args)?, why: if args.name.is_some() { Why::Named } else { Why::Here } });
    }
    match &args.name {
        Some(name) => {
            let profile = Profile::kept(&State::of(name)?.profile())?.ok_or(UsageError::NoProfile)?;
            without_set(args, Target { profile, why: Why::Named })
        }
        None => only(args),
    }
}

/// The cluster for a verb that takes it as it is.
pub fn existing(args: &ProfileArgs) -> Result<Target> {
    if let Some(target) = from_files(args)? {
        return Ok(target);
    }
    match &args.name {
        Some(name) => {
            let state = State::of(name)?;
            if let Some(profile) = Profile::kept(&state.profile())? {
                return without_set(args, Target { profile, why: Why::Named });
            }
            if here() {
                let profile = from_here(&ProfileArgs { name: None, ..args.clone() })?;
                if profile.name == *name {
                    return Ok(Target { profile, why: Why::Named });
                }
            }
            without_set(args, Target { profile: unknown(&state)?, why: Why::Named })
        }
        None if here() => Ok(Target { profile: from_here(args)?, why: Why::Here }),
        None => only(args),
    }
}

/// Whether the arguments or the working directory point to a cluster.
pub fn is_named(args: &ProfileArgs) -> bool {
    !args.file.is_empty() || args.name.is_some() || here()
}

fn here() -> bool {
    Path::new(DEFAULT_FILE).exists()
}

fn from_files(args: &ProfileArgs) -> Result<Option<Target>> {
    if args.file.is_empty() {
        return Ok(None);
    }
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
    Ok(Some(Target { profile: load(&sources, args)?, why: Why::Files(args.file.clone()) }))
}

fn from_here(args: &ProfileArgs) -> Result<Profile> {
    load(&[Source::File(PathBuf::from(DEFAULT_FILE))], args)
}

fn load(sources: &[Source], args: &ProfileArgs) -> Result<Profile> {
    let mut overrides = args.set.clone();
    overrides.extend(args.name.iter().map(|name| named(name)));
    profile::load(sources, &overrides)
}

/// The override that renames a profile, however odd the name.
fn named(name: &str) -> String {
    format!("metadata.name={}", serde_json::Value::from(name))
}

fn only(args: &ProfileArgs) -> Result<Target> {
    let mut up = Vec::new();
    for name in State::names()? {
        let state = State::of(&name)?;
        if state.profile().exists() {
            up.push(state);
        }
    }
    match up.as_slice() {
        [] => Err(UsageError::NoProfile.into()),
        [state] => {
            let profile = Profile::kept(&state.profile())?.ok_or(UsageError::NoProfile)?;
            without_set(args, Target { profile, why: Why::Only })
        }
        several => {
            let names = several.iter().map(State::name).collect::<Vec<_>>().join(", ");
            Err(UsageError::Several { names }.into())
        }
    }
}

/// Refuses `--set` where no profile file is read, since it would have no effect.
fn without_set(args: &ProfileArgs, target: Target) -> Result<Target> {
    match args.set.first() {
        Some(set) => Err(UsageError::SetWithoutFile { set: set.clone(), name: target.profile.name }.into()),
        None => Ok(target),
    }
}

/// A cluster about which nothing is kept: its containers carry its name, so it can still be looked at and removed.
fn unknown(state: &State) -> Result<Profile> {
    if !Journal::<StepEntry>::read(&state.journal())?.is_empty() {
        return Err(UsageError::ProfileLost { name: state.name().to_owned(), state: state.root().to_owned() }.into());
    }
    Ok(Profile::of_name(state.name())?)
}

/// The nodes of a cluster that has to be there.
///
/// # Errors
/// [`UsageError::NoCluster`] if there are none.
pub async fn nodes(session: &Session) -> Result<Vec<NodeView>> {
    let existing = session.provider.existing().await?;
    match existing.is_empty() {
        true => Err(UsageError::NoCluster { name: session.profile.name.clone() }.into()),
        false => Ok(existing),
    }
}

/// Waits for `work` on a cluster. If it fails because there is no such cluster, that is the error, and not what was missed first.
pub async fn on<T>(session: &Session, work: impl Future<Output = Result<T>>) -> Result<T> {
    match work.await {
        Ok(done) => Ok(done),
        Err(error) => {
            nodes(session).await?;
            Err(error)
        }
    }
}

/// Everything a run on this profile shares.
pub fn session(profile: Profile, bundle: Option<&BundleArgs>, merge_into: Option<PathBuf>) -> Result<Arc<Session>> {
    let state = State::of(&profile.name)?;
    let kept = Kept::read(&state.profile())?;
    // nodes of the other provider would be taken for absent
    if let Some(kept) = &kept
        && kept.profile.provider.name() != profile.provider.name()
    {
        let (has, wants) = (kept.profile.provider.name(), profile.provider.name());
        return Err(UsageError::OtherProvider { name: profile.name, has, wants }.into());
    }
    let former = kept.map(|kept| kept.hosts()).unwrap_or_default();
    members::refuse_moved(&profile, &former)?;
    let provider = AnyProvider::of(&profile, &former, state.known_hosts())?;
    // an empty HEARTH_BUNDLE means none
    let named = bundle.and_then(|args| args.bundle.as_ref()).filter(|path| !path.as_os_str().is_empty());
    let bundle = named.map(Bundle::open).transpose()?;
    Ok(Arc::new(Session::new(profile, provider, Store::new(bundle), state, merge_into)))
}
