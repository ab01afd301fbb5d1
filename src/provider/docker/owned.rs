//! Everything on the engine that Hearth made, whichever cluster it belongs to.

use super::{BUILDER_LABEL, CLUSTER_LABEL, DockerError, Engine, OWNER_LABEL, ROLE_LABEL};

/// A container that Hearth made.
#[derive(Debug, Clone)]
pub struct Owned {
    /// The container's name.
    pub name: String,
    /// Name of the profile it was made for.
    pub profile: String,
    /// True for a node, false for a builder of node images.
    pub node: bool,
    /// When it was made, in seconds since 1970.
    pub created: i64,
}

impl Engine {
    /// Containers that Hearth made, running or not, sorted by name.
    pub async fn owned(&self) -> Result<Vec<Owned>, DockerError> {
        let mut made = self.containers_labelled(OWNER_LABEL).await?;
        let builders = self.containers_labelled(BUILDER_LABEL).await?;
        made.extend(builders.into_iter().filter(|one| one.labels.as_ref().is_none_or(|labels| !labels.contains_key(ROLE_LABEL))));
        let listed = made.into_iter().filter_map(|container| {
            let mut labels = container.labels?;
            // a node of another cluster inherited the label from a derived image of an earlier Hearth
            if labels.get(CLUSTER_LABEL).is_some_and(|cluster| labels.get(OWNER_LABEL) != Some(cluster)) {
                return None;
            }
            Some(Owned {
                name: container.names?.first()?.trim_start_matches('/').to_owned(),
                node: labels.contains_key(ROLE_LABEL),
                profile: labels.remove(OWNER_LABEL).or_else(|| labels.remove(BUILDER_LABEL))?,
                created: container.created.unwrap_or_default(),
            })
        });
        let mut owned: Vec<Owned> = listed.collect();
        owned.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(owned)
    }
}
