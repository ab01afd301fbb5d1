//! JUnit XML, which CI systems list: a suite for each result, a case for each expectation, numbers and units as properties. A
//! broken expectation is a failure; a broken measurement or tool is an error.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report as Xml, TestCase, TestCaseStatus, TestSuite};

use super::model::Report;
use super::number::amount;
use super::terminal;
use crate::compare::record::Comparison;
use crate::scenario::record::{AssertionRecord, ControlRecord, TrialRecord};
use crate::scenario::{RunRecord, Verdict};

pub(super) fn render(report: &Report) -> String {
    let mut xml = Xml::new("hearth");
    if let Some(problem) = &report.problem {
        let mut suite = TestSuite::new("hearth");
        suite.add_test_case(broken("set-up", NonSuccessKind::Error, problem));
        xml.add_test_suite(suite);
    }
    for of in &report.comparisons {
        xml.add_test_suite(comparison(of));
    }
    for run in &report.scenarios {
        xml.add_test_suite(suite(run));
    }
    // quick-junit's types make every character valid in XML, and writing to a String cannot fail
    xml.to_string().unwrap_or_default()
}

/// A comparison: one case for its question, one for each check that decides whether it counts.
fn comparison(of: &Comparison) -> TestSuite {
    use crate::compare::Verdict;

    let mut suite = TestSuite::new(of.name.as_str());
    suite.extra.insert("timestamp".into(), of.started.strftime("%FT%TZ").to_string().into());
    suite.set_time(Duration::try_from(of.finished.duration_since(of.started)).unwrap_or_default());
    suite.add_property(property("run", &of.run));
    suite.add_property(property("verdict", of.verdict.name()));
    suite.add_property(property("declaration", &of.declaration.sha256));
    if let Some(estimate) = &of.estimate {
        let end = |end: Option<f64>| end.map_or("unbounded".to_owned(), |end| end.to_string());
        suite.add_property(property("estimate", &format!("{} {}", estimate.value, estimate.unit)));
        let interval = format!("{} to {} {}", end(estimate.low), end(estimate.high), estimate.unit);
        suite.add_property(property(&format!("{} % interval", estimate.level * 100.0), &interval));
    }
    let metric = of.declaration.content.metric.name();
    let sentence = terminal::told(of);
    let mut cases = vec![match of.verdict {
        Verdict::Better | Verdict::Equivalent => TestCase::new(metric, TestCaseStatus::success()),
        Verdict::Worse => broken(metric, NonSuccessKind::Failure, &sentence),
        Verdict::Inconclusive | Verdict::Invalid => broken(metric, NonSuccessKind::Error, &sentence),
    }];
    for check in of.checks.iter().filter(|check| check.decides) {
        let mut case = match check.holds {
            Some(true) => TestCase::new(check.id.as_str(), TestCaseStatus::success()),
            // what could not be measured does not hold
            Some(false) | None => broken(&check.id, NonSuccessKind::Error, &check.title),
        };
        case.add_property(property("measured", &check.measured));
        case.add_property(property("limit", &check.limit));
        cases.push(case);
    }
    for mut case in cases {
        case.set_classname(of.name.as_str());
        suite.add_test_case(case);
    }
    suite
}

fn suite(run: &RunRecord) -> TestSuite {
    let mut suite = TestSuite::new(run.scenario.as_str());
    suite.extra.insert("timestamp".into(), run.started.strftime("%FT%TZ").to_string().into());
    suite.set_time(Duration::try_from(run.finished.duration_since(run.started)).unwrap_or_default());
    suite.add_property(property("run", &run.run));
    suite.add_property(property("verdict", run.verdict.name()));
    suite.add_property(property("target", &run.method.target));
    let reasons = run.reasons.join("\n");
    match run.verdict {
        Verdict::Skipped => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reasons.as_str());
            suite.add_test_case(named(run, TestCase::new("requirements", status)));
        }
        Verdict::Error => {
            suite.add_test_case(named(run, broken("run", NonSuccessKind::Error, &reasons)));
        }
        Verdict::Invalid => {
            suite.add_test_case(named(run, broken("measurement", NonSuccessKind::Error, &reasons)));
        }
        Verdict::Pass | Verdict::Fail | Verdict::Inconclusive => {}
    }
    if let Some(trial) = &run.trial {
        numbers(&mut suite, trial);
        cases(&mut suite, run, trial);
    }
    if let Some(control) = &run.control {
        suite.add_test_case(named(run, control_case(control)));
    }
    if !run.cleanup.left.is_empty() {
        suite.add_test_case(named(run, broken("clean-up", NonSuccessKind::Error, &run.cleanup.left.join("\n"))));
    }
    suite
}

