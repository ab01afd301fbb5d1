//! Which cluster a verb means, and why that one.

use std::process::{Command, Stdio};

use super::{Place, repository};

const CI: &str =
    "apiVersion: hearth.dev/v1alpha1\nkind: ClusterProfile\nmetadata: {name: ci-7}\nspec: {provider: {docker: {}}}\n";

/// A project's `hearth.yaml` names a cluster that is not up, while another one is: the other one is not meant.
#[test]
fn the_project_s_cluster_is_meant_not_the_one_that_happens_to_be_up() {
    let place = Place::with_empty_engine();
    place.keep("quick", "profiles/quick.yaml");
    place.write("hearth.yaml", CI);
    for verb in [&["status"][..], &["unlock"], &["logs", "ci-7-worker"], &["kubeconfig", "--path"]] {
        let ran = place.hearth(verb);
        let all = ran.out + &ran.err;
        assert!(all.contains("ci-7") && !all.contains("quick"), "{verb:?}: {all}");
    }
    let down = place.hearth(&["down", "--yes"]).expect(0);
    assert!(down.out.contains("There is no cluster `ci-7`"), "{}", down.out);
    assert!(place.path("hearth/quick/profile.json").exists(), "quick is still there");
    // a name takes precedence over the file
    let status = place.hearth(&["status", "--name", "quick"]).expect(20);
    assert!(status.err.contains("`quick`"), "{}", status.err);
}

#[test]
fn down_does_not_guess() {
    let place = Place::with_empty_engine();
    place.keep("quick", "profiles/quick.yaml");
    place.snapshot("down_guess", &["down", "--yes"]);
    place.snapshot("down_unasked", &["down", "--name", "quick"]);
    assert!(place.path("hearth/quick/profile.json").exists(), "nothing was removed");
    // on a terminal it asks, even with --yes
    let hearth = place.command(&["down", "--yes"]);
    let mut script = Command::new("script");
    script.args(["-qec", &format!("{} down --yes", hearth.get_program().to_str().unwrap()), "/dev/null"]);
    script.envs(hearth.get_envs().filter_map(|(name, value)| Some((name, value?)))).current_dir(&place.work);
    let mut asked = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut asked.stdin.take().unwrap(), b"n\n").unwrap();
    let asked = asked.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&asked.stdout).into_owned();
    assert!(
        said.contains("the only cluster that is up") && said.contains("Go on? [y/N]") && said.contains("not confirmed"),
        "{said}"
    );
    assert!(place.path("hearth/quick/profile.json").exists(), "nothing was removed");
    place.snapshot("down", &["down", "--name", "quick", "--yes"]);
    assert!(!place.path("hearth/quick").exists());
    place.snapshot("down_again", &["down", "--name", "quick", "--yes"]);
    place.snapshot("status_nobody", &["status", "--name", "quick"]);
    place.snapshot("status_nothing", &["status"]);
}

#[test]
fn of_a_cluster_that_is_not_there_nothing_is_shown() {
    let place = Place::with_empty_engine();
    let status = place.hearth(&["status", "--name", "quick"]).expect(20).err;
    for verb in [&["logs"][..], &["logs", "quick-worker"], &["logs", "default/web"], &["kubeconfig"], &["recover"]] {
        let ran = place.hearth(&[verb, &["--name", "quick"]].concat()).expect(20);
        assert_eq!((ran.out.as_str(), &ran.err), ("", &status), "{verb:?}");
    }
    let unlock = place.hearth(&["unlock", "--name", "quick"]).expect(2).err;
    assert!(!unlock.contains("docker exec"), "a shell is no help with a lease: {unlock}");
}

#[test]
fn a_value_without_a_file_is_refused() {
    let place = Place::with_empty_engine();
    place.keep("quick", "profiles/quick.yaml");
    place.snapshot("set_without_file", &["status", "--name", "quick", "--set", "spec.cni=none"]);
    place.keep("other", "profiles/minimal.yaml");
    place.snapshot("several", &["status"]);
}

