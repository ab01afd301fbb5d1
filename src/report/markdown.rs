//! Markdown, as CI systems show it in a job's summary: the verdict first, then the numbers, then how they were obtained.

use std::fmt::{self, Write};

use super::claim;
use super::estimate::{bounds, places};
use super::model::Report;
use super::number::{SPACE, signed};
use super::terminal;
use crate::compare::record::Comparison;
use crate::error::in_one_line;
use crate::scenario::record::{
    Amount, AssertionRecord, ControlRecord, Fact, Facts, FaultRecord, ObservationRecord, PartRecord, RunRecord, TrialRecord,
    Verdict,
};

/// Most notes listed under one heading.
const LISTED_NOTES: usize = 10;

pub(super) fn render(report: &Report) -> String {
    let mut text = String::new();
    // writing to a String cannot fail
    let _ = write_report(&mut text, report);
    text
}

fn write_report(out: &mut String, report: &Report) -> fmt::Result {
    if let Some(problem) = &report.problem {
        writeln!(out, "# ERROR: the scenarios could not run as asked\n\n```\n{problem}\n```\n")?;
    }
    if report.scenarios.len() > 1 {
        writeln!(out, "| Verdict | Scenario | Requests | Failed |\n|---|---|--:|--:|")?;
        for run in &report.scenarios {
            let counts = run.trial.as_ref().map(|trial| (trial.requests.to_string(), trial.failed.to_string()));
            let (requests, failed) = counts.unwrap_or_default();
            writeln!(out, "| **{}** | {} | {requests} | {failed} |", run.verdict.name(), cell(&run.scenario))?;
        }
        writeln!(out)?;
    }
    report.comparisons.iter().try_for_each(|of| write_comparison(out, of))?;
    report.scenarios.iter().try_for_each(|run| write_run(out, run))
}

fn write_comparison(out: &mut String, of: &Comparison) -> fmt::Result {
    writeln!(out, "# {}: {}\n\n{}\n", of.verdict.name(), cell(&of.name), terminal::told(of))?;
    for reason in of.reasons.iter().skip(1).chain(&of.notes) {
        writeln!(out, "- {reason}")?;
    }
    writeln!(
        out,
        "\n| Metric | {} | {} | Difference | Interval | Verdict |",
        cell(&of.declaration.content.arms[0].name),
        cell(&of.declaration.content.arms[1].name)
    )?;
    writeln!(out, "|---|--:|--:|--:|---|---|")?;
    let value = |ms: Option<f64>| ms.map_or("not known".to_owned(), time);
    for metric in &of.metrics {
        let (difference, interval) = match &metric.estimate {
            Some(estimate) => {
                let places = places(metric);
                (format!("{}{SPACE}ms", signed(estimate.value, places)), bounds(estimate, places))
            }
            None => ("none".into(), metric.not_judged.clone().unwrap_or_default()),
        };
        let verdict = metric.verdict.map_or("not judged", |verdict| verdict.name());
        let (a, b) = (value(metric.a_ms), value(metric.b_ms));
        writeln!(out, "| {} | {a} | {b} | {difference} | {interval} | {verdict} |", metric.metric)?;
    }
    write_claim(out, of)?;
    writeln!(
        out,
        "\n{} of {} windows void. Declared before the first request, sha256 `{}`.\n",
        of.void.windows, of.void.of, of.declaration.sha256
    )
}

/// The published figures, line by line.
fn write_claim(out: &mut String, of: &Comparison) -> fmt::Result {
    if of.claim.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n| Claimed | Measured | Result | Why |\n|---|---|---|---|")?;
    of.claim.iter().try_for_each(|line| {
        let (claimed, measured, result) = (claim::claimed(line.claim), claim::measured(line), line.judgement.name());
        writeln!(out, "| {} | {measured} | **{result}** | {} |", super::sentence::capital(&claimed), cell(&line.why))
    })
}

fn write_run(out: &mut String, run: &RunRecord) -> fmt::Result {
    writeln!(out, "# {}: {}\n", run.verdict.name(), run.title)?;
    for reason in &run.reasons {
        writeln!(out, "- {}", in_one_line(reason))?;
    }
    if !run.reasons.is_empty() {
        writeln!(out)?;
    }
    if let Some(trial) = &run.trial {
        write_trial(out, trial)?;
    }
    match (&run.control, run.verdict) {
        (Some(control), _) => write_control(out, control)?,
        (None, Verdict::Pass) => {
            writeln!(out, "## Negative control\n\nThe scenario has none: nothing proves that it can fail.\n")?
        }
        (None, _) => {}
    }
    write_validity(out, run)?;
    write_cleanup(out, run)?;
    write_method(out, run)
}

