//! The plan of a cluster: a profile goes in, the graph of steps that it needs comes out, a plain serialisable value. The
//! engine runs it, `hearth plan` prints it: all see the same value. Nothing here acts.

pub mod build;