fn numbers(suite: &mut TestSuite, trial: &TrialRecord) {
    suite.add_property(property("requests", &format!("{} req", trial.requests)));
    suite.add_property(property("failed", &format!("{} req", trial.failed)));
    suite.add_property(property("answered after a retry", &format!("{} req", trial.repeated)));
    if let Some(bound) = trial.failure_rate_upper95 {
        suite.add_property(property("failure rate, upper 95 % bound", &format!("{} ppm", (bound * 1e6).ceil())));
    }
}

fn cases(suite: &mut TestSuite, run: &RunRecord, trial: &TrialRecord) {
    for assertion in &trial.assertions {
        let mut case = if run.verdict == Verdict::Invalid {
            let mut status = TestCaseStatus::skipped();
            status.set_message("not judged: the measurement does not count");
            TestCase::new(assertion.id.as_str(), status)
        } else if assertion.holds {
            TestCase::new(assertion.id.as_str(), TestCaseStatus::success())
        } else if let Some(why) = &assertion.unknown {
            broken(&assertion.id, NonSuccessKind::Error, &format!("{}: unknown: {why}", assertion.title))
        } else {
            broken(&assertion.id, NonSuccessKind::Failure, &told(assertion))
        };
        case.add_property(property("expectation", &assertion.title));
        if let Some(measured) = &assertion.measured {
            case.add_property(property("measured", &format!("{} {}", measured.value, measured.unit)));
        }
        let bound = &assertion.bound;
        case.add_property(property("bound", &format!("{} {} {}", assertion.comparison, bound.value, bound.unit)));
        suite.add_test_case(named(run, case));
    }
    if let Some(why) = &trial.unrecovered {
        suite.add_test_case(named(run, broken("steady state after", NonSuccessKind::Failure, why)));
    }
}

fn control_case(control: &ControlRecord) -> TestCase {
    let mut case = if !control.trial.invalid.is_empty() {
        broken("control", NonSuccessKind::Error, &control.trial.invalid.join("\n"))
    } else if control.held.is_empty() {
        TestCase::new("control", TestCaseStatus::success())
    } else {
        let why = format!("it proves nothing: {} held without what it rests on", control.held.join(", "));
        broken("control", NonSuccessKind::Error, &why)
    };
    case.add_property(property("control", &control.title));
    case.add_property(property("must fail", &control.must_fail.join(", ")));
    case.add_property(property("failed", &format!("{} of {} req", control.trial.failed, control.trial.requests)));
    case
}

fn told(assertion: &AssertionRecord) -> String {
    let measured = assertion.measured.as_ref().map_or("nothing".to_owned(), |measured| amount(measured.value, &measured.unit));
    let bound = amount(assertion.bound.value, &assertion.bound.unit);
    format!("{}: measured {measured}, expected {} {bound}", assertion.title, assertion.comparison)
}

fn broken(name: &str, kind: NonSuccessKind, why: &str) -> TestCase {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(why.lines().next().unwrap_or_default()).set_description(why);
    TestCase::new(name, status)
}

/// Sets the scenario as the case's class, by which CI systems group cases.
fn named(run: &RunRecord, mut case: TestCase) -> TestCase {
    case.set_classname(run.scenario.as_str());
    case
}

fn property(name: &str, value: &str) -> Property {
    Property::new(name, value)
}
