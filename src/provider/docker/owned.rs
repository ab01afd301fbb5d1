//! Everything on the engine that Hearth made, whichever cluster it belongs to.

use super::{DockerError, Engine, OWNER_LABEL, ROLE_LABEL};

/// A container that Hearth made.
#[derive(Debug, Clone)]
pub struct Owned {
    /// Its name.
    pub name: String,
    /// The profile it was made for.
    pub profile: String,
    /// True for a node; others build node images.
    pub node: bool,
    /// When it was made, in seconds since 1970.
    pub created: i64,
}

impl Engine {
    /// Containers that Hearth made, running or not, sorted by name.
    pub async fn owned(&self) -> Result<Vec<Owned>, DockerError> {
        let listed = self.containers_labelled(OWNER_LABEL).await?.into_iter().filter_map(|container| {
            let mut labels = container.labels?;
            Some(Owned {
                name: container.names?.first()?.trim_start_matches('/').to_owned(),
                profile: labels.remove(OWNER_LABEL)?,
                node: labels.contains_key(ROLE_LABEL),
                created: container.created.unwrap_or_default(),
            })
        });
        let mut owned: Vec<Owned> = listed.collect();
        owned.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(owned)
    }
}
