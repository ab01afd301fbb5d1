//! Node containers: how one is made, and which exist.

use std::collections::HashMap;
use std::future::ready;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use bollard::errors::Error as EngineError;
use bollard::models::{
    ContainerCreateBody, ContainerSummary, HostConfig, HostConfigCgroupnsModeEnum, PortBinding, RestartPolicy,
    RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, ListContainersOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
    WaitContainerOptionsBuilder,
};
use futures_util::TryStreamExt;

use super::{
    CLUSTER_LABEL, DockerError, DockerNode, DockerProvider, Engine, IMAGE_LABEL, NETWORK, OWNER_LABEL, POOL_LABEL, ROLE_LABEL,
    call, is_absent,
};
use crate::profile::{AddressRange, Role};
use crate::provider::{Command, Node, Provider, THAW};

/// A node container as the engine lists it.
#[derive(Debug, Clone)]
pub struct Container {
    /// Node name.
    pub name: String,
    /// Its part in the cluster.
    pub role: Role,
    /// True when the container runs.
    pub running: bool,
    /// The engine's own words: "Up 5 minutes", "Exited (137) ...".
    pub status: String,
    /// True when Hearth made it.
    pub ours: bool,
    /// Address on the kind network, when running.
    pub address: Option<Ipv4Addr>,
    /// Host port of the API server, on control planes.
    pub api_port: Option<u16>,
}

impl Engine {
    /// Every container labelled with a cluster's name, running or not, ours or not.
    pub async fn containers(&self, cluster: &str) -> Result<Vec<Container>, DockerError> {
        let listed = self.containers_labelled(&format!("{CLUSTER_LABEL}={cluster}")).await?;
        let mut containers: Vec<Container> = listed.into_iter().filter_map(summarize).collect();
        containers.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(containers)
    }

