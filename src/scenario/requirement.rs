//! What a scenario needs from a cluster, and facts about where it ran.

use std::collections::BTreeSet;

use kube::Client;

use super::record::Environment;
use super::schema::Requirement;
use super::{Context, Scenario, ScenarioError, objects};

/// Missing requirements, one sentence each.
pub(super) async fn missing(context: &Context, scenario: &Scenario) -> Result<Vec<String>, ScenarioError> {
    let mut missing = Vec::new();
    for moment in &scenario.spec.timeline {
        missing.extend(moment.fault.lacks(context).await?);
    }
    missing.dedup();
    for requirement in &scenario.spec.requires {
        missing.extend(lack(&context.client, requirement).await?);
    }
    Ok(missing)
}

async fn lack(client: &Client, requirement: &Requirement) -> Result<Option<String>, ScenarioError> {
    Ok(match requirement {
        Requirement::Deployment(wanted) => {
            let (namespace, name) = (&wanted.namespace, &wanted.name);
            match objects::availability(client, namespace, name).await? {
                None => Some(format!("there is no deployment {namespace}/{name}")),
                Some((ready, _)) if i64::from(ready) < i64::from(wanted.ready) => {
                    Some(format!("deployment {namespace}/{name} has {ready} ready pods, {} are needed", wanted.ready))
                }
                Some(_) => None,
            }
        }
        Requirement::Object(object) => match objects::get(client, object).await? {
            None => Some(format!("there is no {object}")),
            Some(_) => None,
        },
    })
}

/// Facts for the report; what cannot be found out stays empty.
pub(super) async fn environment(context: &Context, scenario: &Scenario) -> Environment {
    let mut images = BTreeSet::new();
    for group in &scenario.spec.observe.proxies {
        if let Ok(pods) = objects::pods(&context.client, &group.namespace, &group.selector).await {
            images.extend(pods.iter().flat_map(objects::images));
        }
    }
    for moment in &scenario.spec.timeline {
        let Some((namespace, selector)) = moment.fault.pods() else { continue };
        if let Ok(pods) = objects::pods(&context.client, namespace, selector).await {
            images.extend(pods.iter().flat_map(objects::images));
        }
    }
    Environment {
        hearth: env!("CARGO_PKG_VERSION").to_owned(),
        profile: context.profile.clone(),
        kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
        cpus: std::thread::available_parallelism().map_or(0, |count| count.get() as u32),
        kubernetes: context.client.apiserver_version().await.ok().map(|info| info.git_version),
        images: images.into_iter().collect(),
    }
}
