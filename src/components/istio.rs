//! Istio: control plane, sidecar injection, ingress gateway. Written as Hearth's own templates; only the resource definitions
//! are upstream's.

use std::net::Ipv4Addr;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyUsagePurpose};
use serde_json::{Value, json};

use super::manifest::{Kind, Turn};
use super::secrets::{SecretSpec, signed_by_itself};
use super::{Component, ComponentError, Image, Need, On, Part, PartId, Ready, Which, workloads};
use crate::artifact::pins;
use crate::profile::Profile;

/// The control plane, its CA, configuration and sidecar template.
pub const ISTIOD: PartId = PartId("istio/istiod");
/// The ingress gateway and its address.
pub const GATEWAY: PartId = PartId("istio/gateway");
/// Sidecar injection.
pub const WEBHOOK: PartId = PartId("istio/webhook");
/// Resource definitions needed on the way to web.
pub const CRDS: PartId = PartId("istio/crds");
/// The rest of the resource definitions.
pub const MORE_CRDS: PartId = PartId("istio/more-crds");
/// Validation of Istio's objects.
pub const VALIDATION: PartId = PartId("istio/validation");

/// The component.
pub const COMPONENT: Component = Component {
    variables,
    secrets: &[SecretSpec {
        namespace: "istio-system",
        name: "cacerts",
        keys: &[("ca-cert.pem", "mesh_ca_certificate"), ("ca-key.pem", "mesh_ca_key")],
        make: mesh_authority,
    }],
    // for istiod and the gateway
    memory: |_| 384 << 20,
    kinds: &[
        networking("Gateway", "gateways"),
        networking("VirtualService", "virtualservices"),
        networking("DestinationRule", "destinationrules"),
        networking("ServiceEntry", "serviceentries"),
        networking("Sidecar", "sidecars"),
        Kind::namespaced("networking.istio.io/v1alpha3", "EnvoyFilter", "envoyfilters", Turn::Custom),
        security("PeerAuthentication", "peerauthentications"),
        security("AuthorizationPolicy", "authorizationpolicies"),
        security("RequestAuthentication", "requestauthentications"),
        Kind::namespaced("telemetry.istio.io/v1", "Telemetry", "telemetries", Turn::Custom),
    ],
    ..Component::new("istio", parts)
};

const fn networking(kind: &'static str, plural: &'static str) -> Kind {
    Kind::namespaced("networking.istio.io/v1", kind, plural, Turn::Custom)
}

const fn security(kind: &'static str, plural: &'static str) -> Kind {
    Kind::namespaced("security.istio.io/v1", kind, plural, Turn::Custom)
}

/// Kinds used on the way from the gateway to web.
const ROUTING: &[&str] = &["Gateway", "VirtualService", "DestinationRule"];

fn parts(profile: &Profile) -> Vec<Part> {
    if profile.components.istio.is_none() {
        return Vec::new();
    }
    let proxy = || Image::pinned(pins::ISTIO_PROXY, On::Workers);
    vec![
        Part::templates(ISTIOD, &["istio/istiod.yaml", "istio/injector.yaml"])
            .runs([Image::pinned(pins::ISTIO_PILOT, On::Workers)])
            .ready([Ready::Rollout]),
        Part::templates(GATEWAY, &["istio/gateway.yaml"])
            .after([Need::Applied(ISTIOD)])
            .runs([proxy()])
            .ready([Ready::Rollout, Ready::Address]),
        Part::templates(WEBHOOK, &["istio/webhook.yaml"])
            .after([Need::Applied(ISTIOD)])
            .ready([Ready::Injects { label: ("sidecar.istio.io/inject", "true"), container: "istio-proxy" }]),
        // at its start istiod waits for every definition it finds, which takes seconds while the API server compiles their
        // schemas; definitions that come later it picks up as they come
        Part::definitions(CRDS, pins::ISTIO_CRDS, Which::Only(ROUTING)).after([Need::Healthy(WEBHOOK)]),
        // half of the schemas, and nothing on the way to the first answer uses them
        Part::definitions(MORE_CRDS, pins::ISTIO_CRDS, Which::Except(ROUTING)).after([
            Need::Healthy(GATEWAY),
            Need::Healthy(workloads::WEB),
            Need::Healthy(workloads::WAS),
        ]),
        Part::templates(VALIDATION, &["istio/validation.yaml"]).after([Need::Healthy(ISTIOD), Need::Applied(workloads::ROUTES)]),
    ]
}

/// The index of istiod's service address among the hosts of the service subnet, counted from 0: 10.96.0.15 of 10.96.0.0/16,
/// near DNS, which is 10.96.0.10 by kubeadm's convention. Kubernetes assigns the first addresses of the subnet last.
const ISTIOD_HOST: usize = 14;

fn variables(profile: &Profile) -> Value {
    let address = profile.kubernetes.service_subnet.hosts().nth(ISTIOD_HOST).unwrap_or(Ipv4Addr::UNSPECIFIED);
    json!({"istiod_address": address})
}

/// A root certificate of the mesh, which signs the proxies' and istiod's certificates, and its key.
fn mesh_authority() -> Result<Vec<String>, ComponentError> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::OrganizationName, "cluster.local");
    params.distinguished_name.push(DnType::CommonName, "hearth mesh");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    signed_by_itself(params)
}
