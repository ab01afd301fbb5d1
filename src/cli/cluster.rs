//! Which cluster a verb is about, and what it takes to work on it.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use super::UsageError;
use super::args::{BundleArgs, ProfileArgs};
use crate::artifact::{Bundle, Store};
use crate::error::Result;
use crate::profile::{self, Profile, Source};
use crate::provider::AnyProvider;
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
    // a cluster whose state is lost can still be looked at and removed
    Ok(match Profile::kept(&State::of(&name)?.profile())? {
        Some(profile) => profile,
        None => Profile::of_name(&name)?,
    })
}

/// Everything a run on this profile shares.
pub fn session(profile: Profile, bundle: Option<&BundleArgs>, merge_into: Option<PathBuf>) -> Result<Arc<Session>> {
    let state = State::of(&profile.name)?;
    let former = Profile::kept(&state.profile())?;
    let provider = AnyProvider::of(&profile, former.as_ref(), state.known_hosts())?;
    // an empty HEARTH_BUNDLE means none
    let named = bundle.and_then(|args| args.bundle.as_ref()).filter(|path| !path.as_os_str().is_empty());
    let bundle = named.map(Bundle::open).transpose()?;
    Ok(Arc::new(Session::new(profile, provider, Store::new(bundle), state, merge_into)))
}
