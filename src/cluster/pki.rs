//! The cluster's certificate authorities, made by Hearth before kubeadm runs; kubeadm keeps what it finds
//! (kubeadm reference, "Certificate management": existing files are used as they are). Having the CA in hand
//! is what lets workers start without a join.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use serde_json::json;
use x509_parser::pem::{Pem, parse_x509_pem};

use super::ClusterError;
use crate::error::{BoxError, Result};
use crate::look::Look;
use crate::provider::{Command, FileSpec, Node, files};

/// Where kubeadm keeps certificates.
const DIRECTORY: &str = "/etc/kubernetes/pki";
/// Where they lie until all are there: they come into place together, so that a run that is cut off leaves all or none.
const PART: &str = "/etc/kubernetes/pki.part";
/// What only a control plane has that has run, the one or the other of which outlives its certificates.
const TRACES: [&str; 2] = ["/etc/kubernetes/manifests/kube-apiserver.yaml", "/var/lib/etcd/member/"];
/// Brings [`PART`] into place, or finds these very files there; it prints those that are others.
const INSTALL: &str = "cd /etc/kubernetes
[ -n \"$(ls -A pki 2>/dev/null)\" ] || exec mv -T pki.part pki
for file; do cmp -s pki.part/$file pki/$file || echo $file; done
rm -rf pki.part";

/// A certificate with its private key, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedCertificate {
    /// The certificate.
    pub certificate: String,
    /// Its key, PKCS #8.
    pub key: String,
}

/// All that signs anything in a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
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

    /// The authorities of a control plane. Absent means that there were never any: a control plane that lacks one of its
    /// files, or all of them though it has run, is one that nothing may be signed for anew.
    pub async fn look(control_plane: &impl Node) -> Look<Self> {
        let read = async {
            let paths: Vec<String> = FILES.iter().map(|name| format!("{DIRECTORY}/{name}")).collect();
            let asked: Vec<&str> = paths.iter().map(String::as_str).chain(TRACES).collect();
            let (mut parts, mut missing, mut has_run) = (Vec::new(), Vec::new(), false);
            for (look, path) in files::read(control_plane, &asked).await?.into_iter().zip(&asked) {
                match (look.known()?, TRACES.contains(path)) {
                    (Some(file), false) => parts.push(format!("{}\n", String::from_utf8_lossy(&file.bytes).trim())),
                    (None, false) => missing.push(*path),
                    (trace, true) => has_run |= trace.is_some(),
                }
            }
            if missing.is_empty() {
                return Ok(Some(Pki::of(parts)));
            }
            if parts.is_empty() && !has_run {
                return Ok(None);
            }
            let (node, missing) = (control_plane.name().to_owned(), missing.join(", "));
            Err::<_, BoxError>(ClusterError::AuthorityIncomplete { node, missing }.into())
        };
        Look::from(read.await)
    }

    /// Reads them in the order of [`FILES`].
    fn of(parts: Vec<String>) -> Self {
        let mut parts = parts.into_iter();
        let mut next = || parts.next().unwrap_or_default();
        let mut pair = || KeyedCertificate { certificate: next(), key: next() };
        let (cluster, front_proxy, etcd) = (pair(), pair(), pair());
        Pki { cluster, front_proxy, etcd, service_account: next(), service_account_public: next() }
    }

    /// Puts them onto a control plane that has none; fine when they are there already.
    ///
    /// # Errors
    /// Others are there: nothing is written over them.
    pub async fn install(&self, control_plane: &impl Node) -> Result<()> {
        control_plane.put(self.files(PART)).await?;
        let argv = ["sh", "-ec", INSTALL, "sh"].iter().chain(FILES).copied();
        let others = control_plane.run(Command::new(argv)).await?.text();
        match others.is_empty() {
            true => Ok(()),
            false => {
                let files = others.lines().collect::<Vec<_>>().join(", ");
                Err(ClusterError::ForeignAuthority { node: control_plane.name().to_owned(), files }.into())
            }
        }
    }

    /// The files a control plane needs before `kubeadm init`, in `folder`.
    fn files(&self, folder: &str) -> Vec<FileSpec> {
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
                path: format!("{folder}/{name}"),
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

    /// Why a client's certificate, PEM, is not good: it is not signed by the cluster's authority, or is no longer or not yet
    /// valid; `None` when it is good.
    pub fn refuses(&self, certificate: &str) -> Option<&'static str> {
        match self.expiry(certificate) {
            Ok(remaining) if remaining.is_zero() => Some("is not valid now"),
            Ok(_) => None,
            Err(why) => Some(why),
        }
    }

    /// How much longer a client's certificate, PEM, is good; nothing when it is not valid now.
    ///
    /// # Errors
    /// Why it is not one of this cluster's.
    pub fn expiry(&self, certificate: &str) -> Result<Duration, &'static str> {
        if certificate.is_empty() {
            return Err("is missing");
        }
        let unreadable = "cannot be read";
        let (client, authority) = (pem(certificate).ok_or(unreadable)?, pem(&self.cluster.certificate).ok_or(unreadable)?);
        let client = client.parse_x509().map_err(|_| unreadable)?;
        let authority = authority.parse_x509().map_err(|_| unreadable)?;
        if client.verify_signature(Some(authority.public_key())).is_err() {
            return Err("is not signed by the cluster's authority");
        }
        let remaining = client.validity().time_to_expiration().map(|left| left.unsigned_abs());
        Ok(remaining.unwrap_or_default())
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

