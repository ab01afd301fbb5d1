//! What the machine that sends the load was doing, read at the ends of every window; none of it depends on the arms.

use std::fs;

use rustix::time::{ClockId, clock_gettime};

/// Counters since the machine or the process started.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Sample {
    /// Processor time of the machine in ticks, all processors; none if it cannot be read.
    pub ticks: Option<Ticks>,
    /// TCP segments; none if they cannot be read.
    pub segments: Option<Segments>,
    /// Processor time of this process, in seconds.
    pub process: f64,
}

/// Processor time of a machine, in ticks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ticks {
    pub all: f64,
    /// Time taken away by the hypervisor.
    pub stolen: f64,
}

/// TCP segments of the network namespace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Segments {
    pub sent: f64,
    /// Segments that were sent again.
    pub again: f64,
}

impl Sample {
    /// The counters now.
    pub fn now() -> Self {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        Sample {
            ticks: fs::read_to_string("/proc/stat").ok().and_then(|text| ticks(&text)),
            segments: fs::read_to_string("/proc/net/snmp").ok().and_then(|text| segments(&text)),
            process: time.tv_sec as f64 + time.tv_nsec as f64 / 1e9,
        }
    }
}

/// What happened between two samples, as shares; none if it is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Strain {
    pub stolen: Option<f64>,
    pub retransmitted: Option<f64>,
    /// Share of one processor used by the generator.
    pub generator: f64,
}

/// `seconds` is the time between the two samples.
pub(super) fn strain(before: Sample, after: Sample, seconds: f64) -> Strain {
    let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    Strain {
        stolen: before.ticks.zip(after.ticks).map(|(before, after)| share(after.stolen - before.stolen, after.all - before.all)),
        retransmitted: before
            .segments
            .zip(after.segments)
            .map(|(before, after)| share(after.again - before.again, after.sent - before.sent)),
        generator: share(after.process - before.process, seconds),
    }
}

/// Parses the first line of /proc/stat (proc_stat(5)): user, nice, system, idle, iowait, irq, softirq, steal; the time of
/// guests is included in user and nice.
fn ticks(text: &str) -> Option<Ticks> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let values: Vec<f64> = line.split_whitespace().take(8).map_while(|value| value.parse().ok()).collect();
    (values.len() == 8).then(|| Ticks { all: values.iter().sum(), stolen: values[7] })
}

/// Parses the two lines `Tcp:` of /proc/net/snmp, names and values (RFC 1213, tcpOutSegs and tcpRetransSegs).
fn segments(text: &str) -> Option<Segments> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Tcp:"));
    let (names, values) = (lines.next()?, lines.next()?);
    let value = |wanted: &str| {
        let mut pairs = names.split_whitespace().zip(values.split_whitespace());
        pairs.find(|(name, _)| *name == wanted).and_then(|(_, value)| value.parse::<f64>().ok())
    };
    Some(Segments { sent: value("OutSegs")?, again: value("RetransSegs")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_and_subtracted() {
        let stat = |idle: u32, steal: u32| format!("cpu  10 0 10 {idle} 0 0 0 {steal} 5 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n");
        let snmp = |sent: u32, again: u32| format!("Ip: A\nIp: 1\nTcp: X OutSegs RetransSegs\nTcp: -1 {sent} {again}\n");
        let sample = |idle, steal, sent, again, process| Sample {
            ticks: ticks(&stat(idle, steal)),
            segments: segments(&snmp(sent, again)),
            process,
        };
        let strain = strain(sample(0, 0, 100, 0, 1.0), sample(90, 10, 300, 1, 1.5), 2.0);
        assert_eq!(strain, Strain { stolen: Some(0.1), retransmitted: Some(0.005), generator: 0.25 });
        assert_eq!((ticks("cpu 1 2"), segments("Tcp: a")), (None, None));
    }

    #[test]
    fn this_machine_can_be_read() {
        let sample = Sample::now();
        assert!(sample.ticks.is_some_and(|ticks| ticks.all > 0.0) && sample.segments.is_some() && sample.process > 0.0);
    }
}
