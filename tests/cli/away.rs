//! Docker is installed, and its engine does not run.

use super::{Place, repository};

#[test]
fn every_verb_says_where_it_looked_and_what_to_do() {
    let place = Place::with_stopped_engine();
    place.snapshot("engine_away", &["status", "--name", "quick"]);
    let scenario = repository("scenarios/pod-kill-retry.yaml");
    let (hop, stack) = (repository("scenarios/ingress-hop.yaml"), repository("profiles/before-after.yaml"));
    let status = place.hearth(&["status", "--name", "quick"]).expect(30).err;
    for verb in [
        &["down"][..],
        &["kubeconfig"],
        &["recover"],
        &["logs"],
        &["logs", "quick-worker"],
        &["test", &scenario],
        &["compare", &hop, "-f", &stack],
    ] {
        assert_eq!(place.hearth(&[verb, &["--name", "quick"]].concat()).expect(30).err, status, "{verb:?}");
    }
    assert_eq!(place.hearth(&["gc"]).expect(30).err, status);
}
