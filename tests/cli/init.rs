//! `hearth init`: what it writes is valid, whatever the cluster's name; and it overwrites nothing.

use super::Place;

#[test]
fn a_profile_is_written_and_none_is_overwritten() {
    let place = Place::with_empty_engine();
    place.snapshot("init", &["init"]);
    place.snapshot("init_again", &["init"]);
    place.snapshot("init_elsewhere", &["init", "lab.yaml", "--template", "homelab", "--name", "lab"]);
}

#[test]
fn names_that_yaml_reads_as_something_else_stay_names() {
    let place = Place::with_empty_engine();
    for name in ["mine", "true", "null", "123", "1e3", "0x1f", "1.36", "007", "no", "y"] {
        for template in ["quick", "minimal", "homelab"] {
            place.hearth(&["init", "p.yaml", "--force", "--name", name, "--template", template]).expect(0);
            assert_eq!(place.hearth(&["validate", "-f", "p.yaml", "-o", "json"]).expect(0).json()["name"], name);
        }
    }
}

#[test]
fn names_that_no_cluster_can_have_are_refused_before_anything_is_written() {
    let place = Place::with_empty_engine();
    for name in ["Bad_Name", "", "a: b", "-x", &"x".repeat(51)] {
        place.hearth(&["init", &format!("--name={name}")]).expect(10);
    }
    assert!(!place.work.join("hearth.yaml").exists());
    place.snapshot("init_bad_name", &["init", "--name", "Bad_Name"]);
}

#[test]
fn a_dash_means_standard_output() {
    let place = Place::with_empty_engine();
    let printed = place.hearth(&["init", "-", "--name", "mine"]).expect(0);
    assert_eq!((std::fs::read_dir(&place.work).unwrap().count(), printed.err.as_str()), (0, ""));
    let path = place.write("p.yaml", &printed.out);
    assert_eq!(place.hearth(&["validate", "-f", &path, "-o", "json"]).expect(0).json()["name"], "mine");
    assert_eq!(place.hearth(&["init", "-", "--name", "mine", "-o", "json"]).expect(0).json()["metadata"]["name"], "mine");
}
