//! How people get at the cluster: its kubeconfig file, and the entries in the user's.

use std::path::PathBuf;

use serde_json::Value;

use super::{Session, hosts};
use crate::cluster::kubeconfig;
use crate::error::Result;
use crate::provider::AnyProvider;
use crate::provider::docker::{DockerProvider, NETWORK};

impl Session {
    /// The kubeconfig that people use: kubeadm's administrator group, the context named as kind names it.
    pub async fn kubeconfig(&self) -> Result<Value> {
        let server = self.api_server().await?;
        let name = kubeconfig::context(&self.profile.name);
        Ok(self.pki().await?.kubeconfig(&name, &server, "kubernetes-admin", "kubeadm:cluster-admins")?)
    }

    /// True when the cluster's own file leads to this very cluster and the user's file has its entries, if asked to.
    pub async fn kubeconfig_is_current(&self) -> Result<bool> {
        let wanted = self.kubeconfig().await?;
        let Ok(text) = std::fs::read_to_string(self.state.kubeconfig()) else { return Ok(false) };
        let written = crate::yaml::documents(&text)?.into_iter().next().unwrap_or_default();
        let merged = match &self.merge_into {
            Some(path) => kubeconfig::contains(path, &kubeconfig::context(&self.profile.name))?,
            None => true,
        };
        // the client certificate is signed anew each time; the cluster is told by its address and authority
        Ok(written["clusters"] == wanted["clusters"] && merged)
    }

    /// Writes the cluster's own file, and merges into the user's if asked to.
    pub async fn write_kubeconfig(&self) -> Result<()> {
        let config = self.kubeconfig().await?;
        kubeconfig::write(&self.state.kubeconfig(), &config)?;
        if let Some(path) = &self.merge_into {
            kubeconfig::merge(path, &config)?;
        }
        Ok(())
    }

    /// Files the cluster's entries may stand in.
    fn user_files(&self) -> Vec<PathBuf> {
        let mut files = vec![kubeconfig::user_file()];
        files.extend(self.merge_into.clone());
        files
    }

    /// Removes the cluster's own file and its entries in the user's.
    pub fn remove_kubeconfig(&self) -> Result<()> {
        for file in self.user_files() {
            kubeconfig::remove(&file, &kubeconfig::context(&self.profile.name))?;
        }
        let _absent = std::fs::remove_file(self.state.kubeconfig());
        Ok(())
    }

    /// What is left of the cluster, in words; empty after a `down` that worked. `volumes` are those its nodes had.
    pub async fn leftovers(&self, volumes: &[String]) -> Result<Vec<String>> {
        let mut left = match &self.provider {
            AnyProvider::Docker(docker) => leftovers_in_engine(docker, volumes).await?,
            AnyProvider::Ssh(_) => hosts::verify(self).await?,
        };
        let context = kubeconfig::context(&self.profile.name);
        for file in self.user_files() {
            if kubeconfig::contains(&file, &context)? {
                left.push(format!("context {context} in {}", file.display()));
            }
        }
        Ok(left)
    }
}

async fn leftovers_in_engine(docker: &DockerProvider, volumes: &[String]) -> Result<Vec<String>> {
    let containers = docker.own_containers().await?;
    let mut left: Vec<String> = containers.into_iter().map(|c| format!("container {} ({})", c.name, c.status)).collect();
    left.extend(docker.builders().await?.into_iter().map(|name| format!("container {name}")));
    for volume in volumes {
        if docker.has_volume(volume).await? {
            left.push(format!("volume {volume}"));
        }
    }
    if docker.network_is_ours_and_unused().await? {
        left.push(format!("network {NETWORK}"));
    }
    Ok(left)
}
