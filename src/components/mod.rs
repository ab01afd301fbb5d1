//! Components: what gets installed into a cluster, as Hearth's own templates, upstream's resource definitions, and the
//! rules of how they are rendered, applied and found healthy.
//!
//! 1. [`catalogue`] lists the [`Part`]s of every component: plain data, which the plan is built from.
//! 2. [`render`] turns a part into objects; [`Secrets`] are what it cannot make up anew each time.
//! 3. [`apply`] writes objects, compares, prunes and deletes them.
//! 4. [`health`] waits until they work, and [`Diagnosis`] tells why they do not.

pub mod address_pool;
pub mod apply;
pub mod catalogue;
mod diagnosis;
mod error;
pub mod health;
pub mod manifest;
pub mod render;
mod secrets;

pub use catalogue::{Need, Part};
pub use diagnosis::{Diagnosis, PodTrouble};
pub use error::ComponentError;
pub use manifest::{ObjectRef, Owner};
pub use render::Inputs;
pub use secrets::Secrets;
