//! What is sent, where it goes, and what a good answer is.

use std::fmt;
use std::net::SocketAddr;

/// One kind of request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The address it is sent to.
    pub address: SocketAddr,
    /// For example `GET`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Value of the Host header.
    pub host: String,
    /// Further headers: names and values.
    pub headers: Vec<(String, String)>,
    /// The body, sent with its length unless it is empty.
    pub body: Vec<u8>,
    /// Statuses of a good answer; any other status is a failure.
    pub accept: Vec<u16>,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} http://{}{} (host {})", self.method, self.address, self.path, self.host)
    }
}

impl Target {
    /// A `GET` of `path` at `address`, for which `200` is a good answer.
    pub fn get(address: SocketAddr, host: impl Into<String>, path: impl Into<String>) -> Self {
        let (method, host, path) = ("GET".into(), host.into(), path.into());
        Target { address, method, path, host, headers: Vec::new(), body: Vec::new(), accept: vec![200] }
    }

    /// Why it cannot be sent as it is; none if it can (RFC 9110, 5.5 and 9.1; RFC 9112, 3.2).
    pub fn problem(&self) -> Option<String> {
        let token = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
        let value = |text: &str| text.bytes().all(|byte| byte == b' ' || byte == b'\t' || byte.is_ascii_graphic());
        if !token(&self.method) {
            return Some(format!("`{}` is not a method", self.method));
        }
        if !self.path.starts_with('/') || !self.path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Some(format!("`{}` is not a path: it begins with `/`, and a space is written %20", self.path));
        }
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut all = headers.chain([("host", self.host.as_str())]);
        all.find(|(name, text)| !token(name) || !value(text)).map(|(name, text)| format!("`{name}: {text}` is not a header"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_sent_is_named() {
        let address = SocketAddr::from(([127, 0, 0, 1], 80));
        let good = Target::get(address, "h", "/a?b=c%20d");
        assert_eq!(good.problem(), None);
        for bad in [
            Target { method: "GE T".into(), ..good.clone() },
            Target { path: "a".into(), ..good.clone() },
            Target { path: "/a b".into(), ..good.clone() },
            Target { headers: vec![("x".into(), "a\r\ny: z".into())], ..good.clone() },
            Target { headers: vec![("x y".into(), "a".into())], ..good.clone() },
        ] {
            assert!(bad.problem().is_some(), "{bad:?}");
        }
    }
}
