//! Published figures, each compared with what was measured here. They do not affect the verdict, which is about the primary
//! metric alone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::analysis::estimate;
use super::plan::{Flaw, flaw};
use super::record::{ArmVisits, Comparison, Estimate, VisitsRecord};
use super::resources::{ResourcesRecord, working_set};
use super::schema::Spec;
use super::verdict::Verdict;
use crate::quantity::{Memory, Span};
use crate::statistics::{Interval, welch};

/// One figure that was published.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Claim {
    /// The mean time of an answer in both arms, measured again as it was measured then.
    Mean(MeanClaim),
    /// How many more pods the requests to the second arm pass through, for example -1.
    Pods(i32),
    /// How much more memory is used by the pods that only the second arm's requests pass through, for example `-128 Mi`.
    Memory(Memory),
}

/// The mean time of an answer in both arms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MeanClaim {
    /// In the first arm.
    pub before: Span,
    /// In the second arm.
    pub after: Span,
    /// How it was measured.
    pub method: Method,
    /// Requests to each arm.
    #[schemars(range(min = 2, max = 10000))]
    pub requests: u32,
}

/// How a mean was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Method {
    /// One request after the other, each on a new connection, first all of one arm and then all of the other, as `curl` in a loop.
    Sequential,
}

/// The result for a published figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// The measurement agrees with it, and shows a difference.
    Confirmed,
    /// The measurement does not agree with it, or leaves open whether there is a difference at all.
    NotConfirmed,
    /// Nothing was measured that it could be compared with.
    NotMeasured,
}

impl Judgement {
    /// As reports write it.
    pub fn name(self) -> &'static str {
        match self {
            Judgement::Confirmed => "confirmed",
            Judgement::NotConfirmed => "not confirmed",
            Judgement::NotMeasured => "not measured",
        }
    }
}

/// One published figure, and what was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimRecord {
    /// What was claimed.
    pub claim: Claim,
    /// The result.
    pub judgement: Judgement,
    /// The first arm's figure, in the estimate's unit; null when it was not measured.
    pub a: Option<f64>,
    /// The second arm's.
    pub b: Option<f64>,
    /// The difference. Pods are counted, so both ends of their interval are the value. None if it was not measured.
    pub estimate: Option<Estimate>,
    /// The reason, as a fragment of a sentence.
    pub why: String,
}

impl Claim {
    /// The difference that is claimed: milliseconds, pods, or MiB.
    pub fn difference(self) -> f64 {
        match self {
            // whole nanoseconds, so that 67 ms less 85 ms are -18 ms and not a digit more
            Claim::Mean(mean) => (mean.after.0.as_nanos() as f64 - mean.before.0.as_nanos() as f64) / 1e6,
            Claim::Pods(pods) => f64::from(pods),
            Claim::Memory(memory) => memory.0,
        }
    }

    /// Its key in a file.
    pub fn name(self) -> &'static str {
        match self {
            Claim::Mean(_) => "mean",
            Claim::Pods(_) => "pods",
            Claim::Memory(_) => "memory",
        }
    }
}

/// Number of sequential requests that the claim is based on; none if it has no mean.
pub(super) fn visits(claim: &[Claim]) -> Option<u32> {
    claim.iter().find_map(|line| match line {
        Claim::Mean(mean) => Some(mean.requests),
        Claim::Pods(_) | Claim::Memory(_) => None,
    })
}

/// True if the claim is about pods or memory, which takes turns in which one arm has the load alone.
pub(super) fn needs_turns(claim: &[Claim]) -> bool {
    claim.iter().any(|line| matches!(line, Claim::Pods(_) | Claim::Memory(_)))
}

/// Adds all flaws of the claim.
pub(super) fn check(spec: &Spec, flaws: &mut Vec<Flaw>) {
    for (index, line) in spec.claim.iter().enumerate() {
        let at = format!("spec.claim[{index}].{}", line.name());
        if spec.claim[..index].iter().any(|before| before.name() == line.name()) {
            flaws.push(flaw(&at, format!("`{}` is there twice", line.name()), None));
        }
        match line {
            Claim::Mean(mean) if spec.design.visits.is_some_and(|visits| visits != mean.requests) => {
                let message =
                    format!("the claim is of {} requests, and spec.design.visits asks for another number", mean.requests);
                flaws.push(flaw(&format!("{at}.requests"), message, Some("leave spec.design.visits out".into())));
            }
            Claim::Pods(_) | Claim::Memory(_) if spec.arms.iter().any(|arm| arm.service.is_none()) => {
                let hint = "write both arms as `service: NAMESPACE/NAME`";
                flaws.push(flaw(&at, "it is not known which cluster has the pods behind a url", Some(hint.into())));
            }
            _ => {}
        }
    }
}

/// The measured values of one line: both arms, and the difference.
type Measured = (f64, f64, Estimate);

