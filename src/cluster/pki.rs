//! The cluster's certificate authorities, made by Hearth before kubeadm runs; kubeadm keeps what it finds
//! (kubeadm reference, "Certificate management": existing files are used as they are). Having the CA in hand
//! is what lets workers start without a join.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use serde_json::json;

use super::ClusterError;
use crate::provider::{Command, FileSpec, Node};

/// Where kubeadm keeps certificates.
const DIRECTORY: &str = "/etc/kubernetes/pki";

/// A certificate with its private key, both PEM.
#[derive(Debug, Clone)]
pub struct KeyedCertificate {
    /// The certificate.
    pub certificate: String,
    /// Its key, PKCS #8.
    pub key: String,
}

/// All that signs anything in a cluster.
#[derive(Debug, Clone)]
pub struct Pki {
    /// Signs the API server's and all clients' certificates.
    pub cluster: KeyedCertificate,
    front_proxy: KeyedCertificate,
    etcd: KeyedCertificate,
    service_account: String,
    service_account_public: String,
}

impl Pki {
    /// New authorities, valid for ten years, ECDSA P-256.
    pub fn generate() -> Result<Self, ClusterError> {
        let service_account = KeyPair::generate().map_err(failed("make the service account key"))?;
        Ok(Pki {
            cluster: authority("kubernetes")?,
            front_proxy: authority("front-proxy-ca")?,
            etcd: authority("etcd-ca")?,
            service_account: service_account.serialize_pem(),
            service_account_public: service_account.public_key_pem(),
        })
    }

    /// The authorities that a control plane already has, or `None` on one that has none yet.
    pub async fn read(control_plane: &impl Node) -> Result<Option<Self>, ClusterError> {
        let script = format!("cd {DIRECTORY} 2>/dev/null || exit 0; for f in {}; do cat $f; echo =====; done", FILES.join(" "));
        let output = control_plane.exec(Command::shell(script)).await?;
        if !output.success() || output.stdout.is_empty() {
            return Ok(None);
        }
        let text = output.text();
        let parts: Vec<String> =
            text.split("=====\n").map(|part| format!("{}\n", part.trim_end_matches("=====").trim())).collect();
        let part = |index: usize| parts.get(index).cloned().unwrap_or_default();
        let pair = |index: usize| KeyedCertificate { certificate: part(index), key: part(index + 1) };
        Ok(Some(Pki {
            cluster: pair(0),
            front_proxy: pair(2),
            etcd: pair(4),
            service_account: part(6),
            service_account_public: part(7),
        }))
    }

    /// The files a control plane needs before `kubeadm init`.
    pub fn files(&self) -> Vec<FileSpec> {
        let contents = [
            &self.cluster.certificate,
            &self.cluster.key,
            &self.front_proxy.certificate,
            &self.front_proxy.key,
            &self.etcd.certificate,
            &self.etcd.key,
            &self.service_account,
            &self.service_account_public,
        ];
        FILES
            .iter()
            .zip(contents)
            .map(|(name, content)| FileSpec {
                path: format!("{DIRECTORY}/{name}"),
                bytes: content.clone().into_bytes(),
                mode: if name.ends_with(".key") { 0o600 } else { 0o644 },
            })
            .collect()
    }

    /// A client certificate for `user` in `group`, valid for a year.
    pub fn client(&self, user: &str, group: &str) -> Result<KeyedCertificate, ClusterError> {
        let action = || format!("sign the certificate of {user}");
        let key = KeyPair::generate().map_err(failed(action()))?;
        let ca_key = KeyPair::from_pem(&self.cluster.key).map_err(failed("read the cluster's CA key"))?;
        let issuer = Issuer::from_ca_cert_pem(&self.cluster.certificate, ca_key).map_err(failed("read the cluster's CA"))?;
        let mut params = parameters(user, 1);
        params.distinguished_name.push(DnType::OrganizationName, group);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &issuer).map_err(failed(action()))?;
        Ok(KeyedCertificate { certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// A kubeconfig that carries its credentials. `name` names its cluster, user and context.
    pub fn kubeconfig(&self, name: &str, server: &str, user: &str, group: &str) -> Result<serde_json::Value, ClusterError> {
        let client = self.client(user, group)?;
        Ok(json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": name, "cluster": {
                "server": server, "certificate-authority-data": BASE64.encode(&self.cluster.certificate)}}],
            "users": [{"name": name, "user": {
                "client-certificate-data": BASE64.encode(&client.certificate), "client-key-data": BASE64.encode(&client.key)}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        }))
    }
}

/// kubeadm's file names, in the order in which [`Pki`] reads and writes them.
const FILES: &[&str] =
    &["ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy-ca.key", "etcd/ca.crt", "etcd/ca.key", "sa.key", "sa.pub"];

fn authority(name: &str) -> Result<KeyedCertificate, ClusterError> {
    let action = || format!("make the authority {name}");
    let key = KeyPair::generate().map_err(failed(action()))?;
    let mut params = parameters(name, 10);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment, KeyUsagePurpose::KeyCertSign];
    let certificate = params.self_signed(&key).map_err(failed(action()))?;
    Ok(KeyedCertificate { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// Valid from yesterday, so that a node whose clock is behind accepts it.
fn parameters(common_name: &str, years: i16) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let date = |date: jiff::civil::Date| rcgen::date_time_ymd(date.year().into(), date.month() as u8, date.day() as u8);
    params.not_before = date(today.yesterday().unwrap_or(today));
    params.not_after = date(today.saturating_add(jiff::Span::new().years(years)));
    params
}

fn failed(action: impl Into<String>) -> impl FnOnce(rcgen::Error) -> ClusterError {
    let action = action.into();
    |source| ClusterError::Certificate { action, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_signed_by_the_cluster_authority() {
        let pki = Pki::generate().unwrap();
        let client = pki.client("system:node:n1", "system:nodes").unwrap();
        assert!(client.certificate.starts_with("-----BEGIN CERTIFICATE-----"));
        assert_ne!(client.certificate, pki.cluster.certificate);
        let key = KeyPair::from_pem(&client.key).unwrap();
        assert_eq!(key.algorithm(), &rcgen::PKCS_ECDSA_P256_SHA256);
    }

    #[test]
    fn keys_are_private() {
        let files = Pki::generate().unwrap().files();
        assert_eq!(files.len(), FILES.len());
        assert!(files.iter().all(|file| file.path.ends_with(".key") == (file.mode == 0o600)));
    }
}
