//! Secrets of a cluster's components. They are generated once per cluster and kept in the cluster itself, so a second `up`
//! finds the same values and changes nothing.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use rand::RngExt as _;
use rand::distr::Alphanumeric;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};

use super::{ComponentError, ObjectRef, catalogue};
use crate::profile::Profile;

/// A Secret of a component: where the cluster keeps it, and how its values are generated.
#[derive(Debug, Clone, Copy)]
pub struct SecretSpec {
    /// Namespace of the Secret.
    pub namespace: &'static str,
    /// Name of the Secret.
    pub name: &'static str,
    /// Keys of its data, each with the name that templates use: `secrets.<name>`.
    pub keys: &'static [(&'static str, &'static str)],
    /// Generates one value for each key, in the same order.
    pub make: fn() -> Result<Vec<String>, ComponentError>,
}

/// The values of all secrets of a profile's components, by the name that templates use.
#[derive(Clone, serde::Serialize)]
#[serde(transparent)]
pub struct Secrets(BTreeMap<&'static str, String>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(..)")
    }
}

impl Secrets {
    /// Generates new values for all of them.
    ///
    /// # Errors
    /// [`ComponentError::Certificate`].
    pub fn generate(profile: &Profile) -> Result<Self, ComponentError> {
        specs(profile).map(made).collect::<Result<Vec<_>, _>>().map(Self::of)
    }

    /// The values that the cluster already has, new ones for the rest. An incomplete Secret counts as missing, because its
    /// values belong together.
    ///
    /// # Errors
    /// [`ComponentError::Api`] if the cluster does not answer, [`ComponentError::Certificate`].
    pub async fn of_cluster(client: &Client, profile: &Profile) -> Result<Self, ComponentError> {
        let look = async |spec: &'static SecretSpec| match read(client, spec).await? {
            Some(values) => Ok(named(spec, values)),
            None => made(spec),
        };
        try_join_all(specs(profile).map(look)).await.map(Self::of)
    }

    /// The value with that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn of(values: Vec<Vec<(&'static str, String)>>) -> Self {
        Secrets(values.into_iter().flatten().collect())
    }
}

fn specs(profile: &Profile) -> impl Iterator<Item = &'static SecretSpec> {
    catalogue::wanted(profile).flat_map(|component| component.secrets)
}

fn made(spec: &'static SecretSpec) -> Result<Vec<(&'static str, String)>, ComponentError> {
    Ok(named(spec, (spec.make)()?))
}

fn named(spec: &'static SecretSpec, values: Vec<String>) -> Vec<(&'static str, String)> {
    spec.keys.iter().map(|(_, name)| *name).zip(values).collect()
}

/// The values of all keys of a Secret; none unless it has every one.
async fn read(client: &Client, spec: &SecretSpec) -> Result<Option<Vec<String>>, ComponentError> {
    let secret = Api::<Secret>::namespaced(client.clone(), spec.namespace).get_opt(spec.name).await;
    let secret = secret.map_err(|source| ComponentError::Api {
        action: "read",
        object: Box::new(ObjectRef::new("v1", "Secret", Some(spec.namespace), spec.name)),
        source: Box::new(source),
    })?;
    let Some(data) = secret.and_then(|secret| secret.data) else { return Ok(None) };
    let value = |key: &str| String::from_utf8(data.get(key)?.0.clone()).ok();
    Ok(spec.keys.iter().map(|(key, _)| value(key)).collect())
}

/// A random text of letters and digits.
pub(super) fn letters(length: usize) -> String {
    rand::rng().sample_iter(Alphanumeric).take(length).map(char::from).collect()
}

/// A self-signed certificate that a service of the cluster presents to the API server, and its key, both PEM. The API server is
/// configured to trust this very certificate.
pub(super) fn serving_certificate(host: &str) -> Result<Vec<String>, ComponentError> {
    let mut params = CertificateParams::new([host.to_owned()]).map_err(ComponentError::Certificate)?;
    params.distinguished_name.push(DnType::CommonName, host);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    signed_by_itself(params)
}

/// The certificate and its key, both PEM: ECDSA P-256, valid for ten years.
pub(super) fn signed_by_itself(mut params: CertificateParams) -> Result<Vec<String>, ComponentError> {
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let date = |date: jiff::civil::Date| rcgen::date_time_ymd(date.year().into(), date.month() as u8, date.day() as u8);
    // from yesterday on: the clocks of the nodes may differ
    params.not_before = date(today.yesterday().unwrap_or(today));
    params.not_after = date(today.saturating_add(jiff::Span::new().years(10)));
    let key = KeyPair::generate().map_err(ComponentError::Certificate)?;
    let certificate = params.self_signed(&key).map_err(ComponentError::Certificate)?;
    Ok(vec![certificate.pem(), key.serialize_pem()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::components::testing::everything;

    #[test]
    fn there_is_a_value_for_every_key() {
        for profile in everything() {
            let secrets = Secrets::generate(&profile).expect("keys can be made");
            for (_, name) in specs(&profile).flat_map(|spec| spec.keys) {
                assert!(secrets.get(name).is_some_and(|value| value.len() > 20), "{name}");
            }
            assert_eq!(format!("{secrets:?}"), "Secrets(..)");
        }
    }
}
