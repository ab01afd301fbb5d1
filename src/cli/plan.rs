//! `hearth plan`: the very value that `up` runs, with each step compared with the live world.

use std::sync::Arc;

use super::args::{Format, PlanArgs};
use super::cluster::{self, Target};
use super::outlook::{self, Outlook};
use super::{Context, UsageError, members};
use crate::components::removal::Removal;
use crate::engine::{self, Check, Options};
use crate::error::{Family, Result, chain};
use crate::graph::{self, Plan, StepId};
use crate::plan::decide::{Seen, decide};
use crate::plan::{build, render};
use crate::profile::Profile;
use crate::provider::Provider;
use crate::steps::{Session, StepKind, Steps};

/// The reason for steps that cannot be checked yet, because what they build on does not exist.
pub const NOT_BEFORE: &str = "cannot be checked yet";

pub async fn run(context: &Context, args: PlanArgs) -> Result<u8> {
    let Target { profile, why } = cluster::wanted(&args.profile)?;
    let mut decisions = decide(&profile, None);
    let mut plan = build::up(&profile, &[], &decisions)?;
    if args.dot {
        context.printer.raw(&graph::render::dot(&plan));
        return Ok(0);
    }
    let mut outlook = Outlook::of(&profile, &why);
    let mut checks = Vec::new();
    let mut removal = Removal::default();
    if !args.offline {
        match reach(profile, &args).await {
            Ok(session) => {
                members::refuse_to_forget_the_living(&session, &args.forget).await?;
                let existing = session.provider.existing().await?;
                decisions = decide(&session.profile, Some(&Seen::of(&session).await?));
                decisions.delete_data = args.delete_data;
                let leaving = session.leaving(args.delete_data, &args.forget).await?;
                plan = build::up(&session.profile, &leaving, &decisions)?;
                outlook = outlook.with_nodes(&existing).with_lost(&leaving).with_fetch(outlook::fetch(&session).await?);
                checks = look(&plan, session.clone()).await;
                removal = session.removal().await;
            }
            // without an engine or hosts a plan can still be printed
            Err(error) if matches!(error.family(), Family::Docker | Family::Ssh) => {
                context.say(format!("not checked against the live world: {}", chain(&*error)));
            }
            Err(error) => return Err(error),
        }
    }
    let outlook = outlook.with_steps(&plan, &checks).with_removal(&removal, args.delete_data);
    match context.output.output {
        Format::Text => context.printer.raw(&format!("{}\n{}", outlook.text(), render::text(&plan, &checks, &decisions))),
        Format::Json | Format::Yaml => {
            let mut document = render::json(&plan, &checks, &decisions);
            document["outlook"] = serde_json::to_value(&outlook).map_err(UsageError::NotData)?;
            context.document(document);
        }
    }
    let changes = checks.iter().any(|(_, check)| !matches!(check, Ok(Check::Satisfied))) || checks.is_empty();
    Ok(if args.detailed_exitcode && changes { Family::Changes.code() } else { 0 })
}

/// A session, if the Docker engine or the hosts answer.
async fn reach(profile: Profile, args: &PlanArgs) -> Result<Arc<Session>> {
    let session = cluster::session(profile, Some(&args.bundle), None)?;
    session.provider.reachable().await?;
    Ok(session)
}

/// The check of each step against the live world.
pub async fn look(plan: &Plan<StepKind>, session: Arc<Session>) -> Vec<(StepId, Result<Check>)> {
    let mut checks = engine::check_all(plan, &Arc::new(Steps(session)), &Options::default()).await;
    unknown_yet(plan, &mut checks);
    checks
}

/// A step that cannot be checked because what it builds on does not exist yet has not failed: it is still to do.
fn unknown_yet(plan: &Plan<StepKind>, checks: &mut [(StepId, Result<Check>)]) {
    let mut open = vec![false; checks.len()];
    for (at, needs) in plan.dependencies().iter().enumerate().take(checks.len()) {
        let waits = needs.iter().any(|need| open.get(*need).copied().unwrap_or(false));
        if waits && checks[at].1.is_err() {
            checks[at].1 = Ok(Check::Needed(NOT_BEFORE.into()));
        }
        open[at] = !matches!(checks[at].1, Ok(Check::Satisfied));
    }
}
