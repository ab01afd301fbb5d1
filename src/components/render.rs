//! Templates into objects. Strict: a variable that is not there is an error, never an empty text.

use std::net::Ipv4Addr;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tera::{Context, Kwargs, State, Tera};

use super::{ComponentError, ObjectRef, Part, Secrets, catalogue};
use crate::artifact::pins;
use crate::profile::{AddressRange, Profile, Telemetry};

/// The templates, part of the program.
const TEMPLATES: &[(&str, &str)] = &[
    ("istio/gateway.yaml", include_str!("../../templates/istio/gateway.yaml")),
    ("istio/injector.yaml", include_str!("../../templates/istio/injector.yaml")),
    ("istio/istiod.yaml", include_str!("../../templates/istio/istiod.yaml")),
    ("istio/trust.yaml", include_str!("../../templates/istio/trust.yaml")),
    ("istio/validation.yaml", include_str!("../../templates/istio/validation.yaml")),
    ("istio/webhook.yaml", include_str!("../../templates/istio/webhook.yaml")),
    ("metallb/controller.yaml", include_str!("../../templates/metallb/controller.yaml")),
    ("metallb/pool.yaml", include_str!("../../templates/metallb/pool.yaml")),
    ("probe/probe.yaml", include_str!("../../templates/probe/probe.yaml")),
    ("storage/volume.yaml", include_str!("../../templates/storage/volume.yaml")),
    ("storage/local-path.yaml", include_str!("../../templates/storage/local-path.yaml")),
    ("workloads/mysql.yaml", include_str!("../../templates/workloads/mysql.yaml")),
    ("workloads/namespace.yaml", include_str!("../../templates/workloads/namespace.yaml")),
    ("workloads/routes.yaml", include_str!("../../templates/workloads/routes.yaml")),
    ("workloads/was.yaml", include_str!("../../templates/workloads/was.yaml")),
    ("workloads/web.yaml", include_str!("../../templates/workloads/web.yaml")),
];

/// What templates may refer to.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// The gateway's address.
    pub vip: Ipv4Addr,
    /// What MetalLB hands out; it holds the gateway's address.
    pub pool: AddressRange,
    /// The address of istiod's service, in the part of the service subnet that is kept for fixed ones.
    pub istiod_address: Ipv4Addr,
    /// Which telemetry the proxies produce.
    pub telemetry: Telemetry,
    /// Reference of the WAS image, as nodes know it.
    pub was_image: String,
    /// Hosts of the Gateway are `*.<domain>`; none: any host.
    pub domain: Option<String>,
    /// Replicas of web.
    pub web_replicas: u32,
    /// Replicas of WAS.
    pub was_replicas: u32,
    /// Size of MySQL's volume, a Kubernetes quantity.
    pub mysql_storage: String,
    /// The node that holds MySQL's volume.
    pub mysql_node: String,
    /// What the cluster keeps secret.
    pub secrets: Secrets,
}

impl Inputs {
    /// The inputs of a profile whose addresses are decided. Components the profile lacks get harmless values.
    pub fn new(profile: &Profile, vip: Ipv4Addr, pool: AddressRange, was_image: &str, secrets: Secrets) -> Self {
        let components = &profile.components;
        let workloads = components.workloads.as_ref();
        Inputs {
            vip,
            pool,
            istiod_address: profile.kubernetes.service_subnet.hosts().nth(ISTIOD_HOST).unwrap_or(Ipv4Addr::UNSPECIFIED),
            telemetry: components.istio.as_ref().map_or(Telemetry::Envoy, |istio| istio.telemetry),
            was_image: was_image.to_owned(),
            domain: workloads.and_then(|workloads| workloads.domain.clone()),
            web_replicas: workloads.map_or(1, |workloads| workloads.web.replicas),
            was_replicas: workloads.map_or(1, |workloads| workloads.was.replicas),
            mysql_storage: workloads.map_or_else(|| "1Gi".to_owned(), |workloads| workloads.mysql.storage.clone()),
            mysql_node: profile.nodes().holds_volumes().name.clone(),
            secrets,
        }
    }

