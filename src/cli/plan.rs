//! `hearth plan`: the very value that `up` runs, with what the live world says of each step.

use super::args::{Format, PlanArgs};
use super::{Context, cluster};
use crate::actor::DockerActor;
use crate::engine::{self, Check, Options};
use crate::error::Result;
use crate::plan::{build, render};

pub async fn run(context: &Context, args: PlanArgs) -> Result<u8> {
    let profile = cluster::load(&args.profile)?;
    let mut plan = build::up(&profile, &[])?;
    if args.dot {
        context.printer.raw(&render::dot(&plan));
        return Ok(0);
    }
    cluster::docker(&profile)?;
    let mut checks = Vec::new();
    if !args.offline {
        let session = cluster::session(profile, Some(&args.bundle), None)?;
        match session.engine().await {
            Ok(_) => {
                plan = build::up(&session.profile, &session.leaving().await?)?;
                checks = engine::check_all(&plan, &std::sync::Arc::new(DockerActor(session)), &Options::default()).await;
            }
            Err(error) => context.printer.err(format!("not checked against the live world: {error}")),
        }
    }
    match context.output.output {
        Format::Text => context.printer.raw(&render::text(&plan, &checks)),
        Format::Json => context.printer.json(&render::json(&plan, &checks)),
        Format::Yaml => context.printer.raw(&crate::yaml::to_string(&render::json(&plan, &checks))?),
    }
    let changes = checks.iter().any(|(_, check)| !matches!(check, Ok(Check::Satisfied))) || checks.is_empty();
    Ok(if args.detailed_exitcode && changes { 2 } else { 0 })
}
