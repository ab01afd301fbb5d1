//! What each arm costs in pods and memory: the pods that only its requests pass through, found by the bytes that they receive
//! while one arm has the load alone, and the memory that they use meanwhile. Pure.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::analysis::estimate;
use super::kubelet::{PodSeen, Seen};
use super::record::{Estimate, tidy};
use crate::statistics::{mean, welch};

/// The least that a pod on the path receives, in bytes for each request of the load: a request has about 200 with its headers,
/// and up to eight pods may share the requests.
const LEAST_BYTES: f64 = 25.0;
/// A pod belongs to one arm alone if it receives this many times as much in each of that arm's turns as in any of the other's …
const ALONE: f64 = 5.0;
/// … and not if it is less than this. In between it cannot be told.
const SHARED: f64 = 2.5;

/// What each arm costs. `a` is the first arm, `b` the second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourcesRecord {
    /// Pods that only requests to the first arm pass through. Pods on the network of their node are not looked at.
    pub a: Vec<PodRecord>,
    /// Pods that only requests to the second arm pass through.
    pub b: Vec<PodRecord>,
    /// Memory used by the second arm's pods minus that of the first arm's, with Welch's interval; the unit is the turn.
    pub memory: Option<Estimate>,
    /// Why none of this is known; none if it is.
    pub unknown: Option<String>,
}

/// A pod that only one arm's requests pass through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodRecord {
    /// `NAMESPACE/NAME`.
    pub pod: String,
    /// Its node.
    pub node: String,
    /// Bytes that it received in a second, in each turn of the first arm.
    pub received_a: Vec<f64>,
    /// The same in each turn of the second.
    pub received_b: Vec<f64>,
    /// Its working set in MiB in each turn of its arm.
    pub working_set_mi: Vec<f64>,
}

/// Memory that these pods use together, in MiB: the mean over the turns.
pub fn working_set(pods: &[PodRecord]) -> f64 {
    tidy(pods.iter().map(|pod| mean(&pod.working_set_mi)).sum())
}

/// A turn of one arm, and the kubelets' answers in it; the first one contains samples from before the turn.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    pub arm: usize,
    pub looks: Vec<Vec<PodSeen>>,
}

/// The result of the turns, at this many requests per second.
pub(super) fn conclude(turns: &[Turn], rate: f64, level: f64) -> ResourcesRecord {
    let turns: Vec<(usize, Figures)> = turns.iter().map(|turn| (turn.arm, figures(&turn.looks))).collect();
    match alone(&turns, rate) {
        Ok([a, b]) => ResourcesRecord { memory: Some(memory(&a, &b, &turns, level)), a, b, unknown: None },
        Err(why) => ResourcesRecord::unknown(why),
    }
}

impl ResourcesRecord {
    /// Nothing is known, and why.
    pub(super) fn unknown(why: impl Into<String>) -> Self {
        ResourcesRecord { a: Vec::new(), b: Vec::new(), memory: None, unknown: Some(why.into()) }
    }
}

/// The figures of each pod in a turn.
type Figures = BTreeMap<String, Figure>;

#[derive(Debug, Clone, Default)]
struct Figure {
    node: String,
    /// Received bytes per second; none with fewer than two samples.
    received: Option<f64>,
    /// MiB; none without a sample.
    working_set: Option<f64>,
}

fn figures(looks: &[Vec<PodSeen>]) -> Figures {
    let names: BTreeSet<&String> = looks.iter().flatten().map(|seen| &seen.pod).collect();
    let figure = |name: &String| {
        let of = |number: fn(&PodSeen) -> Option<Seen>| fresh(looks, name, number);
        let (received, sets) = (of(|seen| seen.received), of(|seen| seen.working_set));
        let node = looks.iter().flatten().find(|seen| seen.pod == *name).map(|seen| seen.node.clone()).unwrap_or_default();
        let sets: Vec<f64> = sets.iter().map(|seen| seen.value / f64::from(1 << 20)).collect();
        Figure { node, received: per_second(&received), working_set: (!sets.is_empty()).then(|| mean(&sets)) }
    };
    names.into_iter().map(|name| (name.clone(), figure(name))).collect()
}

/// The samples taken in the turn, each once.
fn fresh(looks: &[Vec<PodSeen>], name: &str, number: fn(&PodSeen) -> Option<Seen>) -> Vec<Seen> {
    let told = looks.iter().map(|look| look.iter().find(|seen| seen.pod == name).and_then(number));
    let told: Vec<Option<Seen>> = told.collect();
    let before = told.first().copied().flatten().map(|seen| seen.at);
    let mut fresh: Vec<Seen> = told.into_iter().flatten().filter(|seen| before.is_none_or(|before| seen.at > before)).collect();
    fresh.dedup_by_key(|seen| seen.at);
    fresh
}

