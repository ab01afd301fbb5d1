//! Which components exist, in which parts they are installed, and what each part needs.
//!
//! A part is the unit of the plan: small enough that everything which can overlap does, large enough that
//! the plan reads well.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::artifact::FilePin;
use crate::artifact::pins::{self, ImagePin};
use crate::profile::{Profile, Provider};

/// A part of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// The default storage class, on hosts whose image does not bring one.
    Storage,
    /// MetalLB's resource definitions.
    MetallbCrds,
    /// Controller and speakers.
    MetallbController,
    /// The address pool and its announcement.
    MetallbPool,
    /// Istio's resource definitions that the way to web needs.
    IstioCrds,
    /// The rest of Istio's resource definitions.
    IstioMoreCrds,
    /// The control plane, its CA, configuration and sidecar template.
    Istiod,
    /// The ingress gateway and its address.
    IstioGateway,
    /// Sidecar injection.
    IstioWebhook,
    /// Validation of Istio's objects.
    IstioValidation,
    /// Namespace of the sample workloads, with the mesh's root certificate.
    WorkloadsNamespace,
    /// The database, outside the mesh.
    Mysql,
    /// The application server.
    Was,
    /// The web server.
    Web,
    /// From the gateway to web.
    Routes,
    /// One pod per node for the proof of connectivity; not installed for good.
    Probe,
}

/// When a part may be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Need {
    /// After that part's objects were written.
    Applied(Part),
    /// After that part works.
    Healthy(Part),
}

impl Need {
    /// The part that is needed.
    pub fn part(self) -> Part {
        match self {
            Need::Applied(part) | Need::Healthy(part) => part,
        }
    }
}

impl Part {
    /// Every part, in an order that satisfies all needs.
    pub const ALL: [Part; 16] = [
        Part::Storage,
        Part::Istiod,
        Part::MetallbCrds,
        Part::MetallbController,
        Part::MetallbPool,
        Part::IstioGateway,
        Part::IstioWebhook,
        Part::IstioCrds,
        Part::WorkloadsNamespace,
        Part::Mysql,
        Part::Was,
        Part::Web,
        Part::Routes,
        Part::IstioMoreCrds,
        Part::IstioValidation,
        Part::Probe,
    ];

