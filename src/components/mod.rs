//! Components: what gets installed into a cluster. Each is a file here and a folder of templates.
//!
//! In: a profile whose addresses are decided, and a client. Out: working objects in the cluster, or a [`Diagnosis`] of why they
//! do not work. Only the Kubernetes API is touched.
//!
//! 1. [`Component`] describes one: parts, needs, images, secrets, readiness, all plain data that the plan is built from;
//!    [`catalogue`] looks at all of them.
//! 2. [`render`] turns a part into objects; [`Secrets`] are the values that must not be generated anew each time.
//! 3. [`apply`] writes objects, compares and deletes them; [`removal`] finds out what would be lost with them.
//! 4. [`health`] waits until they work and reports meanwhile what they wait for; [`Diagnosis`] explains why they do not.
//!
//! To add one: its file, its templates, its settings in `profile/components.rs`, its images in `artifact/pins.rs`, and
//! its line in [`ALL`].

pub mod address_pool;
pub mod answer;
pub mod apply;
pub mod catalogue;
mod component;
mod diagnosis;
mod error;
pub mod fields;
pub mod health;
pub mod ingress_nginx;
pub mod istio;
pub mod manifest;
pub mod metallb;
pub mod metrics_server;
pub mod probe;
pub mod removal;
pub mod render;
mod secrets;
pub mod storage;
#[cfg(test)]
pub mod testing;
mod waiting;
pub mod workloads;

pub use component::{Component, Image, Need, On, Part, PartId, Source, Which};
pub use diagnosis::{Diagnosis, PodTrouble};
pub use error::ComponentError;
pub use health::Ready;
pub use manifest::{ObjectRef, Owner};
pub use render::Decided;
pub use secrets::Secrets;

/// Every component. Images are copied to nodes in this order: those that the first answer waits for longest come first.
pub const ALL: &[Component] = &[
    istio::COMPONENT,
    metallb::COMPONENT,
    workloads::COMPONENT,
    probe::COMPONENT, // no profile asks for it
    storage::COMPONENT,
    metrics_server::COMPONENT,
    ingress_nginx::COMPONENT,
];