/// Judges each line by what the record contains.
pub(super) fn judge(record: &Comparison) -> Vec<ClaimRecord> {
    let declared = &record.declaration.content;
    let level = 1.0 - declared.alpha;
    let line = |claim: &Claim| {
        let measured = match claim {
            Claim::Mean(mean) => means(record.visits.as_ref(), mean, [0, 1].map(|arm| declared.arms[arm].name.as_str()), level),
            Claim::Pods(_) => looked_at(record).map(pods),
            Claim::Memory(_) => looked_at(record).and_then(memory),
        };
        let counts = record.verdict != Verdict::Invalid;
        let (judgement, why) = match &measured {
            Ok((_, _, estimate)) if counts => against(*claim, estimate),
            Ok(_) => (Judgement::NotMeasured, "the measurement as a whole does not count".to_owned()),
            Err(why) => (Judgement::NotMeasured, why.clone()),
        };
        let (a, b, estimate) = measured.map_or((None, None, None), |(a, b, estimate)| (Some(a), Some(b), Some(estimate)));
        ClaimRecord { claim: *claim, judgement, a, b, estimate, why }
    };
    declared.claim.iter().map(line).collect()
}

/// A figure is confirmed if the interval contains it and not zero: an interval that is wide enough contains everything.
fn against(claim: Claim, estimate: &Estimate) -> (Judgement, String) {
    let interval = Interval { low: estimate.low.unwrap_or(f64::NEG_INFINITY), high: estimate.high.unwrap_or(f64::INFINITY) };
    let claimed = claim.difference();
    if let Claim::Pods(_) = claim {
        return match interval.contains(claimed) {
            true => (Judgement::Confirmed, "counted".to_owned()),
            false => (Judgement::NotConfirmed, "the count is another one".to_owned()),
        };
    }
    if !interval.excludes_zero() {
        return (Judgement::NotConfirmed, "there may be no difference at all".to_owned());
    }
    if interval.contains(claimed) {
        return (Judgement::Confirmed, "the claimed difference is in the interval".to_owned());
    }
    let why = match (estimate.value * claimed > 0.0, estimate.value.abs() < claimed.abs()) {
        (false, _) => "the difference goes the other way",
        (true, true) => "the direction is as claimed, the difference is smaller",
        (true, false) => "the direction is as claimed, the difference is larger",
    };
    (Judgement::NotConfirmed, why.to_owned())
}

/// Means of the sequential requests, or why there are none.
fn means(visits: Option<&VisitsRecord>, claim: &MeanClaim, names: [&str; 2], level: f64) -> Result<Measured, String> {
    let visits = visits.ok_or("no requests were sent one after the other")?;
    for (arm, name) in [&visits.a, &visits.b].into_iter().zip(names) {
        let ArmVisits { requests, failed, .. } = arm;
        if *requests < u64::from(claim.requests) {
            return Err(format!("only {requests} of {} requests were sent to `{name}` before the time was over", claim.requests));
        }
        if *failed > 0 {
            return Err(format!("{failed} of {requests} requests to `{name}` had no good answer"));
        }
    }
    let (a, b) = visits.a.mean_ms.zip(visits.b.mean_ms).ok_or("no request had a good answer")?;
    let interval = welch(&visits.a.times_ms, &visits.b.times_ms, level);
    Ok((a, b, estimate("mean", "ms", b - a, interval, level)))
}

/// The figures of the kubelets, or why there are none.
fn looked_at(record: &Comparison) -> Result<&ResourcesRecord, String> {
    let why = match record.declaration.content.turns {
        0 => "no arm has the load alone in a quick comparison",
        _ => "the run ended before the kubelets had been asked",
    };
    let resources = record.resources.as_ref().ok_or(why)?;
    resources.unknown.as_ref().map_or(Ok(resources), |why| Err(why.clone()))
}

fn pods(resources: &ResourcesRecord) -> Measured {
    let (a, b) = (resources.a.len() as f64, resources.b.len() as f64);
    let counted = Interval { low: b - a, high: b - a };
    (a, b, estimate("pods", "pods", b - a, counted, 1.0))
}

fn memory(resources: &ResourcesRecord) -> Result<Measured, String> {
    let estimate = resources.memory.clone().ok_or("the kubelets told nothing of memory")?;
    Ok((working_set(&resources.a), working_set(&resources.b), estimate))
}

#[cfg(test)]
mod tests {
    use super::super::plan::{Declaration, Seal};
    use super::super::resources::PodRecord;
    use super::super::schema::Arm;
    use super::*;

    fn visits(mean: f64) -> ArmVisits {
        // between half a millisecond less and more, neighbours on either side
        let times_ms: Vec<f64> = (0..100).map(|at| mean + if at % 2 == 0 { 0.5 } else { -0.5 }).collect();
        ArmVisits { requests: 100, failed: 0, mean_ms: Some(mean), p50_ms: Some(mean), times_ms }
    }

    fn resources() -> ResourcesRecord {
        let nginx = PodRecord {
            pod: "ingress-nginx/c-1".into(),
            node: "w1".into(),
            received_a: vec![90_000.0; 2],
            received_b: vec![700.0; 2],
            working_set_mi: vec![61.0, 62.0],
        };
        let memory = estimate("memory", "Mi", -61.5, Interval { low: -67.85, high: -55.15 }, 0.95);
        ResourcesRecord { a: vec![nginx], b: Vec::new(), memory: Some(memory), unknown: None }
    }

