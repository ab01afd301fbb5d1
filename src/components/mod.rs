//! stub
pub mod address_pool;
use crate::profile::Profile; use crate::error::Result; use crate::engine::{Check, Progress}; use kube::Client; use std::time::Duration;
/// stub
#[derive(Clone)] pub struct Part { pub id: String, pub needs: Vec<String>, pub needs_was: bool, pub needs_storage: bool, pub waits: bool }
/// stub
pub struct Inputs;
impl Inputs { pub async fn of(_c: &Client, _p: &Profile, _a: Option<(crate::profile::AddressRange, std::net::Ipv4Addr)>, _w: String, _b: Option<&crate::artifact::Bundle>) -> Result<Inputs> { Ok(Inputs) } }
pub fn parts(_p: &Profile) -> Vec<Part> { vec![] }
pub fn images(_p: &Profile) -> Vec<String> { ["docker.io/istio/pilot:1.31.1","docker.io/library/mysql:9.7","quay.io/metallb/speaker:v0.16.1","quay.io/metallb/controller:v0.16.1","docker.io/istio/proxyv2:1.31.1","docker.io/library/nginx:1.26"].iter().map(|s| s.to_string()).collect() }
pub fn images_on_every_node(_p: &Profile) -> Vec<String> { vec![] }
pub async fn check(_c: &Client, _p: &str, _i: &Inputs) -> Result<Check> { Ok(Check::Satisfied) }
pub async fn is_healthy(_c: &Client, _p: &str, _i: &Inputs) -> Result<Check> { Ok(Check::Satisfied) }
pub async fn apply(_c: &Client, _p: &str, _i: &Inputs, _pr: &Progress) -> Result<()> { Ok(()) }
pub async fn wait(_c: &Client, _p: &str, _i: &Inputs, _l: Duration, _pr: &Progress) -> Result<()> { Ok(()) }
pub async fn apply_text(_c: &Client, _t: &str, _w: &str, _i: &Inputs) -> Result<()> { Ok(()) }
pub async fn delete(_c: &Client, _p: &str, _i: &Inputs) -> Result<()> { Ok(()) }