fn write_trial(out: &mut String, trial: &TrialRecord) -> fmt::Result {
    writeln!(out, "{}\n", sum(trial))?;
    writeln!(out, "## Assertions\n")?;
    write_assertions(out, &trial.assertions)?;
    write_faults(out, &trial.faults)?;
    if let Some(recovery) = trial.recovery_ms.filter(|_| !trial.faults.is_empty()) {
        writeln!(out, "The steady state was back {} after the last fault.\n", time(recovery))?;
    }
    write_notes(out, &trial.notes)?;
    trial.observations.iter().try_for_each(|observation| write_observation(out, observation))?;
    writeln!(out, "## Latency\n")?;
    write_parts(out, &trial.parts)?;
    write_failures(out, trial)
}

/// The outcome of the requests, in one or two sentences.
fn sum(trial: &TrialRecord) -> String {
    let mut text = format!("**{} of {} requests failed.**", trial.failed, trial.requests);
    if let Some(bound) = trial.failure_rate_upper95 {
        let _ = write!(text, " The failure rate is below {} (upper 95 % bound, 1 - 0.05^(1/N)).", share(bound));
    } else if trial.requests > 0 {
        let _ = write!(text, " That is {}.", share(trial.failed as f64 / trial.requests as f64));
    }
    let outcomes = trial.outcomes.iter().filter(|(name, _)| *name != "ok");
    let listed: Vec<String> = outcomes.map(|(name, count)| format!("{count} {name}")).collect();
    if !listed.is_empty() {
        let _ = write!(text, " Failed: {}.", listed.join(", "));
    }
    if trial.repeated > 0 {
        let _ = write!(text, " {} reached a server only after a retry.", trial.repeated);
    }
    text
}

fn write_assertions(out: &mut String, assertions: &[AssertionRecord]) -> fmt::Result {
    writeln!(out, "| Holds | Assertion | Measured | Bound |\n|---|---|--:|--:|")?;
    for assertion in assertions {
        let holds = if assertion.holds { "yes" } else { "**no**" };
        let holds = if assertion.unknown.is_some() { "unknown" } else { holds };
        let measured = match (&assertion.measured, &assertion.unknown) {
            (Some(measured), _) => amount(measured),
            (None, Some(why)) => cell(why),
            (None, None) => "never".to_owned(),
        };
        let (title, id) = (cell(&assertion.title), &assertion.id);
        writeln!(out, "| {holds} | {title} (`{id}`) | {measured} | {} {} |", assertion.comparison, amount(&assertion.bound))?;
    }
    writeln!(out)
}

/// Faults, in a table for each kind; every further fact about them has a column.
fn write_faults(out: &mut String, faults: &[FaultRecord]) -> fmt::Result {
    let mut rest = faults;
    while let Some(first) = rest.first() {
        let count = rest.iter().take_while(|fault| fault.fault == first.fault).count();
        let (same, others) = rest.split_at(count);
        let names = names(same.iter().map(|fault| &fault.facts));
        writeln!(out, "## Faults: {}\n", first.fault)?;
        writeln!(out, "| At | Target | {} | Met requests | Done after | Back after |", heading(&names))?;
        writeln!(out, "|--:|---|{}---|--:|--:|", "---|".repeat(names.len()))?;
        for fault in same {
            let since = |at: Option<f64>| at.map_or("never seen".to_owned(), |at| time(at - fault.at_ms));
            let met = if fault.bit { "yes" } else { "**no**" };
            let facts = cells(&names, &fault.facts);
            let (done, back) = (since(fault.done_ms), since(fault.recovered_ms));
            writeln!(out, "| {} | {} | {facts} | {met} | {done} | {back} |", time(fault.at_ms), cell(&fault.target))?;
        }
        writeln!(out)?;
        rest = others;
    }
    Ok(())
}

