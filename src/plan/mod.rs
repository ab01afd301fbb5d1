//! The plan of a cluster. The engine runs the very plan that `hearth plan` prints.
//!
//! In: a profile, and what was seen of the live world. Out: the decisions ([`decide`]), each with its reason, and the graph of
//! steps that follows from them ([`build`]), all plain serialisable values. Nothing is touched.

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
