//! Plans, validation and everything else before a change.

use super::{Place, repository};

#[test]
fn plan() {
    let place = Place::new();
    place.snapshot("plan_text", &["plan", "--offline", "-f", "profiles/minimal.yaml"]);
    place.snapshot("plan_json", &["plan", "--offline", "-f", "profiles/minimal.yaml", "-o", "json"]);
    place.snapshot("plan_dot", &["plan", "--dot", "-f", "profiles/minimal.yaml"]);
    place.snapshot("plan_without_engine", &["plan", "-f", "profiles/minimal.yaml"]);
}

#[test]
fn validate() {
    let place = Place::with_empty_engine();
    place.snapshot("validate", &["validate", "-f", &repository("profiles/quick.yaml")]);
    place.write(
        "hearth.yaml",
        "apiVersion: hearth.dev/v1alpha1\nkind: ClusterProfile\nmetadata: {name: Demo}\nspec:\n  kubernets: {version: 1.36.4}\n  \
         provider:\n    docker: {nodes: {workers: two}}\n  components:\n    workloads: {}\n",
    );
    place.snapshot("validate_problems", &["validate"]);
    place.snapshot("validate_problems_json", &["validate", "-o", "json"]);
    place.snapshot(
        "validate_set",
        &["validate", "-f", &repository("profiles/minimal.yaml"), "--set", "spec.provider.docker.node=3"],
    );
}

/// An exit code of its own: a script must not take a mistyped option for changes.
#[test]
fn changes_are_no_mistake_on_the_command_line() {
    let place = Place::new();
    place.hearth(&["plan", "--offline", "--detailed-exitcode", "-f", "profiles/minimal.yaml"]).expect(3);
    place.hearth(&["plan", "--detailed-exitcodes", "-f", "profiles/minimal.yaml"]).expect(2);
}