fn write_observation(out: &mut String, observation: &ObservationRecord) -> fmt::Result {
    writeln!(out, "## {}\n", observation.title)?;
    let (totals, rows) = (&observation.totals, &observation.rows);
    write_facts(out, totals)?;
    match (totals.is_empty(), rows.is_empty()) {
        (true, true) => writeln!(out, "Nothing was counted.\n")?,
        (_, true) => {}
        (true, false) => write_facts(out, rows)?,
        (false, false) => {
            writeln!(out, "<details><summary>In detail</summary>\n")?;
            write_facts(out, rows)?;
            writeln!(out, "</details>\n")?;
        }
    }
    write_notes(out, &observation.notes)
}

fn write_facts(out: &mut String, rows: &[Facts]) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    let names = names(rows.iter());
    writeln!(out, "| {} |\n|{}", heading(&names), "---|".repeat(names.len()))?;
    rows.iter().try_for_each(|row| writeln!(out, "| {} |", cells(&names, row)))?;
    writeln!(out)
}

/// Names of all facts, each once, in the order of their first appearance.
fn names<'a>(all: impl Iterator<Item = &'a Facts>) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for name in all.flat_map(Facts::names) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn heading(names: &[&str]) -> String {
    names.iter().map(|name| cell(&super::sentence::capital(name))).collect::<Vec<_>>().join(" | ")
}

fn cells(names: &[&str], facts: &Facts) -> String {
    let fact = |name: &&str| match facts.get(name) {
        Some(Fact::Text(text)) => cell(&text),
        Some(Fact::Amount(value)) => amount(&value),
        Some(Fact::Unknown) => "not known".to_owned(),
        None => String::new(),
    };
    names.iter().map(fact).collect::<Vec<_>>().join(" | ")
}

fn write_notes(out: &mut String, notes: &[String]) -> fmt::Result {
    notes.iter().take(LISTED_NOTES).try_for_each(|note| writeln!(out, "- {}", note.replace('\n', " ")))?;
    if notes.len() > LISTED_NOTES {
        writeln!(out, "- and {} more notes in the JSON report", notes.len() - LISTED_NOTES)?;
    }
    if notes.is_empty() { Ok(()) } else { writeln!(out) }
}

fn write_parts(out: &mut String, parts: &[PartRecord]) -> fmt::Result {
    writeln!(out, "From the moment each request was due; a failed one counts as slow as the timeout.\n")?;
    writeln!(out, "| Part | Requests | Failed | p50 | p90 | p99 | p99.9 | max |\n|---|--:|--:|--:|--:|--:|--:|--:|")?;
    for part in parts {
        let name = part.part.name();
        let of = &part.latency;
        let times = [of.p50_ms, of.p90_ms, of.p99_ms, of.p999_ms, of.max_ms].map(time).join(" | ");
        writeln!(out, "| {name} | {} | {} | {times} |", part.requests, part.failed)?;
    }
    writeln!(out)
}

fn write_failures(out: &mut String, trial: &TrialRecord) -> fmt::Result {
    if trial.failures.is_empty() {
        return Ok(());
    }
    writeln!(out, "<details><summary>The first {} of {} failed requests</summary>\n", trial.failures.len(), trial.failed)?;
    writeln!(out, "| Request | Due at | Failed after | Outcome | Status |\n|---|--:|--:|---|--:|")?;
    for failure in &trial.failures {
        let status = failure.status.map_or(String::new(), |status| status.to_string());
        let after = time(failure.done_ms - failure.scheduled_ms);
        let (id, outcome) = (&failure.request_id, &failure.outcome);
        writeln!(out, "| `{id}` | {} | {after} | {outcome} | {status} |", time(failure.scheduled_ms))?;
    }
    writeln!(out, "\n</details>\n")
}

fn write_control(out: &mut String, control: &ControlRecord) -> fmt::Result {
    let proven = control.held.is_empty() && control.trial.invalid.is_empty();
    let result = if proven { "it failed, as it must" } else { "**it did not fail as it must: the scenario proves nothing**" };
    writeln!(out, "## Negative control\n\n{}: {result}. {}\n", control.title, sum(&control.trial))?;
    write_assertions(out, &control.trial.assertions)?;
    write_faults(out, &control.trial.faults)
}

