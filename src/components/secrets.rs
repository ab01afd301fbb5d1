//! What a cluster's components keep secret. Made once per cluster; the cluster itself keeps them, so a second
//! `up` finds the same values and changes nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use rand::RngExt as _;
use rand::distr::Alphanumeric;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose};

use super::{ComponentError, ObjectRef};

/// Secrets of a cluster's components.
#[derive(Clone)]
pub struct Secrets {
    /// Root certificate of the mesh, PEM; it signs proxies' and istiod's certificates.
    pub mesh_ca_certificate: String,
    /// Its key, PEM (PKCS #8).
    pub mesh_ca_key: String,
    /// MySQL's application account, letters and digits.
    pub mysql_password: String,
    /// MySQL's root, letters and digits.
    pub mysql_root_password: String,
    /// Key of the gossip between MetalLB's speakers.
    pub memberlist_key: String,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(..)")
    }
}

impl Secrets {
    /// New ones; the mesh CA is ECDSA P-256 and valid for ten years.
    ///
    /// # Errors
    /// [`ComponentError::Certificate`].
    pub fn generate() -> Result<Self, ComponentError> {
        let (mesh_ca_certificate, mesh_ca_key) = mesh_authority().map_err(ComponentError::Certificate)?;
        Ok(Secrets {
            mesh_ca_certificate,
            mesh_ca_key,
            mysql_password: random_text(24),
            mysql_root_password: random_text(24),
            memberlist_key: random_text(64),
        })
    }

    /// Those the cluster already has, new ones for the rest.
    ///
    /// # Errors
    /// [`ComponentError::Api`] when the cluster cannot be asked, [`ComponentError::Certificate`].
    pub async fn of_cluster(client: &Client) -> Result<Self, ComponentError> {
        let mut secrets = Self::generate()?;
        let (mesh, mysql, gossip) = futures_util::try_join!(
            read(client, "istio-system", "cacerts"),
            read(client, "blog-system", "mysql-credentials"),
            read(client, "metallb-system", "memberlist"),
        )?;
        if let (Some(certificate), Some(key)) = (mesh.get("ca-cert.pem"), mesh.get("ca-key.pem")) {
            secrets.mesh_ca_certificate = certificate;
            secrets.mesh_ca_key = key;
        }
        if let Some(password) = mysql.get("password") {
            secrets.mysql_password = password;
        }
        if let Some(password) = mysql.get("root-password") {
            secrets.mysql_root_password = password;
        }
        if let Some(key) = gossip.get("secretkey") {
            secrets.memberlist_key = key;
        }
        Ok(secrets)
    }

    /// The mesh's root certificate as webhook configurations want it: base64 of PEM.
    pub fn mesh_ca_bundle(&self) -> String {
        BASE64.encode(&self.mesh_ca_certificate)
    }
}

/// The data of one Secret, empty when there is none.
struct Data(Secret);

impl Data {
    fn get(&self, key: &str) -> Option<String> {
        let bytes = &self.0.data.as_ref()?.get(key)?.0;
        String::from_utf8(bytes.clone()).ok()
    }
}

async fn read(client: &Client, namespace: &str, name: &str) -> Result<Data, ComponentError> {
    let secret = Api::<Secret>::namespaced(client.clone(), namespace).get_opt(name).await;
    let secret = secret.map_err(|source| ComponentError::Api {
        action: "read",
        object: Box::new(ObjectRef::new("v1", "Secret", Some(namespace), name)),
        source: Box::new(source),
    })?;
    Ok(Data(secret.unwrap_or_default()))
}

fn random_text(length: usize) -> String {
    rand::rng().sample_iter(Alphanumeric).take(length).map(char::from).collect()
}

fn mesh_authority() -> Result<(String, String), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::OrganizationName, "cluster.local");
    params.distinguished_name.push(DnType::CommonName, "hearth mesh");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let date = |date: jiff::civil::Date| rcgen::date_time_ymd(date.year().into(), date.month() as u8, date.day() as u8);
    // a day back: the clocks of the nodes may differ
    params.not_before = date(today.yesterday().unwrap_or(today));
    params.not_after = date(today.saturating_add(jiff::Span::new().years(10)));
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}
