//! Turning templates into objects. Strict: a missing variable is an error, never an empty text.
//!
//! A template sees the profile's components as decided (`metallb.pool`, `workloads.was.replicas`), the images of the profile's
//! parts (`images.nginx`), the cluster's secrets (`secrets.mysql_password`), and the variables of its component. Filters
//! besides Tera's: `quote` makes a YAML string, `base64` is for CA bundles.

use std::net::Ipv4Addr;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use include_dir::{Dir, include_dir};
use serde_json::{Map, Value, json};
use tera::{Context, Kwargs, State, Tera};

use super::{ALL, ComponentError, ObjectRef, Part, Secrets, Source, catalogue};
use crate::profile::{AddressRange, Pool, Profile, Vip};

/// The templates, part of the program: a folder per component.
static TEMPLATES: Dir = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// A profile whose parts can be rendered: everything is decided.
#[derive(Debug, Clone)]
pub struct Decided {
    /// The profile, with addresses in place of `auto`.
    profile: Profile,
    /// Reference of the WAS image on nodes.
    was_image: String,
    /// The cluster's secrets.
    secrets: Secrets,
}

impl Decided {
    /// The profile with what was decided: the gateway's address, and the pool it comes from.
    pub fn new(profile: &Profile, vip: Ipv4Addr, pool: AddressRange, was_image: &str, secrets: Secrets) -> Self {
        let mut profile = profile.clone();
        if let Some(metallb) = &mut profile.components.metallb {
            metallb.pool = Pool::Range(pool);
        }
        if let Some(istio) = &mut profile.components.istio {
            istio.gateway.vip = Vip::Address(vip);
        }
        Decided { profile, was_image: was_image.to_owned(), secrets }
    }

    /// The variables that the templates of a part see.
    fn variables(&self, part: &Part) -> Value {
        // structs of strings and numbers always serialise, and their keys are strings
        let mut variables = json!(self.profile.components);
        let component = ALL.iter().find(|component| component.name == part.id.component());
        let own = component.map_or(Value::Null, |component| (component.variables)(&self.profile));
        for (name, value) in own.as_object().into_iter().flatten() {
            variables[name] = value.clone();
        }
        let images = catalogue::images(&self.profile).into_iter().chain(part.images.clone()).map(|image| {
            let reference = if image.is_packed() { self.was_image.clone() } else { image.reference.into_owned() };
            (image.name.to_owned(), Value::String(reference))
        });
        variables["images"] = Value::Object(images.collect::<Map<_, _>>());
        variables["secrets"] = json!(self.secrets);
        variables
    }
}

/// The objects of a part, in file order. Empty for parts whose objects come from [`definitions`].
///
/// # Errors
/// [`ComponentError::Template`] for a missing variable, [`ComponentError::Manifest`] if the result is not a list of objects.
pub fn render(part: &Part, decided: &Decided) -> Result<Vec<Value>, ComponentError> {
    let Source::Templates(templates) = part.source else { return Ok(Vec::new()) };
    // the variables are a map
    let context = Context::from_serialize(&decided.variables(part)).expect("variables are a map");
    let mut objects = Vec::new();
    for &template in templates {
        let failed = |source| ComponentError::Template { template, source: Box::new(source) };
        let text = ENGINE.render(template, &context).map_err(failed)?;
        objects.extend(documents(template, &text)?);
    }
    objects.iter_mut().for_each(encode_secret);
    Ok(objects)
}

/// Renders everything a profile needs, with stand-ins for values that are known only later, so that a template that does not
/// render is found before anything is changed.
///
/// # Errors
/// As [`render`].
pub fn trial(profile: &Profile) -> Result<(), ComponentError> {
    let address = Ipv4Addr::new(192, 0, 2, 1);
    let pool = AddressRange { first: address, last: address };
    let decided = Decided::new(profile, address, pool, "trial", Secrets::generate(profile)?);
    catalogue::parts(profile).iter().try_for_each(|part| render(part, &decided).map(drop))
}

