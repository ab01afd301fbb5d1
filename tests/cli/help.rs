//! Help of every verb, and one table of exit codes for help, README and code.

use hearth::error::Family;

use super::Place;

#[test]
fn help() {
    let place = Place::new();
    place.snapshot("help", &["--help"]);
    let overview = place.hearth(&["--help"]).out;
    let verbs = overview.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let verbs: Vec<&str> =
        verbs.filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).filter(|verb| !verb.is_empty()).collect();
    assert!(verbs.len() > 14, "{verbs:?}");
    for verb in verbs.into_iter().filter(|verb| *verb != "help") {
        place.snapshot(&format!("help_{verb}"), &[verb, "--help"]);
    }
}

/// The sample application's server is not for people.
#[test]
fn shells_do_not_offer_hidden_verbs() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = Place::new().hearth(&["completions", shell]).expect(0).out;
        assert!(!script.contains("subcmd__was") && !script.contains("sample application server"), "{shell}: {script}");
        for offered in ["kubeconfig", "detailed-exitcode", "log-format", "version"] {
            assert!(script.contains(offered), "{shell}: {offered}");
        }
    }
}

#[test]
fn exit_codes_are_the_same_everywhere() {
    let help = Place::new().hearth(&["--help"]).out;
    let readme = include_str!("../../README.md");
    for family in Family::ALL {
        let (code, meaning) = (family.code(), family.meaning());
        assert!(help.contains(&format!("  {code:>3}  {meaning}\n")), "help: {code}");
        assert!(readme.contains(&format!("\n| {code} | {meaning} |\n")), "README: | {code} | {meaning} |");
    }
    let rows =
        readme.lines().skip_while(|line| !line.starts_with("| exit code")).take_while(|line| line.starts_with('|')).count();
    assert_eq!(rows, Family::ALL.len() + 3, "README has a code that is none: head, rule, 0 and the families");
}
