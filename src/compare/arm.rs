//! An arm before the measurement: whether it makes sense, whether it answers, and whether both arms give the same answer.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use http::uri::{Authority, PathAndQuery};

use super::error::CompareError;
use super::plan::{Flaw, flaw};
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
    /// Host and port as they were written, or the Host header that was asked for.
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
        let name = self.authority.parse::<Authority>();
        name.is_ok_and(|name| name.host() == "localhost" || name.host().trim_matches(['[', ']']).parse::<IpAddr>().is_ok())
    }
}

impl Arm {
    /// Its URL, with the Host header that was asked for.
    fn target(&self) -> Result<Url, (String, Option<String>)> {
        let url: Url = self.url.as_deref().unwrap_or_default().parse()?;
        Ok(Url { authority: self.host.clone().unwrap_or(url.authority), ..url })
    }
}

/// Adds all flaws of these arms, as given.
pub(super) fn check(arms: &[Arm], flaws: &mut Vec<Flaw>) {
    let [one, other] = arms else {
        flaws.push(flaw("spec.arms", format!("two arms are compared, there are {}", arms.len()), None));
        return;
    };
    for (index, arm) in arms.iter().enumerate() {
        check_place(arm, &format!("spec.arms[{index}]"), flaws);
        let plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
        if arm.name.is_empty() || !arm.name.chars().all(plain) {
            let message = format!("`{}` is no name for an arm", arm.name);
            flaws.push(flaw(&format!("spec.arms[{index}].name"), message, Some("letters, digits, `-`, `_` and `.`".into())));
        }
    }
    if one.name == other.name {
        flaws.push(flaw("spec.arms[1].name", format!("both arms are called `{}`", one.name), None));
    }
    let same_url = one.url.is_some() && one.target().ok().is_some_and(|url| other.target() == Ok(url));
    let way = |arm: &Arm| (arm.path.clone().unwrap_or_else(|| "/".into()), arm.host.clone());
    let same_service = one.service.is_some() && one.service == other.service && way(one) == way(other);
    if same_url || same_service {
        let hint = "the A/A run compares an arm with itself, before every measurement";
        let field = if same_url { "url" } else { "service" };
        flaws.push(flaw(&format!("spec.arms[1].{field}"), "both arms are the same address", Some(hint.into())));
    }
}

/// Flaws of an arm's address: `path` and `host` go with a service only, since a URL contains both.
fn check_place(arm: &Arm, at: &str, flaws: &mut Vec<Flaw>) {
    let mut wrong = |field: &str, message: String, hint: Option<String>| flaws.push(flaw(&format!("{at}{field}"), message, hint));
    let example = "`url: http://10.0.0.1/`, or `service: istio-system/istio-ingressgateway`";
    match (&arm.url, &arm.service) {
        (Some(_), Some(_)) => wrong(".service", "an arm is a url or a service, not both".into(), Some(example.into())),
        (None, None) => wrong("", "an arm needs a url or a service".into(), Some(example.into())),
        (Some(_), None) => {
            if let Err((message, hint)) = arm.target() {
                wrong(".url", message, hint);
            }
            for (field, given) in [(".path", &arm.path), (".host", &arm.host)] {
                if given.is_some() {
                    wrong(field, "this belongs to a service".into(), Some("a url has its host and its path in it".into()));
                }
            }
        }
        (None, Some(_)) => {
            if let Some(path) = arm.path.as_ref().filter(|path| !path.starts_with('/') || path.parse::<PathAndQuery>().is_err()) {
                wrong(".path", format!("`{path}` is not a path"), Some("begin with `/`, encode spaces as %20".into()));
            }
            if let Some(host) = arm.host.as_ref().filter(|host| host.contains('@') || host.parse::<Authority>().is_err()) {
                wrong(".host", format!("`{host}` is not a host"), Some("write it as in `shop.example.com`".into()));
            }
        }
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
        let url = arm.target().map_err(|(message, _)| CompareError::Address { arm: arm.name.clone(), message })?;
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
            return Err(CompareError::NoAnswer { arm, target: Box::new(target), outcome: answer.outcome });
        }
        if answer.status != expect.status {
            return Err(CompareError::Status { arm: arm.name.clone(), status: answer.status, expected: expect.status });
        }
    }
    let same = answers.windows(2).all(|two| two[0].body == two[1].body);
    Ok(answers.first().filter(|_| same).map(|answer| answer.body))
}