    fn variables(&self) -> Value {
        json!({
            "vip": self.vip,
            "pool": self.pool.to_string(),
            "istiod_address": self.istiod_address,
            "telemetry": self.telemetry,
            "was_image": self.was_image,
            "domain": self.domain,
            "web_replicas": self.web_replicas,
            "was_replicas": self.was_replicas,
            "mysql_storage": self.mysql_storage,
            "mysql_node": self.mysql_node,
            "mysql_password": self.secrets.mysql_password,
            "mysql_root_password": self.secrets.mysql_root_password,
            "memberlist_key": self.secrets.memberlist_key,
            "mesh_ca_certificate": self.secrets.mesh_ca_certificate,
            "mesh_ca_key": self.secrets.mesh_ca_key,
            "mesh_ca_bundle": self.secrets.mesh_ca_bundle(),
            "images": {
                "metallb_controller": pins::METALLB_CONTROLLER.reference,
                "metallb_speaker": pins::METALLB_SPEAKER.reference,
                "istio_pilot": pins::ISTIO_PILOT.reference,
                "istio_proxy": pins::ISTIO_PROXY.reference,
                "nginx": pins::NGINX.reference,
                "mysql": pins::MYSQL.reference,
                "local_path": pins::LOCAL_PATH.reference,
                "busybox": pins::BUSYBOX.reference,
            },
        })
    }
}

/// Which of the service subnet's hosts istiod's service is, counted from 0: 10.96.0.15 of 10.96.0.0/16, near DNS, which is
/// 10.96.0.10 by kubeadm's convention. Kubernetes gives out the first addresses of the subnet last.
const ISTIOD_HOST: usize = 14;

/// The objects of a part, in file order. Empty for parts whose objects come from [`definitions`].
///
/// # Errors
/// [`ComponentError::Template`] for a variable that is not there, [`ComponentError::Manifest`] when the result
/// is not a list of objects.
pub fn render(part: Part, inputs: &Inputs) -> Result<Vec<Value>, ComponentError> {
    // a map of strings, numbers and maps always serialises
    let context = Context::from_serialize(&inputs.variables()).expect("variables are a map");
    let mut objects = Vec::new();
    for &template in part.templates() {
        let failed = |source| ComponentError::Template { template, source: Box::new(source) };
        let text = ENGINE.render(template, &context).map_err(failed)?;
        objects.extend(documents(template, &text)?);
    }
    objects.iter_mut().for_each(encode_secret);
    Ok(objects)
}

/// Renders everything a profile asks for, with stand-ins for what is only known later: a template that does not render
/// is found before anything is changed.
///
/// # Errors
/// As [`render`].
pub fn trial(profile: &Profile) -> Result<(), ComponentError> {
    let address = Ipv4Addr::new(192, 0, 2, 1);
    let pool = AddressRange { first: address, last: address };
    let inputs = Inputs::new(profile, address, pool, "trial", Secrets::generate()?);
    catalogue::parts(profile).into_iter().try_for_each(|part| render(part, &inputs).map(drop))
}

/// The resource definitions of a part in its upstream file (see [`Part::definitions`]), ready for a cluster in which
/// no conversion webhook runs.
///
/// # Errors
/// [`ComponentError::Manifest`] when the file is not a list of objects, or holds none of the part's definitions.
pub fn definitions(part: Part, text: &str) -> Result<Vec<Value>, ComponentError> {
    let file = part.definitions().map_or(part.id(), |pin| pin.name);
    let mut objects = documents(file, text)?;
    objects.retain(|object| {
        let kind = object.pointer("/spec/names/kind").and_then(Value::as_str).unwrap_or_default();
        object["kind"] == "CustomResourceDefinition" && part.defines(kind)
    });
    if objects.is_empty() {
        return Err(ComponentError::Manifest { file: file.to_owned(), reason: format!("no definition of {part} in it") });
    }
    for object in &mut objects {
        if let Some(spec) = object["spec"].as_object_mut() {
            spec.remove("conversion");
        }
        if let Some(object) = object.as_object_mut() {
            object.remove("status");
        }
    }
    Ok(objects)
}

static ENGINE: LazyLock<Tera> = LazyLock::new(|| {
    let mut engine = Tera::new();
    engine.register_filter("quote", |text: &str, _: Kwargs, _: &State| json!(text).to_string());
    // part of the program, and every test of this file loads them
    engine.add_raw_templates(TEMPLATES.iter().copied()).expect("templates parse");
    engine
});