fn per_second(received: &[Seen]) -> Option<f64> {
    let (first, last) = (received.first()?, received.last()?);
    let seconds = last.at.duration_since(first.at).as_secs_f64();
    // a counter that fell was reset in between
    (seconds > 0.0 && last.value >= first.value).then(|| (last.value - first.value) / seconds)
}

/// The pods of each arm that do not belong to the other.
fn alone(turns: &[(usize, Figures)], rate: f64) -> Result<[Vec<PodRecord>; 2], String> {
    let least = LEAST_BYTES * rate;
    let names: BTreeSet<&String> = turns.iter().flat_map(|(_, figures)| figures.keys()).collect();
    let (mut found, mut both) = ([Vec::new(), Vec::new()], 0);
    for name in names {
        let of = |arm: usize| {
            let turns = turns.iter().filter(move |(turn, _)| *turn == arm);
            turns.map(|(_, figures)| figures.get(name).and_then(|figure| figure.received)).collect::<Vec<Option<f64>>>()
        };
        let seen = [of(0), of(1)];
        if !seen.iter().flatten().flatten().any(|received| *received >= least) {
            continue;
        }
        let [Some(a), Some(b)] = seen.map(|turns| turns.into_iter().collect::<Option<Vec<f64>>>()) else {
            return Err(format!(
                "pod {name} received as much as the requests are, and its kubelet did not tell how much in every turn"
            ));
        };
        match owner(&a, &b, least) {
            Owner::One(arm) => found[arm].push(record(name, turns, arm, [a, b])?),
            Owner::Both => both += 1,
            Owner::Neither => {}
            Owner::Unclear => {
                return Err(format!("pod {name} received more from one arm, and not so much that it is that arm's alone"));
            }
        }
    }
    if both == 0 && found.iter().any(Vec::is_empty) {
        return Err("no pod was seen that received the requests of an arm".to_owned());
    }
    Ok(found)
}

/// Which arm's requests a pod receives.
#[derive(Debug, PartialEq)]
enum Owner {
    One(usize),
    Both,
    Neither,
    Unclear,
}

fn owner(a: &[f64], b: &[f64], least: f64) -> Owner {
    let lowest = |turns: &[f64]| turns.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = |turns: &[f64]| turns.iter().copied().fold(0.0, f64::max);
    for (arm, own, other) in [(0, a, b), (1, b, a)] {
        if lowest(own) < least {
            continue;
        }
        if lowest(own) >= ALONE * highest(other) {
            return Owner::One(arm);
        }
        if lowest(own) >= SHARED * highest(other) {
            return Owner::Unclear;
        }
    }
    if lowest(a) >= least && lowest(b) >= least { Owner::Both } else { Owner::Neither }
}

fn record(name: &str, turns: &[(usize, Figures)], arm: usize, received: [Vec<f64>; 2]) -> Result<PodRecord, String> {
    let own = || turns.iter().filter(|(turn, _)| *turn == arm).filter_map(|(_, figures)| figures.get(name));
    let sets: Vec<f64> = own().filter_map(|figure| figure.working_set).map(tidy).collect();
    if sets.len() < received[arm].len() {
        return Err(format!("pod {name} is one arm's alone, and its kubelet did not tell its memory in every turn"));
    }
    let node = own().next().map(|figure| figure.node.clone()).unwrap_or_default();
    let [received_a, received_b] = received.map(|turns| turns.into_iter().map(f64::round).collect());
    Ok(PodRecord { pod: name.to_owned(), node, received_a, received_b, working_set_mi: sets })
}

