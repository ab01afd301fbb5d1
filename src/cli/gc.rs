//! `hearth gc`: node images kept for the next start that no cluster of this user would start from.

use std::collections::BTreeSet;

use serde_json::json;

use super::Context;
use super::args::GcArgs;
use crate::components::catalogue;
use crate::error::Result;
use crate::profile::Profile;
use crate::provider::docker::Engine;
use crate::provider::{AnyProvider, Provider};
use crate::state::State;
use crate::ui;

pub async fn run(context: &Context, args: GcArgs) -> Result<u8> {
    let engine = Engine::connect()?;
    engine.info().await?;
    let used = used().await?;
    let unused: Vec<_> = engine.kept_images().await?.into_iter().filter(|image| !used.contains(&image.reference)).collect();
    if unused.is_empty() {
        context.result(&json!({"removed": [], "inUse": []}), || "there is no node image that no cluster uses".to_owned())?;
        return Ok(0);
    }
    let list = unused.iter().map(|image| format!("  {}  {} MB", image.reference, image.bytes / 1_000_000));
    context.say(format!("Node images that no cluster here would start from:\n{}", list.collect::<Vec<_>>().join("\n")));
    if !args.yes {
        ui::confirm(&context.printer, "Remove them? The next start of such a cluster takes longer.")?;
    }
    let (mut removed, mut in_use) = (Vec::new(), Vec::new());
    for image in unused {
        match engine.remove_kept(&image.reference).await? {
            true => removed.push(image.reference),
            false => in_use.push(image.reference),
        }
    }
    context.result(&json!({"removed": removed, "inUse": in_use}), || {
        let kept = in_use.iter().map(|image| format!("\nkept {image}: a container uses it")).collect::<String>();
        format!("removed {} of them{kept}", removed.len())
    })?;
    Ok(0)
}

/// The node images that this user's clusters would start from.
async fn used() -> Result<BTreeSet<String>> {
    let mut used = BTreeSet::new();
    for name in State::names()? {
        let state = State::of(&name)?;
        let Some(profile) = Profile::kept(&state.profile())? else { continue };
        let provider = AnyProvider::of(&profile, &[], state.known_hosts())?;
        // if the image it would be made from is gone, nothing kept is used
        let image = provider.node_image(&catalogue::pulled(&profile)).await?;
        used.extend(image.and_then(|image| image.value().cloned()));
    }
    Ok(used)
}
