//! `hearth plan`: the very value that `up` runs, with what the live world says of each step.

use super::args::{Format, PlanArgs};
use super::{Context, cluster};
use crate::engine::{self, Check, Options};
use crate::error::Result;
use crate::graph::{self, Plan, StepId};
use crate::plan::decide::{Seen, decide};
use crate::plan::{build, render};
use crate::provider::Provider;
use crate::steps::{StepKind, Steps};

pub async fn run(context: &Context, args: PlanArgs) -> Result<u8> {
    let profile = cluster::load(&args.profile)?;
    let mut decisions = decide(&profile, None);
    let mut plan = build::up(&profile, &[], &decisions)?;
    if args.dot {
        context.printer.raw(&graph::render::dot(&plan));
        return Ok(0);
    }
    let mut checks = Vec::new();
    if !args.offline {
        let session = cluster::session(profile, Some(&args.bundle), None)?;
        match session.provider.reachable().await {
            Ok(()) => {
                decisions = decide(&session.profile, Some(&Seen::of(&session).await?));
                plan = build::up(&session.profile, &session.leaving().await?, &decisions)?;
                checks = engine::check_all(&plan, &std::sync::Arc::new(Steps(session)), &Options::default()).await;
            }
            Err(error) => context.printer.err(format!("not checked against the live world: {error}")),
        }
    }
    unknown_yet(&plan, &mut checks);
    match context.output.output {
        Format::Text => context.printer.raw(&render::text(&plan, &checks, &decisions)),
        Format::Json => context.printer.json(&render::json(&plan, &checks, &decisions)),
        Format::Yaml => context.printer.raw(&crate::yaml::to_string(&render::json(&plan, &checks, &decisions))?),
    }
    let changes = checks.iter().any(|(_, check)| !matches!(check, Ok(Check::Satisfied))) || checks.is_empty();
    Ok(if args.detailed_exitcode && changes { 2 } else { 0 })
}

/// A step that cannot be looked at because what it builds on is still to come is no failure: it is to do.
fn unknown_yet(plan: &Plan<StepKind>, checks: &mut [(StepId, Result<Check>)]) {
    let mut open = vec![false; checks.len()];
    for (at, needs) in plan.dependencies().iter().enumerate().take(checks.len()) {
        let waits = needs.iter().any(|need| open.get(*need).copied().unwrap_or(false));
        if waits && checks[at].1.is_err() {
            checks[at].1 = Ok(Check::Needed("cannot be looked at before".into()));
        }
        open[at] = !matches!(checks[at].1, Ok(Check::Satisfied));
    }
}
