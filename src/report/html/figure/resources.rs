//! What each arm costs in pods and memory.

use maud::Markup;

use super::{Head, block, missing};
use crate::compare::record::Comparison;
use crate::compare::{PodRecord, working_set};
use crate::report::comparison::names;
use crate::report::html::Page;
use crate::report::html::table::{Table, numbers, text, words};
use crate::report::number::{SPACE, count, fixed};

/// The figure.
pub fn draw(page: &Page, id: &str, of: &Comparison) -> Markup {
    let reading =
        "Pods that the requests of one arm alone pass through, as the kubelets saw them while that arm had the load alone.";
    let empty = |why: &str| {
        missing(page, &Head { id, finding: "What the arms use", reading: "Pods and memory of each arm." }, "No resources.", why)
    };
    let Some(resources) = &of.resources else { return empty("No kubelet was asked for its figures.") };
    if let Some(why) = &resources.unknown {
        return empty(&format!("Nothing can be told: {}.", why.replace('`', "")));
    }
    let [a, b] = names(of);
    let columns = vec![
        words("Pod"),
        words("Node"),
        words("Passed by"),
        numbers("Bytes/s, its arm"),
        numbers("Bytes/s, other arm"),
        numbers("Working set, Mi"),
    ];
    let mut table = Table::new(format!("{}: pods of one arm alone", of.name), columns);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let mut row = |pod: &PodRecord, arm: &str, own: &[f64], other: &[f64]| {
        let bytes = |values: &[f64]| text(count(mean(values).round() as u64));
        let set = text(fixed(mean(&pod.working_set_mi), 1));
        table.row(vec![text(&pod.pod), text(&pod.node), text(arm), bytes(own), bytes(other), set]);
    };
    resources.a.iter().for_each(|pod| row(pod, a, &pod.received_a, &pod.received_b));
    resources.b.iter().for_each(|pod| row(pod, b, &pod.received_b, &pod.received_a));
    let cost = |name: &str, pods: &[PodRecord]| match pods.len() {
        0 => format!("{name} has no pod of its own"),
        many => format!("{name} has {many} of its own with {}{SPACE}Mi", fixed(working_set(pods), 1)),
    };
    let finding = format!("What the arms use: {}, {}", cost(a, &resources.a), cost(b, &resources.b));
    block(page, &Head { id, finding: &finding, reading }, table.cards("pods"))
}