/// The resource definitions of a part, from the text of its upstream file (see [`Source::Definitions`]), made fit for a cluster
/// in which no conversion webhook runs. Empty for parts whose objects are rendered.
///
/// # Errors
/// [`ComponentError::Manifest`] if the file is not a list of objects, or contains none of the part's definitions.
pub fn definitions(part: &Part, text: &str) -> Result<Vec<Value>, ComponentError> {
    let Source::Definitions { file, which } = part.source else { return Ok(Vec::new()) };
    let mut objects = documents(file.name, text)?;
    objects.retain(|object| {
        let kind = object.pointer("/spec/names/kind").and_then(Value::as_str).unwrap_or_default();
        object["kind"] == "CustomResourceDefinition" && which.has(kind)
    });
    if objects.is_empty() {
        let reason = format!("no definition of {} in it", part.id);
        return Err(ComponentError::Manifest { file: file.name.to_owned(), reason });
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

/// Path below `templates/` and text of every template.
fn templates() -> impl Iterator<Item = (&'static str, &'static str)> {
    let folders = ALL.iter().filter_map(|component| TEMPLATES.get_dir(component.name));
    folders.flat_map(|folder| folder.files()).filter_map(|file| Some((file.path().to_str()?, file.contents_utf8()?)))
}

static ENGINE: LazyLock<Tera> = LazyLock::new(|| {
    let mut engine = Tera::new();
    engine.register_filter("quote", |text: &str, _: Kwargs, _: &State| json!(text).to_string());
    engine.register_filter("base64", |text: &str, _: Kwargs, _: &State| BASE64.encode(text));
    // they are part of the program, and every test of this file loads them
    engine.add_raw_templates(templates()).expect("templates parse");
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

/// Turns `stringData` into `data`: server-side apply cannot remove a key that was once written through `stringData`.
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
    use crate::artifact::pins;
    use crate::components::testing::{WAS, decided, everything};
    use crate::components::{Image, istio, probe, workloads};
    use crate::profile::Telemetry;

    /// Every part of every component with its objects.
    fn rendered() -> Vec<(Part, Vec<Value>)> {
        let of = |profile: Profile| {
            let decided = decided(&profile);
            let parts = catalogue::parts(&profile).into_iter().chain([probe::part()]).filter(|part| part.file().is_none());
            let render_one = |part: Part| {
                let objects = render(&part, &decided).unwrap_or_else(|error| panic!("{}", crate::error::chain(&error)));
                (part, objects)
            };
            parts.map(render_one).collect::<Vec<_>>()
        };
        everything().into_iter().flat_map(of).collect()
    }

    #[test]
    fn every_template_renders_to_kinds_hearth_knows() {
        for (part, objects) in rendered() {
            assert!(!objects.is_empty(), "{} has no objects", part.id);
            for object in objects {
                ObjectRef::of(&object).turn().unwrap_or_else(|error| panic!("{}: {error}", part.id));
            }
        }
    }

    #[test]
    fn every_template_of_a_component_belongs_to_a_part() {
        let used: Vec<&str> = rendered()
            .into_iter()
            .flat_map(|(part, _)| match part.source {
                Source::Templates(files) => files.to_vec(),
                Source::Definitions { .. } => Vec::new(),
            })
            .collect();
        for (name, _) in templates() {
            assert!(used.contains(&name), "{name} is used by no part");
        }
    }

    #[test]
    fn pods_run_only_images_that_their_part_names() {
        for (part, objects) in rendered() {
            for object in objects {
                for containers in ["containers", "initContainers"] {
                    let containers = object.pointer(&format!("/spec/template/spec/{containers}")).and_then(Value::as_array);
                    for container in containers.into_iter().flatten() {
                        let image = container["image"].as_str().unwrap_or_default();
                        let is = |one: &Image| one.reference == image || (one.is_packed() && image == WAS);
                        let named = part.images.iter().any(is);
                        assert!(named, "{} runs {image}", part.id);
                    }
                }
            }
        }
    }

    #[test]
    fn every_pinned_image_is_run_by_a_part() {
        let run: Vec<String> = everything().iter().flat_map(catalogue::pulled).collect();
        for pin in pins::IMAGES {
            assert!(run.iter().any(|image| image == pin.reference), "{} is run by no part", pin.reference);
        }
    }

    #[test]
    fn templates_see_what_was_decided() {
        let profile = everything().remove(0);
        let variables = decided(&profile).variables(&probe::part());
        assert_eq!(variables["metallb"]["pool"], "172.18.255.200-172.18.255.220");
        assert_eq!(variables["istio"]["gateway"]["vip"], "172.18.255.200");
        assert_eq!((&variables["images"]["was"], &variables["workloads"]["was"]["replicas"]), (&json!(WAS), &json!(2)));
    }

    #[test]
    fn certificates_survive_the_templates() {
        let profile = everything().remove(0);
        let decided = decided(&profile);
        let part = catalogue::part(&profile, workloads::NAMESPACE).expect("asked for");
        let objects = render(&part, &decided).expect("renders");
        let root = objects.iter().find(|object| object["kind"] == "ConfigMap").expect("has the root certificate");
        assert_eq!(root["data"]["root-cert.pem"].as_str(), decided.secrets.get("mesh_ca_certificate"));
    }

    #[test]
    fn stock_envoy_needs_its_switches_and_istio_envoy_its_provider() {
        let text = |telemetry| {
            let mut profile = everything().remove(0);
            profile.components.istio.as_mut().expect("asked for").telemetry = telemetry;
            let part = catalogue::part(&profile, istio::ISTIOD).expect("asked for");
            let objects = render(&part, &decided(&profile)).expect("renders");
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
