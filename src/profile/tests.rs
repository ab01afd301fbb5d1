//! Profiles as users write them, right and wrong, and the messages for them.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::schema::ClusterProfile;
use super::*;

const QUICK: &str = include_str!("../../profiles/quick.yaml");
const MINIMAL: &str = include_str!("../../profiles/minimal.yaml");
const HOMELAB: &str = include_str!("../../profiles/homelab.yaml");

fn of(text: &str, overrides: &[&str]) -> Result<Profile> {
    load(&[Source::Stdin(text.to_owned())], &overrides.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
}

/// The messages for a profile with the given `spec`.
fn told(spec: &str) -> String {
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    let text = format!("apiVersion: hearth.dev/v1alpha1\nkind: ClusterProfile\nmetadata: {{name: demo}}\nspec:\n{spec}");
    let layer = Layer { name: "profile.yaml".to_owned(), text };
    match load_with(&[layer], &[], resolve::resolve) {
        Ok(profile) => panic!("accepted: {profile:?}"),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn quick_resolves_to_the_whole_stack_on_docker() {
    let profile = of(QUICK, &[]).expect("valid");
    let expected = json!({
        "name": "quick",
        "kubernetes": {"version": "v1.36.4", "podSubnet": "10.244.0.0/16", "serviceSubnet": "10.96.0.0/16"},
        "provider": {"docker": {"image": "kindest/node:v1.36.4", "workers": 2, "apiPort": null, "keepNodeImage": true}},
        "cni": "routed",
        "components": {
            "metallb": {"pool": "auto"},
            "istio": {"gateway": {"vip": "auto"}, "telemetry": "envoy"},
            "workloads": {"domain": null, "web": {"replicas": 1}, "was": {"replicas": 2}, "mysql": {"storage": "1Gi"}},
        },
    });
    assert_eq!(serde_json::to_value(profile).expect("serialisable"), expected);
}

#[test]
fn minimal_resolves_to_two_nodes_and_no_components() {
    let profile = of(MINIMAL, &[]).expect("valid");
    assert_eq!(profile.components, Components::default());
    assert!(matches!(&profile.provider, Provider::Docker(docker) if docker.workers == 1));
    let profile = of(MINIMAL, &["spec.components={metallb: {}, istio: {}, workloads: {}}"]).expect("valid");
    assert_eq!(profile.components.metallb, Some(Metallb { pool: Pool::Auto }));
    assert_eq!(profile.components.istio, Some(Istio { gateway: Gateway { vip: Vip::Auto }, telemetry: Telemetry::Envoy }));
    let workloads = profile.components.workloads.expect("installed");
    assert_eq!((workloads.web.replicas, workloads.was.replicas, workloads.mysql.storage.as_str()), (2, 3, "1Gi"));
}

#[test]
fn homelab_resolves_to_three_hosts_with_the_control_plane_first() {
    let profile = of(HOMELAB, &["spec.provider.ssh.hosts[0].role=worker", "spec.provider.ssh.hosts[2].role=control-plane"]);
    let Provider::Ssh(ssh) = profile.expect("valid").provider else { panic!("ssh") };
    assert_eq!(ssh.hosts.iter().map(|host| host.name.as_str()).collect::<Vec<_>>(), ["n3", "n1", "n2"]);
    assert_eq!((ssh.port, ssh.host_keys), (22, HostKeys::Pinned));
}

#[test]
fn a_jump_host_takes_the_machines_login_and_the_usual_port() {
    let jump = "spec.provider.ssh.jump={address: 10.0.0.1}";
    let overrides = ["spec.provider.ssh.hostKeys=tofu", "spec.provider.ssh.port=2222", jump];
    let profile = of(&without_fingerprints(HOMELAB), &overrides);
    let Provider::Ssh(ssh) = profile.expect("valid").provider else { panic!("ssh") };
    let user = ssh.user.clone();
    assert_eq!(ssh.jump, Some(Jump { address: [10, 0, 0, 1].into(), port: 22, user, host_key: None }));
}

#[test]
fn a_control_plane_runs_pods_where_it_is_alone_or_may() {
    let runs = |overrides: &[&str]| of(QUICK, overrides).expect("valid").control_plane_runs_pods();
    assert!(!runs(&[]) && runs(&["spec.controlPlane.schedulable=true"]));
    assert!(runs(&["spec.provider.docker.nodes.workers=0"]));
    let nowhere = ["spec.provider.docker.nodes.workers=0", "spec.controlPlane.schedulable=false"];
    assert!(of(QUICK, &nowhere).expect_err("refused").to_string().contains("there is no worker"));
}

#[test]
fn what_a_component_needs_is_a_component() {
    let schema = json_schema();
    for (component, other, _) in components::NEEDS {
        for name in [component, other] {
            assert!(schema["$defs"]["Components"]["properties"].get(name).is_some(), "{name}");
        }
    }
}

fn without_fingerprints(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("hostKey: ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn files_merge_in_order_and_overrides_win() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        Source::File(path)
    };
    let sources = [
        write("base.yaml", QUICK),
        write(
            "ci.yaml",
            "metadata: {name: ci}\nspec: {provider: {docker: {nodes: {workers: 0}}}, components: {workloads: null}}\n",
        ),
    ];
    let overrides = ["metadata.name=run-7".to_owned(), "spec.provider.docker.apiPort=6443".to_owned()];
    let profile = load(&sources, &overrides).expect("valid");
    assert_eq!(profile.name, "run-7");
    assert!(profile.components.workloads.is_none() && profile.components.istio.is_some());
    assert!(matches!(profile.provider, Provider::Docker(docker) if docker.workers == 0 && docker.api_port == Some(6443)));

    let error = load(&sources, &["spec.components.istio.gateway.vip=10.96.0.1".to_owned(), "metadata.name=X".to_owned()]);
    assert!(error.is_err_and(|error| error.to_string().starts_with("--set metadata.name=X: metadata.name: ")));
}

#[test]
fn pools_are_read_as_ranges_and_as_subnets() {
    let pool = |text: &str| of(QUICK, &[&format!("spec.components.metallb.pool={text}")]).expect("valid").components.metallb;
    assert_eq!(pool("172.18.255.192/28"), pool("172.18.255.192-172.18.255.207"));
    assert_eq!(pool("172.18.255.200/32"), pool("172.18.255.200-172.18.255.200"));
    let several = of(QUICK, &["spec.components.metallb.pool=10.0.0.1-10.0.0.9, 10.0.0.20/32"]).expect_err("refused");
    assert!(several.to_string().contains("IPAddressPool"), "{several}");
    let list = "provider: {docker: {}}\ncomponents:\n  metallb:\n    pool:\n    - 10.0.0.1-10.0.0.9\n    - 10.0.0.20/32\n";
    let several = told(list);
    for part in ["profile.yaml:8:", "spec.components.metallb.pool", "found a list", "give the largest", "IPAddressPool"] {
        assert!(several.contains(part), "{part}: {several}");
    }
}

#[test]
fn a_pool_may_be_anywhere_in_a_network_of_the_hosts_that_may_be_wide() {
    let hosts = |pool: &str| {
        let text = without_fingerprints(HOMELAB).replace("172.30.0.1", "10.20.1.1");
        let pool = format!("spec.components.metallb.pool={pool}");
        of(&text, &["spec.provider.ssh.hostKeys=tofu", "spec.components.istio.gateway.vip=auto", &pool])
    };
    assert!(hosts("10.20.200.10-10.20.200.50").is_ok(), "another /24 of a /16: which network it is only the hosts know");
    assert!(hosts("192.168.1.10-192.168.1.50").is_err());
}

#[test]
fn anchors_merge_and_what_they_stand_in_has_a_place() {
    let text = MINIMAL.replace("spec:", "x-nodes: &nodes {workers: 3, controlPlanes: 1}\n.more: 1\nspec:");
    let (head, _) = text.split_once("      nodes:").expect("minimal says how many");
    let profile = of(&format!("{head}      nodes: {{<<: *nodes, workers: 2}}\n"), &[]).expect("valid");
    assert!(matches!(&profile.provider, Provider::Docker(docker) if docker.workers == 2), "what is written wins");
    let profile = of(&format!("{head}      nodes: {{<<: [*nodes]}}\n"), &[]).expect("valid");
    assert!(matches!(&profile.provider, Provider::Docker(docker) if docker.workers == 3));
}

#[test]
fn other_programs_files_are_recognised() {
    let kind = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nname: k\nnodes:\n- role: control-plane\n- role: worker\n- role: worker\n";
    let error = of(kind, &[]).expect_err("refused");
    assert_eq!(error.to_string(), "<stdin> is a configuration of kind, not a profile of Hearth");
    assert!(error.hint().is_some_and(|hint| hint.contains("workers: 2")), "{:?}", error.hint());
    let k0sctl = "apiVersion: k0sctl.k0sproject.io/v1beta1\nkind: Cluster\nspec: {hosts: [{role: controller}]}\n";
    let error = of(k0sctl, &[]).expect_err("refused");
    assert!(error.to_string().contains("a configuration of k0sctl"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("homelab")), "{:?}", error.hint());
}

#[test]
fn variables_are_not_filled_in_and_that_is_said_once() {
    let text = MINIMAL.replace("name: minimal", "name: \"${CLUSTER:-fr}\"");
    let error = of(&text, &[]).expect_err("refused").to_string();
    assert!(error.contains("`${CLUSTER:-fr}` is not filled in") && error.contains("--set metadata.name="), "{error}");
    assert!(!error.contains("cluster-fr"), "{error}");
}

#[test]
fn unreadable_and_absent_profiles_say_what_to_do() {
    let error = load(&[Source::File(Path::new("/nonexistent/p.yaml").to_owned())], &[]).expect_err("absent");
    assert_eq!(error.to_string(), "cannot read profile /nonexistent/p.yaml");
    assert_eq!(error.family(), Family::Profile);
    assert!(error.hint().is_some_and(|hint| hint.contains("hearth init")));
    assert!(load(&[], &[]).is_err());
}

#[test]
fn loading_is_fast() {
    let start = Instant::now();
    for _ in 0..10 {
        of(HOMELAB, &[]).expect("valid");
    }
    // 10 ms each, in a debug build on a busy machine.
    assert!(start.elapsed() < Duration::from_millis(100), "{:?} for ten", start.elapsed());
}

macro_rules! snapshots {
    ($($name:ident: $spec:expr;)*) => {$(
        #[test]
        fn $name() {
            insta::assert_snapshot!(stringify!($name), told($spec));
        }
    )*};
}

snapshots! {
    unknown_keys: "provider: {docker: {workers: 3, nodes: {wokers: 2}}}\nkubernets: {version: v1.36.4}\n";
    everything_at_once: "kubernets: {podSubnet: 10.96.0.0/17, version: v1.33.0}\nprovider: {docker: {nodes: {workers: '4'}, imagee: x}}\ncomponents:\n  metallb: {pool: 10.96.1.1}\n  istio: {gateway: {vip: 10.96.2}}\n";
    wrong_types: "kubernetes:\n  version: 1.36\nprovider:\n  docker:\n    apiPort: \"6443\"\n    nodes:\n      workers: two\ncomponents:\n  metallb:\n  istio: true\n";
    duplicate_keys: "provider: {docker: {}}\nprovider: {docker: {nodes: {workers: 1, workers: 2}}}\n";
    bad_words: "provider: {docker: {}}\nnetwork: {cni: route}\ncomponents: {metallb: {}, istio: {telemetry: Istio}}\n";
    both_providers: "provider:\n  docker: {}\n  ssh: {user: root, hosts: []}\n";
    no_provider: "network: {cni: none}\n";
    no_provider_and_more: "kubernetes: {podSubnet: 10.96.0.0/17, serviceSubnet: 10.96.0.0/16}\ncontrolPlane: {schedulable: false}\ncomponents:\n  metallb: {pool: 10.96.7.1-10.96.7.9}\n  workloads: {}\n";
    no_hosts_to_speak_of: r#"provider:
  ssh:
    hostKeys: tofu
    hosts:
      - {name: n1, address: 192.168.1.11, role: wroker}
      - {name: n2, address: 192.168.1.12, role: control-plane}
      - {name: n2, address: 192.168.1.13}
      - 192.168.1.14
components:
  metallb: {pool: 192.168.1.9-192.168.1.12}
  istio: {gateway: {vip: 192.168.1.1}}
"#;
    syntax: "provider:\n  docker: {nodes: {workers: 1}\nnetwork: {cni: none}\n";
    numbers_out_of_bounds: "provider: {docker: {nodes: {controlPlanes: 3, workers: 20}, apiPort: 1}}\ncomponents: {metallb: {}, istio: {}, workloads: {web: {replicas: 0}, was: {replicas: 51}}}\n";
    more_control_planes: "provider: {docker: {nodes: {controlPlanes: 3}}}\n";
    subnets_overlap: "kubernetes: {podSubnet: 10.96.128.0/17, version: v1.33.2}\nprovider: {docker: {}}\n";
    subnet_too_small: "kubernetes:\n  podSubnet: 10.244.0.0/23\n  serviceSubnet: 10.96.0.7/16\nprovider: {docker: {}}\n";
    duplicate_hosts: r#"provider:
  ssh:
    user: root
    hostKeys: tofu
    hosts:
      - {name: n1, address: 192.168.1.11, role: control-plane}
      - {name: n2, address: 192.168.1.12, role: worker}
      - {name: n2, address: 192.168.1.11, role: control-plane}
"#;
    host_keys: r#"provider:
  ssh:
    user: root
    hosts:
      - {name: n1, address: 192.168.1.11, role: worker}
      - {name: N_2, address: 192.168.1.300, role: worker, hostKey: "MD5:16:27:ac:a5"}
"#;
    jump_host: r#"provider:
  ssh:
    user: root
    port: 2222
    jump: {address: 192.168.1.11, port: 2222, user: " ", hostKeys: pinned}
    hosts:
      - {name: n1, address: 192.168.1.11, role: control-plane, hostKey: "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}
"#;
    jump_host_values: r#"provider:
  ssh:
    user: root
    port: 2222
    jump: {address: 192.168.1.11, port: 2222, user: " "}
    hosts:
      - {name: n1, address: 192.168.1.11, role: control-plane, hostKey: "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}
"#;
    pool_outside_the_network: r#"kubernetes: {podSubnet: 192.168.0.0/16}
provider:
  ssh:
    user: root
    hostKeys: strict
    hosts: [{name: n1, address: 10.1.2.3, role: control-plane}, {name: n2, address: 192.168.7.1, role: worker}]
components:
  metallb: {pool: 192.168.1.200-192.168.1.220}
  istio: {gateway: {vip: 192.168.1.100}}
"#;
    pool_on_hosts: r#"provider:
  ssh:
    user: root
    hostKeys: strict
    hosts: [{name: n1, address: 10.1.2.3, role: control-plane}]
components:
  metallb: {pool: 10.1.2.1-10.1.2.9}
"#;
    pool_malformed: "provider: {docker: {}}\ncomponents:\n  metallb: {pool: 172.18.0.0/24}\n  istio: {gateway: {vip: first}}\n";
    pool_reversed: "provider: {docker: {}}\ncomponents:\n  metallb: {pool: 172.18.255.220-172.18.255.200}\n";
    components_without_their_ground: "provider: {docker: {}}\ncomponents:\n  istio: {}\n";
    ingress_nginx_alone: "provider: {docker: {}}\ncomponents: {metallb: {}, ingressNginx: {image: controller v1}}\n";
    workloads_alone: "provider: {docker: {}}\ncomponents:\n  workloads:\n    domain: https://Example.test/\n    mysql: {storage: 1GB}\n";
    image_of_another_version: "kubernetes: {version: v1.35.1}\nprovider: {docker: {image: 'kindest/node:v1.36.4'}}\n";
}

#[test]
fn names_are_refused_with_a_better_one() {
    let error = of(&MINIMAL.replace("name: minimal", "name: My_Cluster"), &[]).expect_err("refused").to_string();
    assert!(error.contains("write my-cluster"), "{error}");
    let long = "a".repeat(51);
    assert!(of(MINIMAL, &[&format!("metadata.name={long}")]).expect_err("refused").to_string().contains("51 characters"));
}

#[test]
fn the_schema_is_complete_and_documented() {
    let schema = json_schema();
    assert_eq!(schema["$id"], "https://hearth.dev/schema/v1alpha1/profile.json");
    assert_eq!(schema["title"], "Hearth cluster profile");
    let definitions = schema["$defs"].as_object().expect("definitions");
    for (name, definition) in definitions.iter().chain([(&"root".to_owned(), &schema)]) {
        assert!(definition.get("description").is_some(), "{name} has no description");
        for (field, property) in definition.get("properties").and_then(Value::as_object).into_iter().flatten() {
            assert!(property.get("description").is_some(), "{name}.{field} has no description");
        }
    }
    for profile in [QUICK, MINIMAL, HOMELAB] {
        let line = format!("# yaml-language-server: $schema={}", schema["$id"].as_str().expect("an id"));
        assert_eq!(profile.lines().next(), Some(line.as_str()));
    }
}

/// Every single change to a valid profile, of kinds that distinguish types.
fn mutants(value: &Value) -> Vec<Value> {
    let replacements = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1),
        json!(1.5),
        json!(70_000),
        json!("x"),
        json!("1"),
        json!([]),
        json!({}),
        json!([1]),
    ];
    let mut mutants: Vec<Value> = replacements.to_vec();
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                let with = |change: Value| {
                    let mut map = map.clone();
                    map[key] = change;
                    Value::Object(map)
                };
                mutants.extend(self::mutants(inner).into_iter().map(with));
                let mut without = map.clone();
                without.shift_remove(key);
                mutants.push(Value::Object(without));
            }
            let mut more = map.clone();
            more.insert("unheardOf".to_owned(), json!(1));
            mutants.push(Value::Object(more));
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                mutants.extend(self::mutants(inner).into_iter().map(|change| {
                    let mut items = items.clone();
                    items[index] = change;
                    Value::Array(items)
                }));
            }
        }
        _ => {}
    }
    mutants
}