fn write_validity(out: &mut String, run: &RunRecord) -> fmt::Result {
    let Some(calibration) = &run.calibration else { return Ok(()) };
    writeln!(out, "## Validity\n")?;
    writeln!(
        out,
        "- The generator alone ({} priority), against a server that does nothing: late by {} (median) and {} (p99); smallest latency that can be measured: {}.",
        calibration.priority.name(),
        time(calibration.release_error_p50_ms),
        time(calibration.release_error_p99_ms),
        time(calibration.latency_p50_ms)
    )?;
    let trials = run.trial.iter().map(|trial| ("Claim", trial)).chain(run.control.iter().map(|c| ("Control", &c.trial)));
    for (name, trial) in trials {
        let void = trial.windows.iter().filter(|window| window.void).count();
        let late = trial.windows.iter().map(|window| window.release_error_p99_ms).fold(0.0, f64::max);
        let discarded = match void {
            0 => "nothing discarded".to_owned(),
            void => {
                format!("{void} seconds discarded because the generator was late; their failures count, their latencies do not")
            }
        };
        let (offered, seconds) = (share(trial.offered_share), trial.windows.len());
        writeln!(
            out,
            "- {name}: {offered} of the due requests sent, {seconds} seconds, worst release error p99 {}, {discarded}.",
            time(late)
        )?;
        trial.invalid.iter().try_for_each(|why| writeln!(out, "- {name} does not count: {why}."))?;
    }
    writeln!(out)
}

fn write_cleanup(out: &mut String, run: &RunRecord) -> fmt::Result {
    let cleanup = &run.cleanup;
    if cleanup.healed.is_empty() && cleanup.undone.is_empty() && cleanup.left.is_empty() {
        return Ok(());
    }
    writeln!(out, "## Clean-up\n")?;
    cleanup.healed.iter().try_for_each(|what| writeln!(out, "- left by an earlier run, taken back first: {what}"))?;
    cleanup.undone.iter().try_for_each(|what| writeln!(out, "- changed and taken back: {what}"))?;
    cleanup.left.iter().try_for_each(|what| writeln!(out, "- **still changed:** {what}"))?;
    writeln!(out)
}

fn write_method(out: &mut String, run: &RunRecord) -> fmt::Result {
    let (method, environment) = (&run.method, &run.environment);
    writeln!(out, "## How to reproduce\n\n```sh\nhearth test {}\n```\n", run.file)?;
    writeln!(out, "- Target: `{}`", method.target)?;
    writeln!(
        out,
        "- Load: open loop, {} req/s, each request moved by up to ±{} of the interval (seed {}), {} connections, timeout {}, client retries: {}.",
        method.rate_per_second,
        share(method.arrivals.jitter.0),
        method.arrivals.seed,
        method.connections,
        time(method.timeout_ms),
        method.client_retries
    )?;
    let kubernetes = environment.kubernetes.as_deref().unwrap_or("unknown");
    let profile = environment.profile.as_deref().map(|profile| format!(", profile {profile}")).unwrap_or_default();
    let (hearth, kernel, cpus) = (&environment.hearth, &environment.kernel, environment.cpus);
    writeln!(out, "- Hearth {hearth}{profile}, Kubernetes {kubernetes}, kernel {kernel}, {cpus} CPUs.")?;
    if !environment.images.is_empty() {
        writeln!(out, "- Images: {}.", environment.images.join(", "))?;
    }
    let seconds = run.finished.duration_since(run.started).as_secs();
    writeln!(
        out,
        "- Run {}, {} to {} ({seconds} s).\n",
        run.run,
        run.started.strftime("%F %T"),
        run.finished.strftime("%F %T UTC")
    )
}

fn amount(amount: &Amount) -> String {
    if amount.unit == "ms" { time(amount.value) } else { format!("{} {}", amount.value, amount.unit) }
}

/// A time with three significant digits.
fn time(ms: f64) -> String {
    match ms {
        ms if ms >= 1000.0 => format!("{:.1} s", ms / 1e3),
        ms if ms >= 100.0 => format!("{ms:.0} ms"),
        ms if ms >= 10.0 => format!("{ms:.1} ms"),
        ms if ms >= 1.0 => format!("{ms:.2} ms"),
        ms if ms >= 0.001 => format!("{:.0} us", ms * 1e3),
        _ => "under 1 us".to_owned(),
    }
}

fn share(share: f64) -> String {
    let percent = share * 100.0;
    let text = if percent >= 1.0 { format!("{percent:.2}") } else { format!("{percent:.4}") };
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} %")
}

/// Text in which nothing can end a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
