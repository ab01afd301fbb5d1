//! The sample application in namespace `blog-system`: web (nginx) → WAS → MySQL, and the routes from the gateway to web.

use serde_json::{Value, json};

use super::secrets::{SecretSpec, letters};
use super::{Component, Image, Need, On, Part, PartId, Ready, istio};
use crate::artifact::pins;
use crate::profile::Profile;

/// The namespace, with the mesh's root certificate.
pub const NAMESPACE: PartId = PartId("workloads/namespace");
/// The database, outside the mesh.
pub const MYSQL: PartId = PartId("workloads/mysql");
/// The web server.
pub const WEB: PartId = PartId("workloads/web");
/// The application server.
pub const WAS: PartId = PartId("workloads/was");
/// From the gateway to web.
pub const ROUTES: PartId = PartId("workloads/routes");

/// The component.
pub const COMPONENT: Component = Component {
    variables,
    secrets: &[SecretSpec {
        namespace: "blog-system",
        name: "mysql-credentials",
        keys: &[("password", "mysql_password"), ("root-password", "mysql_root_password")],
        // letters and digits, because they are inserted into SQL
        make: || Ok(vec![letters(24), letters(24)]),
    }],
    memory,
    ..Component::new("workloads", parts)
};

fn parts(profile: &Profile) -> Vec<Part> {
    if profile.components.workloads.is_none() {
        return Vec::new();
    }
    let proxy = || Image::pinned(pins::ISTIO_PROXY, On::Workers);
    // a pod that the injector refuses is retried only after its ReplicaSet's back-off, up to 16 s
    let injected = Need::Healthy(istio::WEBHOOK);
    vec![
        Part::templates(NAMESPACE, &["workloads/namespace.yaml", "istio/trust.yaml"]),
        Part::templates(MYSQL, &["storage/volume.yaml", "workloads/mysql.yaml"])
            .after([Need::Applied(NAMESPACE)])
            .runs([Image::pinned(pins::MYSQL, On::VolumeNode)])
            .ready([Ready::Rollout]),
        Part::templates(WEB, &["workloads/web.yaml"])
            .after([Need::Applied(NAMESPACE), injected])
            .runs([Image::pinned(pins::NGINX, On::Workers), proxy()])
            .ready([Ready::Rollout]),
        Part::templates(WAS, &["workloads/was.yaml"])
            .after([Need::Applied(NAMESPACE), Need::Applied(MYSQL), injected])
            .runs([Image::was(On::Workers), proxy()])
            .ready([Ready::Rollout]),
        Part::templates(ROUTES, &["workloads/routes.yaml"]).after([Need::Applied(NAMESPACE), Need::Healthy(istio::CRDS)]),
    ]
}

fn variables(profile: &Profile) -> Value {
    json!({"volume_node": profile.nodes().holds_volumes().name})
}

/// MySQL, and each replica of web and WAS with its proxy.
fn memory(profile: &Profile) -> u64 {
    let replicas = profile.components.workloads.as_ref().map_or(0, |workloads| workloads.web.replicas + workloads.was.replicas);
    (512 << 20) + u64::from(replicas) * (96 << 20)
}
