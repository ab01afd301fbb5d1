//! Scenarios.

pub mod load;
pub mod quantity;
pub mod schema;