    /// Containers with a label, running or not.
    pub(super) async fn containers_labelled(&self, label: &str) -> Result<Vec<ContainerSummary>, DockerError> {
        let filters = HashMap::from([("label", vec![label])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        self.docker.list_containers(Some(options)).await.map_err(call("list containers"))
    }
}

impl DockerProvider {
    /// The cluster's containers, running or not. A cluster with the same name that is not ours is refused.
    pub async fn own_containers(&self) -> Result<Vec<Container>, DockerError> {
        let containers = self.engine.containers(&self.cluster).await?;
        let foreign: Vec<&str> = containers.iter().filter(|c| !c.ours).map(|c| c.name.as_str()).collect();
        if !foreign.is_empty() {
            return Err(DockerError::Foreign { cluster: self.cluster.clone(), containers: foreign.join(", ") });
        }
        Ok(containers)
    }

    /// The node of a container.
    pub fn open(&self, container: &Container) -> Result<DockerNode, DockerError> {
        match container.address {
            Some(address) => Ok(DockerNode::new(self.engine.docker.clone(), container, address)),
            None => Err(DockerError::NoAddress { node: container.name.clone(), state: container.status.clone() }),
        }
    }

    /// Makes the container from `image` if absent, and starts it. A control plane gets a label with the reserved pool.
    pub async fn start_node(&self, name: &str, role: Role, image: &str) -> Result<(), DockerError> {
        if !self.own_containers().await?.iter().any(|container| container.name == name) {
            let port = match role {
                Role::ControlPlane => Some(self.nodes.api_port.map_or_else(free_port, Ok)?),
                Role::Worker => None,
            };
            let options = CreateContainerOptionsBuilder::new().name(name).build();
            let mut reserved = self.reserved.lock().await;
            let pool = reserved.as_ref().map(|reserved| reserved.range);
            let body = self.container_body(name, role, image, port, pool);
            self.engine.docker.create_container(Some(options), body).await.map_err(call(format!("create container `{name}`")))?;
            if role == Role::ControlPlane {
                // other runs see it now
                *reserved = None;
            }
        }
        self.engine
            .docker
            .start_container(name, None::<StartContainerOptions>)
            .await
            .map_err(call(format!("start container `{name}`")))
    }

    /// Resumes frozen processes of pods: the engine would give up waiting for processes that cannot be killed. If anything is
    /// wrong with the node, removing it will show that.
    pub async fn thaw(&self, name: &str) {
        if let Ok(node) = self.node(name).await {
            let script = format!("{THAW}thaw '*kubepods*'");
            let _done_or_not = node.exec(Command::shell(script).timeout(Duration::from_secs(5))).await;
        }
    }

    /// The container of a node, exactly as kind makes it (`docker/provision.go`), with our labels added.
    fn container_body(
        &self,
        name: &str,
        role: Role,
        image: &str,
        api_port: Option<u16>,
        pool: Option<AddressRange>,
    ) -> ContainerCreateBody {
        let mut labels = HashMap::from([
            (CLUSTER_LABEL.to_owned(), self.cluster.clone()),
            (ROLE_LABEL.to_owned(), role.to_string()),
            (OWNER_LABEL.to_owned(), self.cluster.clone()),
            (IMAGE_LABEL.to_owned(), self.nodes.image.clone()),
        ]);
        if let (Role::ControlPlane, Some(pool)) = (role, pool) {
            labels.insert(POOL_LABEL.to_owned(), pool.to_string());
        }
        let api = "6443/tcp".to_owned();
        let published = api_port.map(|port| PortBinding { host_ip: Some("127.0.0.1".into()), host_port: Some(port.to_string()) });
        ContainerCreateBody {
            hostname: Some(name.to_owned()),
            image: Some(image.to_owned()),
            tty: Some(true),
            env: (role == Role::ControlPlane).then(|| vec!["KUBECONFIG=/etc/kubernetes/admin.conf".to_owned()]),
            labels: Some(labels),
            volumes: Some(vec!["/var".to_owned()]),
            exposed_ports: api_port.map(|_| vec![api.clone()]),
            host_config: Some(HostConfig {
                privileged: Some(true),
                security_opt: Some(vec!["seccomp=unconfined".to_owned(), "apparmor=unconfined".to_owned()]),
                tmpfs: Some(HashMap::from([("/tmp".to_owned(), String::new()), ("/run".to_owned(), String::new())])),
                binds: Some(vec!["/lib/modules:/lib/modules:ro".to_owned()]),
                network_mode: Some(NETWORK.to_owned()),
                restart_policy: Some(RestartPolicy {
                    name: Some(RestartPolicyNameEnum::ON_FAILURE),
                    maximum_retry_count: Some(1),
                }),
                init: Some(false),
                cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
                port_bindings: published.map(|binding| HashMap::from([(api, Some(vec![binding]))])),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    /// Removes the container and its anonymous volumes; no error if it is already gone. Whoever asked first and was killed, the
    /// engine goes on with the removal, and refuses another one.
    pub async fn remove_node(&self, name: &str) -> Result<(), DockerError> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        let mut removed = self.engine.docker.remove_container(name, Some(options)).await;
        if removed.as_ref().is_err_and(is_under_way) {
            let options = WaitContainerOptionsBuilder::new().condition("removed").build();
            removed = self.engine.docker.wait_container(name, Some(options)).try_for_each(|_| ready(Ok(()))).await;
        }
        match removed {
            // what a container ended with, as a killed one does, is told as an error
            Ok(()) | Err(EngineError::DockerContainerWaitError { .. }) => Ok(()),
            Err(error) if is_absent(&error) => Ok(()),
            Err(error) => Err(call(format!("remove container `{name}`"))(error)),
        }
    }

    /// Volumes used by the containers of this cluster.
    pub async fn volumes(&self) -> Result<Vec<String>, DockerError> {
        let listed = self.engine.containers_labelled(&format!("{CLUSTER_LABEL}={}", self.cluster)).await?;
        Ok(listed.into_iter().flat_map(|container| container.mounts.unwrap_or_default()).filter_map(|mount| mount.name).collect())
    }

    /// True while a volume with that name exists.
    pub async fn has_volume(&self, name: &str) -> Result<bool, DockerError> {
        match self.engine.docker.inspect_volume(name).await {
            Ok(_) => Ok(true),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(call(format!("inspect volume {name}"))(error)),
        }
    }
}

/// True when the engine is already removing the container (moby, `daemon/delete.go`).
fn is_under_way(error: &EngineError) -> bool {
    matches!(error, EngineError::DockerResponseServerError { status_code: 409, message } if message.contains("already in progress"))
}

/// A port that nothing listens on now. Unlike a port picked by the engine, a fixed number survives a restart of the container.
fn free_port() -> Result<u16, DockerError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| Ok(listener.local_addr()?.port()))
        .map_err(|source| call("find a free port for the API server")(source.into()))
}

/// Picks what matters from the engine's list; `None` for containers that are not nodes.
fn summarize(summary: ContainerSummary) -> Option<Container> {
    let labels = summary.labels.unwrap_or_default();
    let role = match labels.get(ROLE_LABEL)?.as_str() {
        "control-plane" => Role::ControlPlane,
        "worker" => Role::Worker,
        _ => return None,
    };
    // a node may be on other networks too: this is the one on which nodes reach each other
    let mut networks = summary.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
    let address = networks.remove(NETWORK).and_then(|endpoint| endpoint.ip_address?.parse().ok());
    let ports = summary.ports.unwrap_or_default();
    Some(Container {
        name: summary.names?.first()?.trim_start_matches('/').to_owned(),
        role,
        running: summary.state.is_some_and(|state| state.to_string() == "running"),
        status: summary.status.unwrap_or_default(),
        // a container that somebody started from a derived image of an earlier Hearth inherited the label from it
        ours: labels.contains_key(OWNER_LABEL) && labels.get(OWNER_LABEL) == labels.get(CLUSTER_LABEL),
        address,
        api_port: ports.iter().find(|port| port.private_port == 6443).and_then(|port| port.public_port),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A container as the engine lists it.
    fn listed(owner: &str, networks: serde_json::Value) -> Container {
        let labels = json!({CLUSTER_LABEL: "q", ROLE_LABEL: "worker", OWNER_LABEL: owner});
        let listed = json!({"Names": ["/q-worker"], "State": "running", "Status": "Up 5 minutes", "Labels": labels,
            "NetworkSettings": {"Networks": networks}});
        summarize(serde_json::from_value(listed).unwrap()).unwrap()
    }

    #[test]
    fn a_node_has_its_address_on_the_network_of_all_nodes_and_no_other() {
        let side = json!({"IPAddress": "10.1.0.5"});
        let both = listed("q", json!({"a-side": side, "kind": {"IPAddress": "172.18.0.3"}, "side": side}));
        assert_eq!(both.address, Some([172, 18, 0, 3].into()));
        assert_eq!(listed("q", json!({"side": side})).address, None);
        assert_eq!(listed("q", json!({"kind": {"IPAddress": ""}})).address, None, "a stopped container has none");
    }

    /// An image of an earlier Hearth gives its containers the label of the cluster in which it was built.
    #[test]
    fn a_label_of_another_cluster_does_not_make_a_container_ours() {
        assert!(listed("q", json!({})).ours);
        assert!(!listed("other", json!({})).ours);
    }
}
