//! To come.
pub mod address_pool;
