//! The network that all kind clusters share: made if absent, removed only if we made it and nothing uses it.

use std::collections::HashMap;

use bollard::errors::Error as EngineError;
use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest, NetworkInspect};
use bollard::query_parameters::{InspectNetworkOptions, ListContainersOptionsBuilder};
use ipnet::Ipv4Net;
use sha2::{Digest, Sha256};

use super::{DockerError, DockerProvider, Engine, NETWORK, OWNER_LABEL, POOL_LABEL, call, is_absent};
use crate::provider::Network;

/// The option for the size of the largest packet, in bytes.
const MTU: &str = "com.docker.network.driver.mtu";

/// The nodes' network on the engine.
#[derive(Debug, Clone)]
pub struct NodeNetwork {
    /// Name of its interface on the engine's host.
    pub bridge: String,
    /// Its addresses in use; a cluster's pool is known once its control plane exists.
    pub view: Network,
}

impl Engine {
    /// True when the network exists.
    pub async fn has_network(&self) -> Result<bool, DockerError> {
        Ok(self.inspect_network().await?.is_some())
    }

    /// True when Hearth made the network and no container needs it.
    pub async fn network_is_ours_and_unused(&self) -> Result<bool, DockerError> {
        let Some(network) = self.inspect_network().await? else { return Ok(false) };
        // a stopped container is not listed on the network, but still needs it to start
        let filters = HashMap::from([("network", vec![NETWORK])]);
        let users = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let users = self.docker.list_containers(Some(users)).await.map_err(call("list containers"))?;
        Ok(network.labels.unwrap_or_default().contains_key(OWNER_LABEL) && users.is_empty())
    }

    async fn inspect_network(&self) -> Result<Option<NetworkInspect>, DockerError> {
        match self.docker.inspect_network(NETWORK, None::<InspectNetworkOptions>).await {
            Ok(network) => Ok(Some(network)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(call("inspect network `kind`")(error)),
        }
    }

    /// The nodes' network, as a cluster sees it; `None` if it does not exist yet.
    pub async fn node_network(&self, cluster: &str) -> Result<Option<NodeNetwork>, DockerError> {
        let Some(network) = self.inspect_network().await? else { return Ok(None) };
        // the engine's own naming, unless the network was made with a chosen name (libnetwork `drivers/bridge`)
        let chosen = network.options.unwrap_or_default().remove("com.docker.network.bridge.name");
        let bridge = chosen.unwrap_or_else(|| format!("br-{:.12}", network.id.unwrap_or_default()));
        let configs = network.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
        let (subnet, gateway) = configs
            .iter()
            .find_map(|config| Some((config.subnet.as_ref()?.parse::<Ipv4Net>().ok()?, config.gateway.clone())))
            .ok_or(DockerError::NoSubnet)?;
        let addresses = network.containers.unwrap_or_default().into_values().filter_map(|endpoint| endpoint.ipv4_address);
        let used = gateway.into_iter().chain(addresses).filter_map(|text| text.split('/').next()?.parse().ok()).collect();
        let mut taken = Vec::new();
        let mut own = None;
        for container in self.containers_labelled(POOL_LABEL).await? {
            let labels = container.labels.unwrap_or_default();
            let Some(range) = labels.get(POOL_LABEL).and_then(|text| text.parse().ok()) else { continue };
            if labels.get(OWNER_LABEL).is_some_and(|owner| owner == cluster) {
                own = Some(range);
            } else {
                taken.push(range);
            }
        }
        Ok(Some(NodeNetwork { bridge, view: Network { subnet, used, taken, own } }))
    }
}

impl DockerProvider {
    /// Makes the network as kind does: IPv4 only if the engine cannot do IPv6, and with the largest packets of its default network,
    /// which an engine behind a tunnel has been told.
    pub async fn create_network(&self) -> Result<(), DockerError> {
        let default = self.engine.docker.inspect_network("bridge", None::<InspectNetworkOptions>).await;
        // an engine may have been told to do without that network
        let mtu = default.ok().and_then(|default| default.options?.remove(MTU));
        let request = |ipv6: bool| NetworkCreateRequest {
            name: NETWORK.to_owned(),
            driver: Some("bridge".to_owned()),
            enable_ipv6: Some(ipv6),
            ipam: ipv6.then(|| Ipam {
                config: Some(vec![IpamConfig { subnet: Some(unique_local_subnet(NETWORK)), ..Default::default() }]),
                ..Default::default()
            }),
            options: Some(options(mtu.clone())),
            labels: Some(HashMap::from([(OWNER_LABEL.to_owned(), self.cluster.clone())])),
            ..Default::default()
        };
        if self.engine.docker.create_network(request(true)).await.is_ok() || self.engine.has_network().await? {
            return Ok(());
        }
        let made = self.engine.docker.create_network(request(false)).await;
        if !self.engine.has_network().await? {
            made.map_err(call("create network `kind`"))?;
        }
        Ok(())
    }

    /// Removes the network if Hearth made it and no container needs it.
    pub async fn remove_network(&self) -> Result<(), DockerError> {
        if !self.engine.network_is_ours_and_unused().await? {
            return Ok(());
        }
        match self.engine.docker.remove_network(NETWORK).await {
            // 403: another cluster's first container joined it just now
            Err(error) if !is_absent(&error) && !in_use(&error) => Err(call("remove network `kind`")(error)),
            _ => Ok(()),
        }
    }
}

/// Options of the network's driver.
fn options(mtu: Option<String>) -> HashMap<String, String> {
    let masquerade = ("com.docker.network.bridge.enable_ip_masquerade".to_owned(), "true".to_owned());
    mtu.map(|mtu| (MTU.to_owned(), mtu)).into_iter().chain([masquerade]).collect()
}

/// A unique local IPv6 /64 (RFC 4193) derived from the name, so that every run chooses the same one.
fn unique_local_subnet(name: &str) -> String {
    let digest = Sha256::digest(name.as_bytes());
    let group = |index: usize| u16::from_be_bytes([digest[index], digest[index + 1]]);
    format!("fc00:{:x}:{:x}:{:x}::/64", group(0), group(2), group(4))
}

/// True when the engine keeps a network because something uses it.
fn in_use(error: &EngineError) -> bool {
    matches!(error, EngineError::DockerResponseServerError { status_code: 403, .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_packet_is_that_of_the_engines_default_network() {
        assert_eq!(options(Some("1400".into())).get(MTU).map(String::as_str), Some("1400"));
        assert!(!options(None).contains_key(MTU) && options(None).len() == 1);
    }
}