    /// `component/part`, as plans and messages name it.
    pub fn id(self) -> &'static str {
        match self {
            Part::Storage => "storage/local-path",
            Part::MetallbCrds => "metallb/crds",
            Part::MetallbController => "metallb/controller",
            Part::MetallbPool => "metallb/pool",
            Part::IstioCrds => "istio/crds",
            Part::IstioMoreCrds => "istio/more-crds",
            Part::Istiod => "istio/istiod",
            Part::IstioGateway => "istio/gateway",
            Part::IstioWebhook => "istio/webhook",
            Part::IstioValidation => "istio/validation",
            Part::WorkloadsNamespace => "workloads/namespace",
            Part::Mysql => "workloads/mysql",
            Part::Was => "workloads/was",
            Part::Web => "workloads/web",
            Part::Routes => "workloads/routes",
            Part::Probe => "probe/probe",
        }
    }

    /// The component it belongs to, the value of the label `hearth.dev/component`.
    pub fn component(self) -> &'static str {
        self.id().split_once('/').map_or(self.id(), |(component, _)| component)
    }

    /// What has to be there before it is applied. A need for a part that the profile does not ask for is none.
    pub fn needs(self) -> &'static [Need] {
        use Need::{Applied, Healthy};
        match self {
            Part::Storage | Part::MetallbCrds | Part::Istiod | Part::WorkloadsNamespace | Part::Probe => &[],
            // istiod waits at its start for every definition it finds, seconds while the API server compiles their schemas;
            // those that come later it takes up as they come
            Part::IstioCrds => &[Healthy(Part::IstioWebhook)],
            // half the schemas, and nothing on the way to the first answer uses them
            Part::IstioMoreCrds => &[Healthy(Part::IstioGateway), Healthy(Part::Web), Healthy(Part::Was)],
            // its caches give up when a definition is missing at their start
            Part::MetallbController => &[Healthy(Part::MetallbCrds)],
            Part::MetallbPool => &[Applied(Part::MetallbController)],
            Part::IstioGateway | Part::IstioWebhook => &[Applied(Part::Istiod)],
            Part::IstioValidation => &[Healthy(Part::Istiod), Applied(Part::Routes)],
            Part::Mysql => &[Applied(Part::WorkloadsNamespace)],
            // a pod that is refused by the injector comes back only after its ReplicaSet's back-off, up to 16 s
            Part::Was => &[Applied(Part::WorkloadsNamespace), Applied(Part::Mysql), Healthy(Part::IstioWebhook)],
            Part::Web => &[Applied(Part::WorkloadsNamespace), Healthy(Part::IstioWebhook)],
            Part::Routes => &[Applied(Part::WorkloadsNamespace), Healthy(Part::IstioCrds)],
        }
    }

    /// The images its pods run.
    pub fn images(self) -> &'static [ImagePin] {
        match self {
            Part::Storage => &[pins::LOCAL_PATH, pins::BUSYBOX],
            Part::MetallbController => &[pins::METALLB_CONTROLLER, pins::METALLB_SPEAKER],
            Part::Istiod => &[pins::ISTIO_PILOT],
            Part::IstioGateway | Part::Was => &[pins::ISTIO_PROXY],
            Part::Web => &[pins::NGINX, pins::ISTIO_PROXY],
            Part::Mysql => &[pins::MYSQL],
            _ => &[],
        }
    }

    /// The upstream file whose resource definitions this part is, if it is one of those.
    pub fn definitions(self) -> Option<FilePin> {
        match self {
            Part::MetallbCrds => Some(pins::METALLB_NATIVE),
            Part::IstioCrds | Part::IstioMoreCrds => Some(pins::ISTIO_CRDS),
            _ => None,
        }
    }

    /// Which of the definitions in that file are this part's.
    pub(super) fn defines(self, kind: &str) -> bool {
        let routing = ["Gateway", "VirtualService", "DestinationRule"].contains(&kind);
        match self {
            Part::MetallbCrds => true,
            Part::IstioCrds => routing,
            Part::IstioMoreCrds => !routing,
            _ => false,
        }
    }

    /// Its templates, by their path under `templates/`.
    pub fn templates(self) -> &'static [&'static str] {
        match self {
            Part::MetallbCrds | Part::IstioCrds | Part::IstioMoreCrds => &[],
            Part::Storage => &["storage/local-path.yaml"],
            Part::MetallbController => &["metallb/controller.yaml"],
            Part::MetallbPool => &["metallb/pool.yaml"],
            Part::Istiod => &["istio/istiod.yaml", "istio/injector.yaml"],
            Part::IstioGateway => &["istio/gateway.yaml"],
            Part::IstioWebhook => &["istio/webhook.yaml"],
            Part::IstioValidation => &["istio/validation.yaml"],
            Part::WorkloadsNamespace => &["workloads/namespace.yaml", "istio/trust.yaml"],
            Part::Mysql => &["storage/volume.yaml", "workloads/mysql.yaml"],
            Part::Was => &["workloads/was.yaml"],
            Part::Web => &["workloads/web.yaml"],
            Part::Routes => &["workloads/routes.yaml"],
            Part::Probe => &["probe/probe.yaml"],
        }
    }
}

/// The parts a profile asks for, in an order that satisfies all needs. [`Part::Probe`] is never among them.
pub fn parts(profile: &Profile) -> Vec<Part> {
    let components = &profile.components;
    let wanted = |part: &Part| match part.component() {
        // Docker nodes bring a storage class in their image, where kind puts it
        "storage" => matches!(profile.provider, Provider::Ssh(_)) && components.workloads.is_some(),
        "metallb" => components.metallb.is_some(),
        "istio" => components.istio.is_some(),
        "workloads" => components.workloads.is_some(),
        _ => false,
    };
    Part::ALL.into_iter().filter(wanted).collect()
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl Serialize for Part {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

impl FromStr for Part {
    type Err = super::ComponentError;

    fn from_str(id: &str) -> Result<Self, Self::Err> {
        let found = Part::ALL.into_iter().find(|part| part.id() == id);
        found.ok_or_else(|| super::ComponentError::UnknownPart { id: id.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_satisfies_all_needs() {
        for (position, part) in Part::ALL.into_iter().enumerate() {
            for need in part.needs() {
                assert!(Part::ALL[..position].contains(&need.part()), "{part} comes before {}", need.part());
            }
        }
    }

    #[test]
    fn ids_are_unique_and_parse_back() {
        for part in Part::ALL {
            assert_eq!(part.id().parse::<Part>().ok(), Some(part));
        }
        assert!("istio/istoid".parse::<Part>().is_err());
    }
}
