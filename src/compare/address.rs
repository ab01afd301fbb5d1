//! The address of an arm: its URL as given, or the load balancer's address of a service of the cluster.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use k8s_openapi::api::core::v1::Service;
use kube::{Api, Client};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::CompareError;
use super::schema::Arm;

/// The port that requests go to if the service has several.
const HTTP: i32 = 80;

/// A service of the cluster, `NAMESPACE/NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceName {
    namespace: String,
    name: String,
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl FromStr for ServiceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // a DNS label (RFC 1123), as names of namespaces and services are
        let label = |text: &str| {
            let plain = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
            plain && (1..=63).contains(&text.len()) && !text.starts_with('-') && !text.ends_with('-')
        };
        match text.split_once('/') {
            Some((namespace, name)) if label(namespace) && label(name) => {
                Ok(ServiceName { namespace: namespace.to_owned(), name: name.to_owned() })
            }
            _ => Err(format!("`{text}` is not a service, write it as NAMESPACE/NAME, as in `istio-system/istio-ingressgateway`")),
        }
    }
}

impl<'de> Deserialize<'de> for ServiceName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for ServiceName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for ServiceName {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "ServiceName".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let label = "[a-z0-9]([a-z0-9-]*[a-z0-9])?";
        json_schema!({"type": "string", "pattern": format!("^{label}/{label}$"), "examples": ["istio-system/istio-ingressgateway"]})
    }
}

/// Sets the URL of each arm that is a service.
///
/// # Errors
/// There is no cluster, or it does not answer; a service does not exist, or has no address that can be reached from here.
pub(super) async fn look_up(arms: &mut [Arm], client: Option<&Client>) -> Result<(), CompareError> {
    for arm in arms {
        let Some(service) = &arm.service else { continue };
        let client = client.ok_or(CompareError::NoCluster)?;
        let services: Api<Service> = Api::namespaced(client.clone(), &service.namespace);
        let reading = format!("read service {service}");
        let found = services.get_opt(&service.name).await.map_err(CompareError::kube(reading))?;
        let found = found.ok_or_else(|| CompareError::NoService { arm: arm.name.clone(), service: service.clone() })?;
        let address = address(&arm.name, service, &found)?;
        arm.url = Some(format!("http://{address}{}", arm.path.as_deref().unwrap_or("/")));
    }
    Ok(())
}

