//! The end of the page: where it ran, how to run it again, and how to read it.

use maud::{Markup, html};

use super::table::{Table, numbers, text, words};
use crate::report::model::Report;
use crate::report::number::{count, file_size, span};

/// The three parts.
pub fn part(report: &Report) -> Markup {
    html! { (environment(report)) (reproduce(report)) (how(report)) }
}

fn environment(report: &Report) -> Markup {
    let place = &report.environment;
    let unknown = || "unknown".to_owned();
    let times = || {
        let scenarios = report.scenarios.iter().map(|run| (run.started, run.finished));
        scenarios.chain(report.comparisons.iter().map(|of| (of.started, of.finished)))
    };
    let (started, finished) = (times().map(|(from, _)| from).min(), times().map(|(_, to)| to).max());
    let nodes = match (place.nodes, &place.provider) {
        (Some(nodes), Some(provider)) => {
            format!(", {nodes} nodes on {}", if provider == "ssh" { "machines over SSH" } else { "Docker" })
        }
        _ => String::new(),
    };
    let profile = place.profile.as_ref().map(|profile| format!(", profile {profile}")).unwrap_or_default();
    let cpu = place.cpu.as_ref().map(|cpu| format!(" ({cpu})")).unwrap_or_default();
    // a comparison of two addresses knows nothing about a cluster
    let kubernetes = match &place.kubernetes {
        None if report.scenarios.is_empty() => String::new(),
        version => format!("{}{nodes}", version.clone().unwrap_or_else(unknown)),
    };
    let mut facts = vec![
        ("Run", report.run.clone()),
        ("When", started.zip(finished).map_or_else(unknown, |(from, to)| span(from, to))),
        ("Hearth", format!("{}{profile}", place.hearth)),
        ("Kubernetes", kubernetes),
        ("Machine", format!("{} CPUs{cpu}, kernel {}", place.cpus, place.kernel)),
        ("Load from", if place.load.is_empty() { unknown() } else { place.load.clone() }),
    ];
    facts.retain(|(_, value)| !value.is_empty());
    html! {
        section.part.page id="environment" aria-labelledby="h-env" { div.in {
            h2 id="h-env" { "Where it ran" }
            dl.env {
                @for (name, value) in &facts { div { dt { (name) } dd { (value) } } }
                @if !place.images.is_empty() {
                    div { dt { "Images" } dd.mono { @for (at, image) in place.images.iter().enumerate() { @if at > 0 { br; } (image) } } }
                }
            }
            details.more.print {
                summary { "What makes two runs comparable: the fingerprint" }
                p.dek.small {
                    "Two reports can be compared only if they agree on processor, number of CPUs, kernel, provider, number of \
                     nodes, Kubernetes, where the load came from, all images, and the digest of what ran. This run: "
                    code { (place.fingerprint()) } "."
                }
                @if !report.digests.is_empty() { (digests(report)) }
            }
        } }
    }
}

fn digests(report: &Report) -> Markup {
    let mut table = Table::new("Digests of what ran", vec![words("What"), words("Which"), words("SHA-256")]);
    for digest in &report.digests {
        table.row(vec![text(&digest.what), text(&digest.name), html! { span.mono.digest { (digest.sha256) } }]);
    }
    table.cards("digests")
}

fn reproduce(report: &Report) -> Markup {
    let mut seeds: Vec<String> = report.seeds.iter().map(|seed| format!("{} {}", seed.of, seed.seed)).collect();
    seeds.dedup();
    html! {
        section.part id="reproduce" aria-labelledby="h-rep" { div.in {
            h2 id="h-rep" { "Run it again" }
            @if !seeds.is_empty() { p.dek { "Seeds are fixed: " (seeds.join(", ")) "." } }
            @if !report.commands.is_empty() {
                div.cmd tabindex="0" role="region" aria-label="Commands" {
                    code { @for (at, command) in report.commands.iter().enumerate() { @if at > 0 { "\n" } "$ " (command) } }
                    button.copy type="button" { "Copy" }
                }
            }
            (files(report))
        } }
    }
}

fn files(report: &Report) -> Markup {
    let mut table = Table::new("Files with the raw numbers", vec![words("File"), words("What"), numbers("Size")]);
    // like the page, the size of the JSON follows from the report itself
    let json = serde_json::to_string_pretty(report).map_or(0, |text| text.len() as u64 + 1);
    table.row(vec![html! { span.mono { "report.json" } }, text("everything on this page, with a schema"), text(file_size(json))]);
    for file in &report.files {
        table.row(vec![html! { span.mono { (file.name) } }, text(&file.what), text(file_size(file.bytes))]);
    }
    html! { div.blk { h3 { "Raw numbers" } (table.cards("files")) } }
}

fn how(report: &Report) -> Markup {
    let requests =
        report.scenarios.iter().filter_map(|run| run.trial.as_ref()).find(|trial| trial.failed == 0 && trial.requests > 0);
    let example = requests.map_or(3_000, |trial| trial.requests);
    let bound = crate::report::number::below(crate::statistics::zero_failures_upper_95(example));
    html! {
        section.part id="how" aria-labelledby="h-how" { div.in {
            h2 id="h-how" { "How to read this page" }
            div.cols3 {
                p { b { "Due time" } "Requests leave on a schedule that does not wait for answers. Latency counts from the moment a request was due, so a stalled server cannot hide." }
                p { b { "Interval" } "Where the true difference plausibly lies. If it leaves zero outside, there is a difference; if it fits inside the margin, the difference does not matter." }
                p { b { "Better, equivalent, inconclusive" } "“No difference found” is never read as “no difference”. Equivalent has to be shown; otherwise the answer is inconclusive, with what it would take." }
                p { b { "Window" } "Requests within seconds of each other share their fate; counting each as evidence finds effects that are not there. One window is one observation." }
                p { b { "Below " (bound) } "No failure among " (count(example)) " requests does not prove zero. With 95\u{202f}% confidence the rate is below 1 − 0.05" sup { "1/" (example) } "." }
                p { b { "Control" } "The same test with the protection taken away. It must fail, or the pass means nothing." }
            }
        } }
    }
}
