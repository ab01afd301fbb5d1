//! Image references: parts left out default to Docker's own registry.
//! (Source: distribution/reference, `splitDockerDomain` and `TagNameOnly`.)

/// The registry of references that name none.
const DOCKER_HUB: &str = "docker.io";
/// The host that serves it.
const DOCKER_HUB_SERVER: &str = "registry-1.docker.io";

/// A reference in full: `nginx` becomes `docker.io/library/nginx:latest`.
pub fn canonical(reference: &str) -> String {
    let (host, path) = split(reference);
    let library = if host == DOCKER_HUB && !path.contains('/') { "library/" } else { "" };
    let tag = if path.contains([':', '@']) { "" } else { ":latest" };
    format!("{host}/{library}{path}{tag}")
}

/// The server to ask for an image, with its port where the reference names one.
pub fn server(reference: &str) -> &str {
    match split(reference).0 {
        DOCKER_HUB => DOCKER_HUB_SERVER,
        host => host,
    }
}

/// True when an image is one of Docker Hub's, which an engine may get from a mirror.
pub fn is_on_docker_hub(reference: &str) -> bool {
    split(reference).0 == DOCKER_HUB
}

/// Splits off the registry. The first part of a path is a host only if it looks like one, or could not be a user's name.
fn split(reference: &str) -> (&str, &str) {
    match reference.split_once('/') {
        Some(("index.docker.io", path)) => (DOCKER_HUB, path),
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" || host.contains(char::is_uppercase) => {
            (host, path)
        }
        _ => (DOCKER_HUB, reference),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_docker_hubs() {
        for (short, whole, from) in [
            ("nginx", "docker.io/library/nginx:latest", DOCKER_HUB_SERVER),
            ("nginx:1.26", "docker.io/library/nginx:1.26", DOCKER_HUB_SERVER),
            ("istio/pilot:1", "docker.io/istio/pilot:1", DOCKER_HUB_SERVER),
            ("index.docker.io/istio/pilot:1", "docker.io/istio/pilot:1", DOCKER_HUB_SERVER),
            ("localhost/a", "localhost/a:latest", "localhost"),
            ("localhost/a:1", "localhost/a:1", "localhost"),
            ("Lab/a:1", "Lab/a:1", "Lab"),
            ("host:5000/a/b", "host:5000/a/b:latest", "host:5000"),
            ("quay.io/a@sha256:0", "quay.io/a@sha256:0", "quay.io"),
        ] {
            assert_eq!((canonical(short).as_str(), server(short)), (whole, from), "{short}");
            assert_eq!((canonical(whole).as_str(), server(whole)), (whole, from), "{whole}");
        }
        assert!(is_on_docker_hub("istio/pilot:1") && !is_on_docker_hub("localhost/a"));
    }
}
