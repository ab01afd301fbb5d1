//! What is decided for a cluster beyond what its profile says, and why: plans print it, runs follow it.

/// A value that was chosen, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice<T> {
    /// What was chosen.
    pub value: T,
    /// Why this one, as a fragment such as "the first of the pool".
    pub reason: String,
}

impl<T> Choice<T> {
    /// A value with the reason for it.
    pub fn new(value: T, reason: impl Into<String>) -> Self {
        Choice { value, reason: reason.into() }
    }
}

/// A choice, or what it is waiting for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision<T> {
    /// Already made.
    Made(Choice<T>),
    /// Not possible yet: when it will be, as a fragment such as "when the network exists".
    Later(String),
}

impl<T> Decision<T> {
    /// A choice that is made.
    pub fn made(value: T, reason: impl Into<String>) -> Self {
        Decision::Made(Choice::new(value, reason))
    }

    /// What was chosen, if something was.
    pub fn value(&self) -> Option<&T> {
        match self {
            Decision::Made(choice) => Some(&choice.value),
            Decision::Later(_) => None,
        }
    }
}
