//! The templates of the sample workloads: they render, are YAML, and fit together.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hearth::components::{Decided, Secrets, render::render, workloads};
use hearth::profile::{AddressRange, Source, load};
use serde_json::{Value, json};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Every object of the workloads, as they are applied.
fn objects(domain: Option<&str>) -> Result<Vec<Value>, Box<dyn std::error::Error>> {
    let mut overrides = vec!["spec.components.workloads={web: {replicas: 2}, was: {replicas: 3}}".to_owned()];
    overrides.extend(domain.map(|domain| format!("spec.components.workloads.domain={domain}")));
    let profile = load(&[Source::File("profiles/quick.yaml".into())], &overrides).map_err(|error| error.to_string())?;
    let pool: AddressRange = "172.18.255.200-172.18.255.220".parse()?;
    let secrets = Secrets::generate(&profile)?;
    let decided = Decided::new(&profile, pool.first, pool, "hearth.dev/was:0123456789ab", secrets);
    let parts = (workloads::COMPONENT.parts)(&profile);
    let objects = parts.iter().map(|part| render(part, &decided)).collect::<Result<Vec<_>, _>>()?;
    Ok(objects.concat())
}

/// The value of a Secret's key.
fn kept(secret: &Value, key: &str) -> Result<String, Box<dyn std::error::Error>> {
    Ok(String::from_utf8(BASE64.decode(secret["data"][key].as_str().ok_or("no such key")?)?)?)
}

fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> Result<&'a Value, String> {
    let found = objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.ok_or_else(|| format!("no {kind} {name}"))
}

#[test]
fn every_object_is_named_once_and_stands_in_the_namespace() -> Outcome {
    let objects = objects(None)?;
    let mut names: Vec<String> =
        objects.iter().map(|object| format!("{}/{}", object["kind"], object["metadata"]["name"])).collect();
    names.sort();
    names.dedup();
    assert_eq!((objects.len(), names.len()), (16, 16));
    for object in objects.iter().filter(|object| !["Namespace", "PersistentVolume"].map(Value::from).contains(&object["kind"])) {
        assert_eq!(object["metadata"]["namespace"], "blog-system", "{object}");
    }
    let namespace = find(&objects, "Namespace", "blog-system")?;
    assert_eq!(namespace["metadata"]["labels"]["istio-injection"], "enabled");
    Ok(())
}

#[test]
fn services_select_pods_and_name_their_ports_by_protocol() -> Outcome {
    let objects = objects(None)?;
    for (service, kind, name, port) in [
        ("web-service", "Deployment", "web", json!([{"name": "http", "port": 80}])),
        ("was-service", "Deployment", "was", json!([{"name": "http", "port": 8080}])),
        ("mysql-service", "StatefulSet", "mysql", json!([{"name": "tcp-mysql", "port": 3306}])),
    ] {
        let (service, workload) = (find(&objects, "Service", service)?, find(&objects, kind, name)?);
        let labels = &workload["spec"]["template"]["metadata"]["labels"];
        assert_eq!(service["spec"]["selector"], json!({"app": name}));
        assert_eq!(service["spec"]["ports"], port);
        for (key, value) in workload["spec"]["selector"]["matchLabels"].as_object().ok_or("no selector")? {
            assert_eq!(&labels[key], value);
        }
        assert_eq!(labels["app"], name);
        let container = &workload["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container["ports"][0]["containerPort"], port[0]["port"]);
        assert!(container["resources"]["requests"].is_object(), "{name} requests nothing");
    }
    Ok(())
}

#[test]
fn what_the_profile_says_arrives() -> Outcome {
    let objects = objects(None)?;
    let (web, was) = (find(&objects, "Deployment", "web")?, find(&objects, "Deployment", "was")?);
    assert_eq!((&web["spec"]["replicas"], &was["spec"]["replicas"]), (&json!(2), &json!(3)));
    assert_eq!(was["spec"]["template"]["spec"]["containers"][0]["image"], "hearth.dev/was:0123456789ab");
    let mysql = find(&objects, "StatefulSet", "mysql")?;
    assert_eq!(mysql["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"], "1Gi");
    assert_eq!(mysql["spec"]["template"]["metadata"]["labels"]["sidecar.istio.io/inject"], "false");
    let secret = find(&objects, "Secret", "mysql-credentials")?;
    let (password, root, statements) = (kept(secret, "password")?, kept(secret, "root-password")?, kept(secret, "init.sql")?);
    // the server reads one statement per line
    assert!(statements.lines().all(|line| line.ends_with(';')), "{statements}");
    assert!(statements.contains(&format!("'app'@'%' IDENTIFIED BY '{password}'")));
    assert!(statements.contains(&format!("'root'@'localhost' IDENTIFIED BY '{root}'")) && root != password);
    Ok(())
}

#[test]
fn routes_follow_the_domain() -> Outcome {
    for (domain, gateway, application) in [(None, "*", "*"), (Some("example.org"), "*.example.org", "blog.example.org")] {
        let objects = objects(domain)?;
        assert_eq!(find(&objects, "Gateway", "blog-gateway")?["spec"]["servers"][0]["hosts"], json!([gateway]));
        let routes = &find(&objects, "VirtualService", "blog-routes")?["spec"];
        assert_eq!(routes["hosts"], json!([application]));
        let [api, rest] = routes["http"].as_array().map(Vec::as_slice).unwrap_or_default() else {
            return Err("not two routes".into());
        };
        assert_eq!(api["match"], json!([{"uri": {"prefix": "/api"}}]));
        assert_eq!(api["retries"], json!({"attempts": 3, "perTryTimeout": "3s", "retryOn": "5xx,reset,connect-failure"}));
        assert_eq!((&api["timeout"], &rest["timeout"], &rest["retries"]), (&json!("15s"), &json!("10s"), &Value::Null));
        let subsets = &find(&objects, "DestinationRule", "web-dest-rule")?["spec"]["subsets"];
        assert_eq!(api["route"][0]["destination"]["subset"], subsets[0]["name"]);
        assert_eq!(subsets[0]["labels"], json!({"version": "stable"}));
    }
    Ok(())
}
