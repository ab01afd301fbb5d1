//! What numbers say beyond themselves: pure functions, each with the paper it comes from.

mod binomial;

pub use binomial::zero_failures_upper_95;
