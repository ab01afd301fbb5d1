//! An arm before the measurement: its address, whether it answers, and whether both arms give the same answer.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use super::error::CompareError;
use super::schema::{Arm, Expect};
use crate::load::{Outcome, Target, Visit, visit};

/// Requests to each arm before the measurement.
const PROBES: u32 = 3;
/// Longest wait for the answer to one of them.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// A plain HTTP address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// Name or address, without brackets.
    host: String,
    /// Its port.
    port: u16,
    /// Path and query.
    path: String,
    /// Host and port as they were written, for the Host header.
    authority: String,
}

impl FromStr for Url {
    /// What is wrong, and what to do about it.
    type Err = (String, Option<String>);

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let example = || Some("write it as in http://127.0.0.1:8080/path".to_owned());
        let uri: http::Uri = text.parse().map_err(|_| (format!("`{text}` is not an address"), example()))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                let hint =
                    "measure the plain HTTP port behind the TLS end point; TLS costs both arms the same only if it is the same";
                return Err(("https is not measured: the generator speaks plain HTTP/1.1".into(), Some(hint.into())));
            }
            _ => return Err((format!("`{text}` does not begin with http://"), example())),
        }
        let authority = uri.authority().ok_or_else(|| (format!("`{text}` names no host"), example()))?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err((format!("`{text}` names no host, or a user"), example()));
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Url {
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(80),
            path: if path.starts_with('/') { path.to_owned() } else { format!("/{path}") },
            authority: authority.as_str().to_owned(),
        })
    }
}

impl Url {
    /// True for a name that stands for a machine and not for one of several sites on it.
    fn is_machine(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok()
    }
}

/// An arm that is ready to be measured.
#[derive(Debug, Clone)]
pub(super) struct Ready {
    pub target: Target,
    /// CRC-32 of its body; none if the body differs from request to request.
    pub body: Option<u32>,
}

/// Resolves the names of both arms, only once, and sends each a few requests.
///
/// # Errors
/// A name has no address, an arm does not answer or answers wrongly, both arms are the same or their answers differ.
pub(super) async fn prepare(arms: &[Arm], expect: &Expect, run: &str) -> Result<Vec<Ready>, CompareError> {
    let mut ready = Vec::new();
    let mut urls: Vec<(Url, SocketAddr)> = Vec::new();
    for arm in arms {
        let url: Url = arm.url.parse().map_err(|(message, _)| CompareError::Address { arm: arm.name.clone(), message })?;
        let address = resolve(arm, &url).await?;
        for (other, elsewhere) in &urls {
            let same_site = other.authority == url.authority || other.is_machine() && url.is_machine();
            if *elsewhere == address && other.path == url.path && same_site {
                return Err(CompareError::SamePath { address, path: url.path });
            }
        }
        let target = Target { accept: vec![expect.status], ..Target::get(address, &url.authority, &url.path) };
        urls.push((url, address));
        let body = probe(arm, &target, expect, run).await?;
        ready.push(Ready { target, body });
    }
    if !expect.different_bodies {
        for (arm, one) in arms.iter().zip(&ready) {
            if one.body.is_none() {
                return Err(CompareError::ChangingBody { arm: arm.name.clone() });
            }
        }
        if ready.windows(2).any(|two| two[0].body != two[1].body) {
            return Err(CompareError::DifferentBodies);
        }
    }
    Ok(ready)
}

async fn resolve(arm: &Arm, url: &Url) -> Result<SocketAddr, CompareError> {
    let unknown = |source: std::io::Error| CompareError::Resolve { arm: arm.name.clone(), host: url.host.clone(), source };
    let mut addresses = tokio::net::lookup_host((url.host.as_str(), url.port)).await.map_err(unknown)?;
    addresses.next().ok_or_else(|| unknown(std::io::Error::new(std::io::ErrorKind::NotFound, "no address")))
}

/// The body's checksum, if it is the same each time.
async fn probe(arm: &Arm, target: &Target, expect: &Expect, run: &str) -> Result<Option<u32>, CompareError> {
    let (place, id) = (target.clone(), format!("{run}-probe"));
    let ask = move || (0..PROBES).map(|_| visit(&place, &id, PROBE_TIMEOUT)).collect::<Vec<Visit>>();
    let answers = tokio::task::spawn_blocking(ask).await.map_err(|_| crate::load::LoadError::Thread)?;
    for answer in &answers {
        if answer.outcome != Outcome::Ok {
            let (arm, target) = (arm.name.clone(), target.clone());
            return Err(CompareError::NoAnswer { arm, target, outcome: answer.outcome });
        }
        if answer.status != expect.status {
            return Err(CompareError::Status { arm: arm.name.clone(), status: answer.status, expected: expect.status });
        }
    }
    let same = answers.windows(2).all(|two| two[0].body == two[1].body);
    Ok(answers.first().filter(|_| same).map(|answer| answer.body))
}
