//! `hearth kubeconfig`: print it, or merge it into the user's own.

use serde_json::json;

use super::args::{Format, KubeconfigArgs};
use super::{Context, cluster};
use crate::cluster::kubeconfig;
use crate::error::Result;
use crate::steps::kubeconfig as step;

pub async fn run(context: &Context, args: KubeconfigArgs) -> Result<u8> {
    let session = cluster::session(cluster::existing(&args.profile)?.profile, None, None)?;
    if args.path {
        let path = session.state.kubeconfig();
        context.result(&json!({"kubeconfig": path}), || path.display().to_string())?;
        return Ok(0);
    }
    let config = cluster::on(&session, step::of(&session)).await?;
    match args.merge {
        Some(path) => {
            let path = path.unwrap_or_else(kubeconfig::user_file);
            kubeconfig::merge(&path, &config)?;
            let name = kubeconfig::context(&session.profile.name);
            context
                .result(&json!({"merged": path, "context": name}), || format!("Merged context {name} into {}", path.display()))?;
        }
        None if context.output.output == Format::Json => context.document(config),
        None => context.printer.raw(&crate::yaml::to_string(&config)?),
    }
    Ok(0)
}