fn documents(file: &str, text: &str) -> Result<Vec<Value>, ComponentError> {
    let failed = |reason: String| ComponentError::Manifest { file: file.to_owned(), reason };
    let objects = crate::yaml::documents(text).map_err(|error| failed(error.to_string()))?;
    let objects: Vec<Value> = objects.into_iter().filter(|object| !object.is_null()).collect();
    for object in &objects {
        let reference = ObjectRef::of(object);
        if reference.kind.is_empty() || reference.name.is_empty() || reference.api_version.is_empty() {
            return Err(failed(format!("a document without apiVersion, kind or name: {reference}")));
        }
    }
    Ok(objects)
}

/// `stringData` as `data`: server-side apply cannot take back a key that was once written by the former.
fn encode_secret(object: &mut Value) {
    if object["kind"] != "Secret" {
        return;
    }
    let Some(object) = object.as_object_mut() else { return };
    let Some(Value::Object(texts)) = object.remove("stringData") else { return };
    let data = object.entry("data").or_insert_with(|| json!({}));
    for (key, text) in texts {
        data[key] = json!(BASE64.encode(text.as_str().unwrap_or_default()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(telemetry: Telemetry) -> Inputs {
        Inputs {
            vip: [172, 18, 255, 200].into(),
            pool: AddressRange { first: [172, 18, 255, 200].into(), last: [172, 18, 255, 220].into() },
            istiod_address: [10, 96, 0, 15].into(),
            telemetry,
            was_image: "hearth.dev/was:1".into(),
            domain: Some("example.test".into()),
            web_replicas: 2,
            was_replicas: 3,
            mysql_storage: "1Gi".into(),
            mysql_node: "demo-worker".into(),
            secrets: Secrets::generate().expect("keys can be made"),
        }
    }

    #[test]
    fn every_template_renders_to_kinds_hearth_knows() {
        for telemetry in [Telemetry::Envoy, Telemetry::Istio] {
            for part in Part::ALL.into_iter().filter(|part| part.definitions().is_none()) {
                let objects = render(part, &inputs(telemetry)).unwrap_or_else(|error| panic!("{}", crate::error::chain(&error)));
                assert!(!objects.is_empty(), "{part} has no objects");
                for object in objects {
                    ObjectRef::of(&object).turn().unwrap_or_else(|error| panic!("{part}: {error}"));
                }
            }
        }
    }

    #[test]
    fn every_template_belongs_to_a_part() {
        for (name, _) in TEMPLATES {
            assert!(Part::ALL.iter().any(|part| part.templates().contains(name)), "{name} is used by no part");
        }
    }

    #[test]
    fn pods_run_only_images_the_catalogue_pins() {
        for part in Part::ALL {
            for object in render(part, &inputs(Telemetry::Envoy)).expect("renders") {
                let containers = object.pointer("/spec/template/spec/containers").and_then(Value::as_array);
                for container in containers.into_iter().flatten() {
                    let image = container["image"].as_str().unwrap_or_default();
                    let pinned = part.images().iter().any(|pin| pin.reference == image);
                    assert!(pinned || image == "hearth.dev/was:1", "{part} runs {image}");
                }
            }
        }
    }

    #[test]
    fn certificates_survive_the_templates() {
        let inputs = inputs(Telemetry::Envoy);
        let objects = render(Part::WorkloadsNamespace, &inputs).expect("renders");
        let root = objects.iter().find(|object| object["kind"] == "ConfigMap").expect("has the root certificate");
        assert_eq!(root["data"]["root-cert.pem"], inputs.secrets.mesh_ca_certificate);
    }

    #[test]
    fn stock_envoy_needs_its_switches_and_istio_envoy_its_provider() {
        let text = |telemetry| {
            let objects = render(Part::Istiod, &inputs(telemetry)).expect("renders");
            objects.iter().map(Value::to_string).collect::<String>()
        };
        assert!(text(Telemetry::Envoy).contains("PILOT_ENABLE_METADATA_EXCHANGE"));
        assert!(!text(Telemetry::Envoy).contains("defaultProviders"));
        assert!(!text(Telemetry::Istio).contains("PILOT_ENABLE_METADATA_EXCHANGE"));
        assert!(text(Telemetry::Istio).contains("metrics: [prometheus]"));
    }

    #[test]
    fn an_unknown_variable_is_named() {
        let mut engine = Tera::new();
        engine.add_raw_template("a.yaml", "name: {{ nmae }}").expect("parses");
        let error = engine.render("a.yaml", &Context::new()).expect_err("is not there");
        let error = ComponentError::Template { template: "a.yaml", source: Box::new(error) };
        let text = crate::error::chain(&error);
        assert!(text.contains("a.yaml") && text.contains("nmae"), "{text}");
    }
}