/// The first block of a PEM text.
fn pem(text: &str) -> Option<Pem> {
    parse_x509_pem(text.as_bytes()).ok().map(|(_rest, block)| block)
}

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
    use crate::provider::fake::InMemory;

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
        let files = Pki::generate().unwrap().files(DIRECTORY);
        assert_eq!(files.len(), FILES.len());
        assert!(files.iter().all(|file| file.path.ends_with(".key") == (file.mode == 0o600)));
    }

    async fn with_all(pki: &Pki) -> InMemory {
        let node = InMemory::new("n1");
        node.put(pki.files(DIRECTORY)).await.unwrap();
        node
    }

    #[tokio::test]
    async fn what_a_control_plane_has_is_read_back() {
        let pki = Pki::generate().unwrap();
        assert_eq!(Pki::look(&with_all(&pki).await).await.known().unwrap(), Some(pki));
        assert!(matches!(Pki::look(&InMemory::new("n1")).await, Look::Absent));
    }

    #[tokio::test]
    async fn a_missing_file_is_named_and_never_taken_for_a_new_cluster() {
        let pki = Pki::generate().unwrap();
        let node = with_all(&pki).await;
        node.files.lock().unwrap().remove("/etc/kubernetes/pki/ca.key");
        let told = Pki::look(&node).await.known().unwrap_err().to_string();
        assert!(told.contains("n1") && told.contains("/etc/kubernetes/pki/ca.key") && !told.contains("ca.crt"), "{told}");

        // all certificates are gone, but there was a cluster
        for trace in ["/etc/kubernetes/manifests/kube-apiserver.yaml", "/var/lib/etcd/member/snap/db"] {
            let told = Pki::look(&InMemory::new("n1").with(trace, "x")).await.known().unwrap_err().to_string();
            assert!(told.contains("ca.crt") && told.contains("sa.key"), "{told}");
        }
        let broken = with_all(&pki).await.broken("/etc/kubernetes/pki/sa.pub", "Input/output error");
        let told = Pki::look(&broken).await.known().unwrap_err().to_string();
        assert!(told.contains("sa.pub") && told.contains("Input/output error"), "{told}");
    }

    /// The real script, on real files: others stay as they are.
    #[test]
    fn authorities_are_never_written_over_others() {
        let folder = tempfile::tempdir().unwrap();
        let install = INSTALL.replace("/etc/kubernetes", &folder.path().display().to_string());
        let run = |with: &str| {
            std::fs::create_dir_all(folder.path().join("pki.part/etcd")).unwrap();
            FILES.iter().for_each(|name| std::fs::write(folder.path().join("pki.part").join(name), with).unwrap());
            let output = std::process::Command::new("sh").args(["-ec", &install, "sh"]).args(FILES).output().unwrap();
            assert!(output.status.success() && !folder.path().join("pki.part").exists());
            String::from_utf8(output.stdout).unwrap()
        };
        assert_eq!((run("ours"), run("ours")), (String::new(), String::new()));
        assert_eq!(run("others").lines().collect::<Vec<_>>(), FILES);
        assert!(FILES.iter().all(|name| std::fs::read_to_string(folder.path().join("pki").join(name)).unwrap() == "ours"));
    }
}
