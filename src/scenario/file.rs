//! Scenario files: read strictly, then checked for what a schema cannot say.

use std::collections::HashSet;

use super::change::Edit;
use super::schema::{Metadata, ScenarioFile, Spec};
use crate::input::{Layer, Located, Problem, Problems, load_with};
use crate::load::LONGEST;

/// A valid scenario.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The file it came from.
    pub file: String,
    /// Its name and claim.
    pub metadata: Metadata,
    /// What happens, and what is expected.
    pub spec: Spec,
}

/// Reads a scenario. `file_name` is for messages and the report.
///
/// # Errors
/// All [`Problems`] of the file, each with its place.
pub fn load_file(file_name: &str, text: &str) -> Result<Scenario, Problems> {
    let layer = Layer { name: file_name.to_owned(), text: text.to_owned() };
    load_with::<ScenarioFile, _>(&[layer], &[], |located, problems| {
        // its rules are about values of several places: stand-ins among them would be judged as if they had been written
        if located.is_whole() {
            check(&located, problems);
        }
        let ScenarioFile { metadata, spec, .. } = located.value;
        Scenario { file: file_name.to_owned(), metadata, spec }
    })
}

fn check(located: &Located<ScenarioFile>, problems: &mut Vec<Problem>) {
    let spec = &located.value.spec;
    let mut report = |path: &str, message: String, hint: Option<&str>| {
        problems.push(located.problem(path, message, hint.map(str::to_owned)));
    };
    let name = &located.value.metadata.name;
    let plain = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !plain(name) || name.len() > 63 {
        report("metadata.name", format!("`{name}` is not made of a-z, 0-9 and `-`"), Some("it names folders and objects"));
    }
    let path = &spec.target.path;
    if !path.starts_with('/') || !path.bytes().all(|byte| (b'!'..=b'~').contains(&byte)) {
        report("spec.target.path", format!("`{path}` is not a path"), Some("begin with `/`, encode spaces as %20"));
    }
    if spec.load.arrivals.jitter.0 > 0.5 {
        report("spec.load.arrivals.jitter", "more than 50 % would change the order of requests".into(), None);
    }
    if spec.load.timeout.0 >= LONGEST {
        report("spec.load.timeout", "longer than any run".into(), Some("an hour is the longest"));
    }
    let mut ids = HashSet::new();
    for (index, assertion) in spec.assertions.iter().enumerate() {
        if !ids.insert(assertion.id.as_str()) {
            report(&format!("spec.assertions[{index}].id"), format!("`{}` is there twice", assertion.id), None);
        }
        for (path, message) in assertion.expect.problems(spec) {
            report(&format!("spec.assertions[{index}].expect.{path}"), message, None);
        }
    }
    check_setup(spec, &mut report);
    for (index, id) in spec.control.iter().flat_map(|control| control.negative.must_fail.iter().enumerate()) {
        if !ids.contains(id.as_str()) {
            let path = format!("spec.control.negative.mustFail[{index}]");
            report(&path, format!("there is no assertion `{id}`"), Some("write an id from spec.assertions"));
        }
    }
    for (index, moment) in spec.timeline.iter().enumerate() {
        for (path, message) in moment.fault.problems() {
            report(&format!("spec.timeline[{index}].fault.{path}"), message, None);
        }
    }
}

/// Checks the edits, and the ones left out in the control.
fn check_setup(spec: &Spec, report: &mut impl FnMut(&str, String, Option<&str>)) {
    let mut ids = HashSet::new();
    for (index, setup) in spec.setup.iter().enumerate() {
        if !ids.insert(setup.id.as_str()) {
            report(&format!("spec.setup[{index}].id"), format!("`{}` is there twice", setup.id), None);
        }
        if let Edit::Create(create) = &setup.edit
            && create.target().is_none()
        {
            let path = format!("spec.setup[{index}].edit.create.object");
            let hint = "it needs apiVersion, kind, metadata.namespace and metadata.name";
            report(&path, "this is no object with a name".into(), Some(hint));
        }
    }
    let Some(control) = &spec.control else { return };
    let negative = &control.negative;
    for (index, id) in negative.without.iter().enumerate() {
        if !ids.contains(id.as_str()) {
            let path = format!("spec.control.negative.without[{index}]");
            report(&path, format!("there is no edit `{id}`"), Some("write an id from spec.setup"));
        }
    }
    if negative.without.is_empty() && negative.patches.is_empty() {
        report("spec.control.negative", "it takes nothing away".into(), Some("write `without` or `patches`"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD_KILL: &str = include_str!("../../scenarios/pod-kill-retry.yaml");

    #[test]
    fn the_shipped_scenario_is_valid() {
        let scenario = load_file("pod-kill-retry.yaml", POD_KILL).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(scenario.metadata.name, "pod-kill-retry");
        assert!(scenario.spec.control.is_some());
    }

    #[test]
    fn all_problems_come_at_once_with_their_places() {
        let text = POD_KILL
            .replace("rate: 100 req/s", "rate: 100")
            .replace("timeout: 20s", "timeout: 20")
            .replace("  target:", "  targte:");
        insta::assert_snapshot!("structure", load_file("scenario.yaml", &text).expect_err("refused"));
        let text = POD_KILL
            .replace("mustFail: [zero-loss]", "mustFail: [zero-los]")
            .replace("id: recovery", "id: zero-loss")
            .replace("of: gateway", "of: gatewya")
            .replace("jitter: 50 %", "jitter: 60 %");
        insta::assert_snapshot!("meaning", load_file("scenario.yaml", &text).expect_err("refused"));
    }
}
