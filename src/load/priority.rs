//! The generator's thread gets priority: on a machine that also runs the cluster it would otherwise be late whenever the
//! cluster is busy, which is when it matters. It sleeps nearly all the time and spins only for microseconds.

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

/// How the thread is scheduled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// `SCHED_FIFO`: ahead of every thread that is not real-time.
    RealTime,
    /// A higher share of the processor, by niceness -15; within the session only if the kernel groups processes by session.
    Nice,
    /// Like any other thread: the system grants no more.
    Normal,
}

impl Priority {
    /// Requests the best possible priority for the calling thread. The effect is measured with every request.
    pub(super) fn raise() -> Self {
        // exact timers; no system that has this setting refuses it
        let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
        let lowest = libc::sched_param { sched_priority: 1 };
        // SAFETY: 0 is the calling thread, and the parameters outlive the call, which only reads them.
        let real_time = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &lowest) };
        if real_time == 0 {
            return Priority::RealTime;
        }
        // on Linux, no process means the calling thread
        match rustix::process::setpriority_process(None, -15) {
            Ok(()) => Priority::Nice,
            Err(_) => Priority::Normal,
        }
    }

    /// The name used in reports.
    pub fn name(self) -> &'static str {
        match self {
            Priority::RealTime => "real-time",
            Priority::Nice => "raised",
            Priority::Normal => "normal",
        }
    }
}