/// Host and port of a service, as written in a URL.
fn address(arm: &str, service: &ServiceName, found: &Service) -> Result<String, CompareError> {
    let (arm, service) = (arm.to_owned(), service.clone());
    let spec = found.spec.as_ref();
    let kind = spec.and_then(|spec| spec.type_.clone()).unwrap_or_else(|| "ClusterIP".to_owned());
    if kind != "LoadBalancer" {
        return Err(CompareError::Inside { arm, service, kind });
    }
    let ports: Vec<i32> = spec.and_then(|spec| spec.ports.as_ref()).into_iter().flatten().map(|port| port.port).collect();
    let port = match ports.as_slice() {
        [only] => *only,
        ports if ports.contains(&HTTP) => HTTP,
        _ => return Err(CompareError::WhichPort { arm, service, ports }),
    };
    let balancer = found.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let ingress = balancer.and_then(|balancer| balancer.ingress.as_ref()).and_then(|all| all.first());
    let host = ingress.and_then(|one| one.ip.clone().or_else(|| one.hostname.clone()));
    let host = host.ok_or(CompareError::NoAddress { arm, service })?;
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    Ok(if port == HTTP { host } else { format!("{host}:{port}") })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn service() -> ServiceName {
        "ingress-nginx/ingress-nginx-controller".parse().expect("a service")
    }

    /// The address, or why there is none.
    fn address_of(kind: &str, ports: &[i32], ingress: Value) -> Result<String, String> {
        let ports: Vec<Value> = ports.iter().map(|port| json!({"port": port})).collect();
        let found = json!({"spec": {"type": kind, "ports": ports}, "status": {"loadBalancer": ingress}});
        let found = serde_json::from_value(found).expect("a service");
        address("before", &service(), &found).map_err(|error| error.to_string())
    }

    #[test]
    fn a_service_is_where_its_load_balancer_is() {
        let at = |ip: &str| json!({"ingress": [{"ip": ip}]});
        assert_eq!(address_of("LoadBalancer", &[15021, 80, 443], at("172.18.255.201")), Ok("172.18.255.201".into()));
        assert_eq!(address_of("LoadBalancer", &[8080], at("172.18.255.201")), Ok("172.18.255.201:8080".into()));
        assert_eq!(address_of("LoadBalancer", &[80], at("fd00::1")), Ok("[fd00::1]".into()));
        assert_eq!(address_of("LoadBalancer", &[80], json!({"ingress": [{"hostname": "lb.test"}]})), Ok("lb.test".into()));
    }

    #[test]
    fn a_service_that_cannot_be_reached_says_why() {
        let start = "arm `before`: service ingress-nginx/ingress-nginx-controller";
        let none = json!({});
        assert_eq!(address_of("LoadBalancer", &[80], none.clone()), Err(format!("{start} has no address yet")));
        let inside = format!("{start} is of type NodePort, which no load balancer gives an address");
        assert_eq!(address_of("NodePort", &[80], none.clone()), Err(inside));
        let which = format!("{start} has ports 443, 15021, and none of them is 80");
        assert_eq!(address_of("LoadBalancer", &[443, 15021], none), Err(which));
    }

    /// A cluster that has one service, at a port of this machine.
    fn cluster(port: u16) -> Client {
        let balancer = json!({"ingress": [{"ip": "127.0.0.1"}]});
        let found = json!({"spec": {"type": "LoadBalancer", "ports": [{"port": port}]}, "status": {"loadBalancer": balancer}});
        let absent = json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "message": "not found", "code": 404});
        let path = "/api/v1/namespaces/ingress-nginx/services/ingress-nginx-controller";
        let answer = move |asked: axum::http::Uri| async move {
            match asked.path() == path {
                true => (axum::http::StatusCode::OK, axum::Json(found)),
                false => (axum::http::StatusCode::NOT_FOUND, axum::Json(absent)),
            }
        };
        Client::new(axum::Router::new().fallback(answer), "default")
    }

    #[tokio::test]
    async fn arms_that_are_services_get_their_urls_before_the_first_request() {
        let arm = Arm { name: "before".into(), service: Some(service()), ..Arm::default() };
        let (path, host) = (Some("/a?b".into()), Some("shop.test".into()));
        let mut arms = [Arm { path, host, ..arm.clone() }, arm.clone()];
        look_up(&mut arms, Some(&cluster(8080))).await.expect("found");
        assert_eq!(arms.clone().map(|arm| arm.url.unwrap_or_default()), ["http://127.0.0.1:8080/a?b", "http://127.0.0.1:8080/"]);
        let declared =
            json!({"name": "before", "url": "http://127.0.0.1:8080/", "service": "ingress-nginx/ingress-nginx-controller"});
        assert_eq!(serde_json::to_value(&arms[1]).expect("JSON"), declared);
        let mut absent = [Arm { service: "a/web".parse().ok(), ..arm.clone() }];
        let error = look_up(&mut absent, Some(&cluster(80))).await.expect_err("not there");
        assert_eq!(error.to_string(), "arm `before`: there is no service a/web");
        assert!(matches!(look_up(&mut [arm], None).await, Err(CompareError::NoCluster)));
        let url = Arm { url: Some("http://x/".into()), ..Arm::default() };
        assert!(look_up(&mut [url], None).await.is_ok(), "a url asks for no cluster");
    }

    #[test]
    fn services_are_written_as_namespace_and_name() {
        assert_eq!(service().to_string(), "ingress-nginx/ingress-nginx-controller");
        for wrong in ["web", "a/b/c", "/web", "a/", "A/web", "-a/b", "http://10.0.0.1/"] {
            assert!(wrong.parse::<ServiceName>().is_err(), "{wrong}");
        }
    }
}
