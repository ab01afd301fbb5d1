//! Defaults of scenario files.

use std::time::Duration;

use super::schema::{Arrivals, Hold, Load, Patch, PodKill, Target, Validity};
use crate::quantity::{Share, Span};

impl Target {
    pub(super) fn status() -> u16 {
        200
    }
}

impl Patch {
    pub(super) fn settle() -> Span {
        Span::secs(3)
    }
}

impl Load {
    pub(super) fn drain() -> Span {
        Span::secs(20)
    }
}

impl Arrivals {
    pub(super) fn jitter() -> Share {
        Share(0.5)
    }

    pub(super) fn seed() -> u64 {
        1
    }
}

impl Default for Arrivals {
    fn default() -> Self {
        Arrivals { jitter: Self::jitter(), seed: Self::seed() }
    }
}

impl Hold {
    pub(super) fn within() -> Span {
        Span::secs(60)
    }
}

impl PodKill {
    pub(super) fn grace() -> Span {
        Span::secs(0)
    }

    pub(super) fn one_after_the_other() -> bool {
        true
    }

    pub(super) fn ready_within() -> Span {
        Span::secs(120)
    }
}

impl Validity {
    pub(super) fn offered_rate() -> Share {
        Share(0.995)
    }

    pub(super) fn release_error() -> Span {
        Span(Duration::from_millis(5))
    }

    pub(super) fn void_windows() -> Share {
        Share(0.2)
    }

    pub(super) fn hits() -> Share {
        Share(0.5)
    }
}

impl Default for Validity {
    fn default() -> Self {
        Validity {
            offered_rate: Self::offered_rate(),
            release_error_p99: Self::release_error(),
            void_windows: Self::void_windows(),
            hits: Self::hits(),
        }
    }
}