/// The difference of both arms' sums; the unit is the turn.
fn memory(a: &[PodRecord], b: &[PodRecord], turns: &[(usize, Figures)], level: f64) -> Estimate {
    let sums = |pods: &[PodRecord], arm: usize| -> Vec<f64> {
        let count = turns.iter().filter(|(turn, _)| *turn == arm).count();
        (0..count).map(|turn| pods.iter().map(|pod| pod.working_set_mi[turn]).sum()).collect()
    };
    let (a, b) = (sums(a, 0), sums(b, 1));
    estimate("memory", "Mi", mean(&b) - mean(&a), welch(&a, &b, level), level)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    /// Requests in a second.
    const RATE: f64 = 200.0;

    /// What a pod receives in a second, and its MiB, in a turn.
    type Pod<'a> = (&'a str, f64, f64);

    /// A turn of 50 s: each kubelet looks every 12 s, and is asked every 5.
    fn turn(number: i64, arm: usize, pods: &[Pod]) -> Turn {
        let at = |second: i64| Timestamp::from_second(1_764_000_000 + second).expect("a time");
        let look = |asked: i64| {
            // the last look before the question; the first one is of the turn before
            let looked = (number * 50 + asked).div_euclid(12) * 12;
            let seen = |value: f64| Some(Seen { at: at(looked), value });
            let pod = |(name, received, mi): &Pod| PodSeen {
                pod: (*name).into(),
                node: "w1".into(),
                working_set: seen(mi * f64::from(1 << 20)),
                received: seen(1e6 + received * looked as f64),
            };
            pods.iter().map(pod).collect()
        };
        Turn { arm, looks: (0..=10).map(|number| look(number * 5)).collect() }
    }

    /// A B B A; `before` has NGINX in front of what both have.
    fn hop() -> Vec<Turn> {
        let idle = [("nginx", 700.0, 60.0), ("gateway", 90_000.0, 50.0), ("metrics", 6_000.0, 20.0), ("istiod", 300.0, 90.0)];
        let busy = |mi: f64| {
            [("nginx", 95_000.0, mi), ("gateway", 110_000.0, 50.0), ("metrics", 4_000.0, 20.0), ("istiod", 900.0, 90.0)]
        };
        vec![turn(0, 0, &busy(61.0)), turn(1, 1, &idle), turn(2, 1, &idle), turn(3, 0, &busy(62.0))]
    }

    fn without(turns: Vec<Turn>, pod: &str, turn: usize) -> Vec<Turn> {
        let mut turns = turns;
        turns[turn].looks.iter_mut().for_each(|look| look.retain(|seen| seen.pod != pod));
        turns
    }

    #[test]
    fn the_hop_s_pod_is_the_first_arm_s_alone_and_its_memory_is_what_it_uses_under_load() {
        let found = conclude(&hop(), RATE, 0.95);
        assert_eq!(found.unknown, None);
        assert_eq!((found.a.len(), found.b.len()), (1, 0), "{found:?}");
        let nginx = &found.a[0];
        assert_eq!((nginx.pod.as_str(), nginx.node.as_str(), &nginx.working_set_mi), ("nginx", "w1", &vec![61.0, 62.0]));
        assert_eq!((&nginx.received_a, &nginx.received_b), (&vec![95_000.0; 2], &vec![700.0; 2]));
        let memory = found.memory.expect("an estimate");
        assert_eq!((memory.value, memory.unit.as_str(), working_set(&found.a)), (-61.5, "Mi", 61.5));
        // two turns: 61.5 plus or minus 12.706 times a half
        assert!((memory.low.expect("bounded") + 67.853).abs() < 0.001 && (memory.high.expect("bounded") + 55.147).abs() < 0.001);
    }

    #[test]
    fn what_was_seen_before_the_turn_is_not_of_the_turn() {
        let figures = figures(&turn(1, 0, &[("nginx", 95_000.0, 61.0)]).looks);
        assert_eq!(figures["nginx"].received, Some(95_000.0));
        let seen = fresh(&turn(1, 0, &[("nginx", 95_000.0, 61.0)]).looks, "nginx", |seen| seen.received);
        // looks at 60, 72, 84 and 96 s; the one at 48 s was there before
        assert_eq!(seen.len(), 4);
        assert_eq!(per_second(&seen[..1]), None, "one look is no rate");
    }

    #[test]
    fn a_pod_that_came_or_went_or_is_between_leaves_everything_open() {
        let gone = conclude(&without(hop(), "nginx", 2), RATE, 0.95);
        assert_eq!(
            gone.unknown.as_deref(),
            Some("pod nginx received as much as the requests are, and its kubelet did not tell how much in every turn")
        );
        assert_eq!((gone.a.len(), gone.memory), (0, None));
        // of no pod that the load has nothing to do with
        assert_eq!(conclude(&without(hop(), "istiod", 2), RATE, 0.95).unknown, None);
        let between = [("nginx", 30_000.0, 60.0), ("gateway", 90_000.0, 50.0)];
        let mut turns = hop();
        (turns[1], turns[2]) = (turn(1, 1, &between), turn(2, 1, &between));
        assert!(conclude(&turns, RATE, 0.95).unknown.is_some_and(|why| why.contains("not so much that it is that arm's alone")));
        let nobody: Vec<Turn> =
            [0, 1, 1, 0].into_iter().zip(0..).map(|(arm, number)| turn(number, arm, &[("istiod", 300.0, 90.0)])).collect();
        assert_eq!(
            conclude(&nobody, RATE, 0.95).unknown.as_deref(),
            Some("no pod was seen that received the requests of an arm")
        );
    }

    #[test]
    fn one_noisy_turn_makes_no_pod_an_arm_s_own() {
        assert_eq!(owner(&[9e4, 400.0], &[300.0, 300.0], 5e3), Owner::Neither);
        assert_eq!(owner(&[9e4, 8e4], &[300.0, 300.0], 5e3), Owner::One(0));
        assert_eq!(owner(&[300.0, 500.0], &[9e4, 8e4], 5e3), Owner::One(1));
        assert_eq!(owner(&[9e4, 8e4], &[9e4, 7e4], 5e3), Owner::Both);
    }
}
