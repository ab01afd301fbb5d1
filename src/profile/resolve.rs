//! From the profile as written to its meaning: defaults filled in, every text parsed.

use super::schema::{self, ClusterProfile};
use super::validate::validate;
use super::values::{self, Complaint};
use super::{Cni, Kubernetes, Profile, Provider, Role};
use crate::input::{Located, Problem, within};

/// The problems found so far, and the file to show them in.
pub(super) struct Findings<'a> {
    file: &'a Located<ClusterProfile>,
    problems: &'a mut Vec<Problem>,
}

impl Findings<'_> {
    pub fn refuse(&mut self, path: &str, message: impl Into<String>, hint: Option<&str>) {
        self.problems.push(self.file.problem(path, message, hint.map(str::to_owned)));
    }

    /// Reports values that contradict each other, at the first of `paths` that was written. Does nothing if one of the values,
    /// or something around it, was refused already: then only a stand-in for it was looked at.
    pub fn conflict(&mut self, paths: &[&str], message: impl Into<String>, hint: Option<&str>) {
        let refused = paths.iter().any(|path| self.problems.iter().any(|problem| within(path, &problem.path)));
        let written = paths.iter().find(|path| self.file.find(path).is_some());
        if let (false, Some(path)) = (refused, written.or(paths.first())) {
            self.refuse(path, message, hint);
        }
    }

    /// Parses a value; returns the stand-in if that fails.
    pub fn parse<T>(&mut self, path: &str, text: &str, stand_in: T, parse: impl Fn(&str) -> Result<T, Complaint>) -> T {
        parse(text).unwrap_or_else(|complaint| {
            self.refuse(path, complaint.message, complaint.hint.as_deref());
            stand_in
        })
    }

    /// Parses a value that stays a text.
    pub fn parse_text(&mut self, path: &str, text: &str, parse: impl Fn(&str) -> Result<String, Complaint>) -> String {
        self.parse(path, text, text.to_owned(), parse)
    }
}

/// The profile that a file means; problems of its values, alone and together, are added to those of its structure. If there is
/// any problem, stand-ins make the profile useless.
pub(super) fn resolve(file: Located<ClusterProfile>, problems: &mut Vec<Problem>) -> Profile {
    let mut findings = Findings { file: &file, problems };
    let spec = &file.value.spec;
    let kubernetes = kubernetes(&mut findings, spec.kubernetes.as_ref());
    let mut profile = Profile {
        name: findings.parse_text("metadata.name", &file.value.metadata.name, values::cluster_name),
        provider: Provider::resolve(&spec.provider, &kubernetes.version, &mut findings),
        kubernetes,
        schedulable: spec.control_plane.as_ref().and_then(|control_plane| control_plane.schedulable),
        cni: spec.network.as_ref().and_then(|network| network.cni).unwrap_or(Cni::Routed),
        components: spec.components.clone().unwrap_or_default(),
    };
    validate(&profile, &mut findings);
    if let Provider::Ssh(ssh) = &mut profile.provider {
        // only now: problems refer to hosts by their place in the file
        ssh.hosts.sort_by_key(|host| host.role == Role::Worker);
    }
    profile
}

fn kubernetes(findings: &mut Findings, written: Option<&schema::Kubernetes>) -> Kubernetes {
    let text = |field: fn(&schema::Kubernetes) -> &Option<String>, default: &str| {
        written.and_then(|written| field(written).clone()).unwrap_or_else(|| default.to_owned())
    };
    let stand_in = ipnet::Ipv4Net::default();
    Kubernetes {
        version: findings.parse_text("spec.kubernetes.version", &text(|k| &k.version, schema::VERSION), values::version),
        pod_subnet: findings.parse(
            "spec.kubernetes.podSubnet",
            &text(|k| &k.pod_subnet, schema::POD_SUBNET),
            stand_in,
            values::pod_subnet,
        ),
        service_subnet: findings.parse(
            "spec.kubernetes.serviceSubnet",
            &text(|k| &k.service_subnet, schema::SERVICE_SUBNET),
            stand_in,
            values::service_subnet,
        ),
    }
}