#[test]
fn schema_and_types_agree_on_every_mutant() {
    let (mut accepted, mut refused) = (0, 0);
    for profile in [QUICK, MINIMAL, HOMELAB] {
        let value = crate::yaml::documents(profile).expect("valid").remove(0);
        for mutant in mutants(&value) {
            let text = mutant.to_string();
            let types: Result<ClusterProfile, _> = serde_json::from_value(mutant);
            let schema = crate::input::load::<ClusterProfile>("mutant", &text);
            match (types, schema) {
                (Ok(_), Ok(_)) => accepted += 1,
                (Err(_), Err(_)) => refused += 1,
                (Err(error), Ok(_)) => panic!("the schema accepts what the types refuse: {error}\n{text}"),
                // Stricter than the types on purpose: bounds, null for optional values, and a list of fields in place of a
                // struct, which serde would accept.
                (Ok(_), Err(problems)) => {
                    let strict = |message: &str| {
                        message.contains("is not between")
                            || message.contains("found nothing")
                            || message.contains("found a list")
                    };
                    let only = problems.iter().all(|problem| strict(&problem.message));
                    assert!(only, "the types accept what the schema refuses: {problems}\n{text}");
                    refused += 1;
                }
            }
        }
    }
    assert!(accepted > 50 && refused > 500, "{accepted} accepted, {refused} refused");
}

/// Editors save half-written files: any cut and any lost line gets an answer, never a panic.
#[test]
fn broken_files_are_answered() {
    for cut in (0..HOMELAB.len()).step_by(29) {
        let (start, end) = HOMELAB.split_at(cut);
        let _ = of(start, &[]);
        let _ = of(end, &["metadata.name=x"]);
        let _ = of(&format!("{start}{}", end.get(1..).unwrap_or_default()), &[]);
    }
    let windows = HOMELAB.replace('\n', "\r\n").replace("worker\r", "wroker\r");
    let error = of(&format!("\u{feff}{windows}"), &[]).expect_err("refused").to_string();
    assert!(error.contains("<stdin>:32:17: ") && error.contains("|           role: wroker\n"), "{error}");
}
