//! The real binary on a real Docker engine: clusters come up, break, are repaired, and leave nothing behind.
//! Run by `make test-e2e`, one test at a time. Uses names that start with `e2e`, and its own state directory.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod edits;
mod inputs;
mod kind;
mod long;
mod runs;
mod small;
mod stack;
mod standstill;
#[path = "../world/mod.rs"]
mod world;

use world::sh;

/// Has the application store something.
fn keep_something(vip: &str) {
    let post = sh(&format!(
        "curl -s -m 5 -X POST -H 'content-type: application/json' -d '{{\"name\":\"kept\"}}' http://{vip}/api/items"
    ));
    assert!(post.contains("id"), "{post}");
}
