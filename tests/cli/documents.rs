//! `-o json` and `-o yaml`: one document, whatever happens. `--log-format json`: only events on stderr.

use serde_json::Value;

use super::{Place, repository};

#[test]
fn a_failure_is_one_document_too() {
    let place = Place::with_empty_engine();
    let status = place.hearth(&["status", "--name", "nobody", "-o", "json"]).expect(20).json();
    assert_eq!((&status["error"]["code"], &status["error"]["family"]), (&Value::from(20), &Value::from("preflight")));
    assert!(status["error"]["message"].as_str().unwrap().contains("nobody") && status["error"]["hint"].is_string());
    let yaml = place.hearth(&["status", "--name", "nobody", "-o", "yaml"]).expect(20).out;
    assert!(yaml.contains("error:\n  message:") && yaml.contains("code: 20"), "{yaml}");
    // also when the command line itself cannot be read
    for args in [["status", "--nonsense", "-o", "json"], ["status", "-ojson", "--nonsense", "--quiet"]] {
        let refused = place.hearth(&args).expect(2).json();
        assert_eq!(refused["error"]["family"], "usage", "{args:?}");
    }
}

/// A test whose set-up fails has a report, and result and error are one document.
#[test]
fn a_result_and_its_error_are_one_document() {
    let place = Place::with_empty_engine();
    place.keep("quick", "profiles/quick.yaml");
    let scenario = repository("scenarios/pod-kill-retry.yaml");
    let ran = place.hearth(&["test", &scenario, "--name", "quick", "--report-dir", "reports", "-o", "json"]).expect(20);
    let document = ran.json();
    assert!(document["problem"].as_str().unwrap().contains("no cluster named `quick`"), "{document}");
    assert_eq!(document["error"]["code"], 20);
    let report: Value = serde_json::from_slice(&std::fs::read(place.work.join("reports/report.json")).unwrap()).unwrap();
    assert_eq!(report["problem"], document["problem"]);
    let junit = std::fs::read_to_string(place.work.join("reports/junit.xml")).unwrap();
    assert!(junit.contains("no cluster named"), "{junit}");
}

#[test]
fn what_is_no_data_is_refused_as_data() {
    let place = Place::new();
    for args in [
        &["plan", "--dot", "-f", "profiles/minimal.yaml", "-o", "json"][..],
        &["-o", "json", "plan", "--dot", "-f", "profiles/minimal.yaml"],
        &["completions", "bash", "--output=json"],
        &["ssh", "n1", "-o", "json"],
    ] {
        let refused = place.hearth(args).expect(2).json();
        assert!(refused["error"]["message"].as_str().unwrap().contains("leave out -o"), "{args:?}: {refused}");
    }
    place.snapshot("dot_as_json", &["plan", "--dot", "-f", "profiles/minimal.yaml", "-o", "json"]);
}

#[test]
fn a_schema_and_findings_are_documents() {
    let place = Place::with_stopped_engine();
    let schema = hearth::yaml::documents(&place.hearth(&["schema", "scenario", "-o", "yaml"]).expect(0).out).unwrap();
    assert_eq!((schema.len(), &schema[0]), (1, &place.hearth(&["schema", "scenario", "-o", "json"]).expect(0).json()));
    let findings = place.hearth(&["doctor", "-o", "json"]).expect(30).json();
    assert_eq!(findings[0]["id"], "engine-absent", "{findings}");
}

#[test]
fn every_line_of_a_json_log_is_an_event() {
    let place = Place::with_empty_engine();
    place.keep("quick", "profiles/quick.yaml");
    let ran = place.hearth(&["down", "--name", "quick", "--yes", "--log-format", "json"]).expect(0);
    let events: Vec<Value> =
        ran.err.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!((names[0], names[1], names[names.len() - 1]), ("log", "run-started", "run-finished"), "{names:?}");
    assert_eq!(events[1]["verb"], "down");
    let ran = place.hearth(&["status", "--name", "quick", "--log-format", "json"]).expect(20);
    let failed: Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!((&failed["event"], &failed["code"]), (&Value::from("failed"), &Value::from(20)));
}

#[test]
fn the_format_of_comparisons_is_seen_when_it_changes() {
    Place::new().snapshot("schema_comparison", &["schema", "comparison"]);
}
