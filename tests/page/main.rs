//! The page in a real browser: every verdict, every empty state, every width, light and dark (`make test-page`).
//!
//! Reports are made from values of the model, written to files as for a user, and examined by `check.mjs` in headless Chromium.
//! Their numbers were not measured, so every figure is stamped.

#![allow(clippy::unwrap_used)] // a test that cannot go on has failed

mod comparisons;
mod scenarios;

use std::path::Path;
use std::process::Command;

use hearth::compare::Comparison;
use hearth::report::{About, Digest, Place, Report, write};
use hearth::scenario::RunRecord;

/// The stamp on every fixture.
const STAMP: &str = "test data";

/// A report of these runs, the same for every call.
fn report(scenarios: Vec<RunRecord>) -> Report {
    let about = About {
        run: "20261126-185645-test".into(),
        place: Place { provider: Some("docker".into()), nodes: Some(3), load: "this machine, through the VIP".into() },
        commands: vec!["hearth up -f profiles/quick.yaml".into(), "hearth test scenarios/ -f profiles/quick.yaml".into()],
        digests: vec![Digest::of("scenario", "scenarios/pod-kill-retry.yaml", b"as in the repository")],
    };
    let mut report = Report::new(about, Path::new("nowhere"), scenarios);
    report.written = "2026-11-26T18:56:45Z".parse().unwrap();
    report.environment.kernel = "6.18.44".into();
    report.environment.cpu = Some("Some CPU @ 2.50GHz".into());
    report.environment.cpus = 2;
    report.stamp = Some(STAMP.into());
    report
}

/// A report of one comparison.
fn compared(of: Comparison) -> Report {
    report(Vec::new()).with_comparisons(vec![of])
}

/// Every page that is examined, by name.
fn pages() -> Vec<(&'static str, Report)> {
    vec![
        ("pass", report(vec![scenarios::pass()])),
        ("fail", report(vec![scenarios::fail()])),
        ("invalid", report(vec![scenarios::invalid()])),
        ("inconclusive", report(vec![scenarios::inconclusive()])),
        ("skipped", report(vec![scenarios::skipped()])),
        ("error", report(vec![scenarios::error()])),
        ("broken", report(vec![scenarios::broken_otherwise()])),
        ("bare", report(vec![scenarios::bare()])),
        ("hostile", report(vec![scenarios::hostile(), scenarios::pass()])),
        ("many", report(scenarios::many())),
        ("better", compared(comparisons::better())),
        ("worse", compared(comparisons::worse())),
        ("equivalent", compared(comparisons::equivalent())),
        ("open", compared(comparisons::inconclusive())),
        ("void", compared(comparisons::invalid())),
        ("unbounded", compared(comparisons::unbounded())),
        ("unmeasured", compared(comparisons::nothing())),
        ("hostile-arms", report(vec![scenarios::fail()]).with_comparisons(vec![comparisons::hostile()])),
        ("story", report(vec![scenarios::pass()]).with_comparisons(vec![comparisons::better()])),
        ("nothing", report(Vec::new()).with_problem("no Docker engine answers\n  caused by: connection refused")),
    ]
}

#[test]
fn every_verdict_is_looked_at() {
    use hearth::report::model::Verdict::*;
    let seen: Vec<_> =
        pages().iter().flat_map(|(_, report)| &report.summary.results).map(|line| line.verdict).collect::<Vec<_>>();
    for verdict in [Fail, Error, Invalid, Worse, Inconclusive, Skipped, Better, Equivalent, Pass] {
        assert!(seen.contains(&verdict), "{verdict:?}");
    }
    // the tenth is a page without any result
    assert!(pages().iter().any(|(_, report)| report.summary.results.is_empty()));
}

#[test]
fn pages_hold_in_chromium() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/page/reports");
    let _ = std::fs::remove_dir_all(&dir);
    for (name, report) in pages() {
        write(&dir.join(name), &report).unwrap();
        // one comparison and one scenario of usual size fit; a long list of results may be longer
        let (size, limit) = (report.to_html().len(), 300_000 * report.summary.results.len().div_ceil(2).max(1));
        assert!(size <= limit, "{name}: {size} bytes");
        assert_eq!(report.to_html(), report.to_html(), "{name}: the same report leads to the same bytes");
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page/check.mjs");
    let status = Command::new("node").arg(script).arg(&dir).status().expect("node is there: `make test-page` installs it");
    assert!(status.success(), "see the lines above");
}
