//! The plan of a cluster. The engine runs the very plan that `hearth plan` prints.
//!
//! Enters: a profile, and what is seen of the live world. Leaves: what is [`decide`]d, each with its reason, and the graph of
//! steps that is [`build`]t on it, plain serialisable values. Nothing is touched.

pub mod build;
pub mod decide;
mod docker;
mod fragment;
mod machine;
pub mod render;

use fragment::Fragment;

use crate::profile::Provider;

/// The fragment of a profile's provider.
fn fragment_of(provider: &Provider) -> &dyn Fragment {
    match provider {
        Provider::Docker(nodes) => nodes,
        Provider::Ssh(hosts) => hosts,
    }
}