    /// The figures that came with the hop.
    fn record(a_ms: f64, b_ms: f64) -> Comparison {
        let mut spec = Spec::of(
            ["a", "b"].map(|name| Arm { name: name.into(), service: format!("{name}/s").parse().ok(), ..Arm::default() }).into(),
        );
        let span = |ms| Span(std::time::Duration::from_millis(ms));
        let mean = MeanClaim { before: span(85), after: span(67), method: Method::Sequential, requests: 100 };
        spec.claim = vec![Claim::Mean(mean), Claim::Pods(-1), Claim::Memory(Memory(-128.0))];
        let mut record = Comparison::begun("hop", "run", Seal::now(Declaration::of(&spec).expect("sense")));
        record.verdict = Verdict::Better;
        record.visits = Some(VisitsRecord { a: visits(a_ms), b: visits(b_ms) });
        record.resources = Some(resources());
        record
    }

    fn judged(record: &Comparison) -> Vec<(&'static str, String)> {
        judge(record).into_iter().map(|line| (line.judgement.name(), line.why)).collect()
    }

    #[test]
    fn each_line_is_held_against_what_was_measured() {
        let lines = judge(&record(8.0, 6.0));
        assert_eq!(
            lines.iter().map(|line| line.judgement).collect::<Vec<_>>(),
            [Judgement::NotConfirmed, Judgement::Confirmed, Judgement::NotConfirmed]
        );
        let mean = lines[0].estimate.as_ref().expect("measured");
        assert_eq!((lines[0].a, lines[0].b, mean.value, mean.unit.as_str()), (Some(8.0), Some(6.0), -2.0, "ms"));
        // half a millisecond of spread in a hundred: 1.97 standard errors of 0.0711 ms
        let (low, high) = (mean.low.expect("bounded"), mean.high.expect("bounded"));
        assert!((low + 2.14).abs() < 0.01 && (high + 1.86).abs() < 0.01, "{low} {high}");
        assert_eq!(lines[0].why, "the direction is as claimed, the difference is smaller");
        assert_eq!((lines[1].a, lines[1].b, lines[1].why.as_str()), (Some(1.0), Some(0.0), "counted"));
        assert_eq!((lines[2].a, lines[2].b), (Some(61.5), Some(0.0)));
        assert_eq!(judge(&record(85.1, 67.0))[0].judgement, Judgement::Confirmed);
        assert_eq!(judged(&record(6.0, 8.0))[0], ("not confirmed", "the difference goes the other way".into()));
        assert_eq!(judged(&record(6.0, 6.01))[0], ("not confirmed", "there may be no difference at all".into()));
    }

    #[test]
    fn an_interval_that_holds_everything_confirms_nothing() {
        let of = |low, high| estimate("mean", "ms", -18.0, Interval { low, high }, 0.95);
        let claim = record(8.0, 6.0).declaration.content.claim[0];
        assert_eq!(against(claim, &of(-40.0, 4.0)).0, Judgement::NotConfirmed);
        assert_eq!(against(claim, &of(-40.0, -4.0)).0, Judgement::Confirmed);
        assert_eq!(against(claim, &of(f64::NEG_INFINITY, f64::INFINITY)).0, Judgement::NotConfirmed);
        let two = estimate("pods", "pods", -2.0, Interval { low: -2.0, high: -2.0 }, 1.0);
        assert_eq!(against(Claim::Pods(-1), &two).0, Judgement::NotConfirmed);
    }

    #[test]
    fn what_was_not_measured_is_never_confirmed() {
        let nothing = Comparison { visits: None, resources: None, ..record(85.0, 67.0) };
        let lines = judge(&nothing);
        assert!(lines.iter().all(|line| line.judgement == Judgement::NotMeasured && line.estimate.is_none() && line.a.is_none()));
        assert_eq!(lines[1].why, "the run ended before the kubelets had been asked");
        let mut partly = record(85.0, 67.0);
        partly.visits = Some(VisitsRecord { a: visits(85.0), b: ArmVisits { requests: 40, ..visits(67.0) } });
        partly.resources = Some(ResourcesRecord::unknown("cannot list nodes"));
        assert_eq!(judged(&partly)[0].1, "only 40 of 100 requests were sent to `b` before the time was over");
        assert_eq!(judged(&partly)[2], ("not measured", "cannot list nodes".into()));
        partly.visits = Some(VisitsRecord { a: ArmVisits { failed: 3, ..visits(85.0) }, b: visits(67.0) });
        assert_eq!(judged(&partly)[0], ("not measured", "3 of 100 requests to `a` had no good answer".into()));
        // the numbers stay, as evidence
        let void = judge(&Comparison { verdict: Verdict::Invalid, ..record(85.0, 67.0) });
        assert!(void.iter().all(|line| line.judgement == Judgement::NotMeasured && line.estimate.is_some()));
        assert_eq!(void[0].why, "the measurement as a whole does not count");
    }
}