/// A profile that exists but cannot be read is never taken for absent: an SSH cluster would become a Docker cluster with its
/// name.
#[test]
fn a_kept_profile_that_cannot_be_read_is_an_error() {
    let place = Place::with_empty_engine();
    place.keep("homelab", "profiles/homelab.yaml");
    let file = place.path("hearth/homelab/profile.json");
    let whole = std::fs::read(&file).unwrap();
    for broken in [&b""[..], b"{", &whole[..whole.len() / 2], b"{\"version\": 1, \"profile\": {\"name\": \"homelab\"}}"] {
        std::fs::write(&file, broken).unwrap();
        for args in [
            &["down", "--name", "homelab", "--yes"][..],
            &["status", "--name", "homelab"],
            &["up", "-f", &repository("profiles/homelab.yaml"), "--yes"],
        ] {
            let ran = place.hearth(args).expect(20);
            assert!(ran.err.contains("profile.json"), "{args:?}: {}", ran.err);
        }
    }
    place.snapshot("kept_profile_broken", &["down", "--name", "homelab", "--yes"]);
    std::fs::write(&file, "{\"version\": 9, \"profile\": {}}").unwrap();
    place.snapshot("kept_profile_newer", &["down", "--name", "homelab", "--yes"]);
    // the profile is gone, but something was done to the cluster
    std::fs::remove_file(&file).unwrap();
    let entry = r#"{"at":"2026-11-26T10:00:00Z","run":"r","step":"install/n1","sentence":"Install","phase":"applied"}"#;
    std::fs::write(place.path("hearth/homelab/journal.jsonl"), format!("{entry}\n")).unwrap();
    place.snapshot("kept_profile_gone", &["down", "--name", "homelab", "--yes"]);
    assert!(place.path("hearth/homelab/journal.jsonl").exists());
}

/// Only an arm that is a service asks for a cluster, in the same order as any verb.
#[test]
fn a_comparison_of_services_needs_a_cluster_and_one_of_urls_none() {
    let place = Place::with_empty_engine();
    let hop = repository("scenarios/ingress-hop.yaml");
    let none = place.hearth(&["compare", &hop]).expect(2);
    assert!(none.err.contains("no cluster is up") && none.err.contains("-f FILE"), "{}", none.err);
    place.keep("before-after", "profiles/before-after.yaml");
    for args in [&["compare", &hop][..], &["compare", &hop, "--name", "before-after"]] {
        let gone = place.hearth(args).expect(20);
        assert!(gone.err.contains("no cluster named `before-after`") && gone.err.contains("hearth up"), "{}", gone.err);
    }
    let file = repository("profiles/before-after.yaml");
    place.hearth(&["compare", &hop, "-f", &file]).expect(20);
    assert!(!place.work.join("hearth-reports").exists(), "nothing was begun");
    // nothing listens on the discard port: without a cluster it gets as far as the first request
    let urls = ["compare", "--arm", "a=http://127.0.0.1:9/", "--arm", "b=http://127.0.0.1:10/"];
    let ran = place.hearth(&urls).expect(70);
    assert!(ran.err.contains("arm `a` does not answer"), "{}", ran.err);
    let refused = place.hearth(&[&urls[..], &["--name", "before-after"]].concat()).expect(2);
    assert!(refused.err.contains("both arms are urls"), "{}", refused.err);
}

/// Files written before they had a version.
#[test]
fn a_kept_profile_without_a_version_is_read() {
    let place = Place::with_empty_engine();
    place.keep("quick", "profiles/quick.yaml");
    let file = place.path("hearth/quick/profile.json");
    let kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    std::fs::write(&file, kept["profile"].to_string()).unwrap();
    let ran = place.hearth(&["status", "--name", "quick"]).expect(20);
    assert!(ran.err.contains("there is no cluster named `quick`"), "{}", ran.err);
}

/// The machine at the old address would go on as it is, and nobody would know of it.
#[test]
fn a_host_that_has_another_address_now_is_not_forgotten() {
    let place = Place::with_empty_engine();
    place.keep("homelab", "profiles/homelab.yaml");
    let profile = std::fs::read_to_string(repository("profiles/homelab.yaml")).unwrap();
    let moved = place.write("moved.yaml", &profile.replace("172.30.0.12", "172.30.0.42"));
    place.snapshot("host_moved", &["up", "-f", &moved, "--yes"]);
    for verb in [&["down", "-f", &moved, "--yes"][..], &["status", "-f", &moved], &["plan", "-f", &moved]] {
        let ran = place.hearth(verb).expect(20);
        assert!(ran.err.contains("172.30.0.12") && ran.err.contains("172.30.0.42"), "{verb:?}: {}", ran.err);
    }
    assert!(place.path("hearth/homelab/profile.json").exists());
}
