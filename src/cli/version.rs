//! `hearth version`: the version of this program and of what it installs.

use serde_json::json;

use super::Context;
use crate::artifact::pins;
use crate::error::Result;
use crate::profile::schema::VERSION;

pub fn run(context: &Context) -> Result<u8> {
    let version = env!("CARGO_PKG_VERSION");
    let images: Vec<&str> = pins::IMAGES.iter().map(|pin| pin.reference).collect();
    context.result(&json!({"hearth": version, "kubernetes": VERSION, "images": images}), || {
        let list: Vec<String> = images.iter().map(|image| format!("  {image}")).collect();
        format!("hearth {version}\nkubernetes {VERSION}\nimages\n{}", list.join("\n"))
    })?;
    Ok(0)
}
