//! Hearth brings up a Kubernetes cluster from one profile and proves that it behaves.
//!
//! Data flows one way, and the folders are its stages:
//!
//! 1. [`input`] and [`profile`] turn the user's file into a validated [`profile::Profile`].
//! 2. [`plan`] decides what the profile leaves open, each [`decision`] with its reason, and builds a graph of [`steps`] on
//!    it: plain values, which `hearth plan` prints. [`graph`] is the form that any plan has.
//! 3. [`engine`] runs a plan; it knows no step by name. Everything that happens is an [`event::Event`].
//! 4. [`artifact`] finds images and files; [`provider`] makes nodes; [`cluster`] makes Kubernetes out of nodes;
//!    [`components`] installs what the profile asks for. Before any of it, [`doctor`] looks at the machine.
//! 5. [`load`] and [`scenario`] prove behaviour under load and faults, [`compare`] measures two arms against each other, and
//!    [`report`] writes down what was seen.
//! 6. Each of the [`steps`] is a file that holds all about it: its sentence, its check, its change and how to undo it.
//! 7. [`state`] is what Hearth keeps on this machine; [`cli`] is one file per verb, [`ui`] the only writer to
//!    the terminal, and [`was`] the sample application server that the same binary carries.

pub mod artifact;
pub mod cli;
pub mod cluster;
pub mod compare;
pub mod components;
pub mod decision;
pub mod doctor;
pub mod engine;
pub mod error;
pub mod event;
pub mod file;
pub mod graph;
pub mod input;
pub mod journal;
pub mod load;
pub mod look;
pub mod plan;
pub mod profile;
pub mod progress;
pub mod provider;
pub mod quantity;
pub mod report;
pub mod scenario;
pub mod state;
pub mod statistics;
pub mod steps;
pub mod ui;
pub mod was;
pub mod yaml;
