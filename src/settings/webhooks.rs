//! `[webhooks]`: delivery of events to webhooks.

use ipnet::IpNet;
use serde::Deserialize;

use super::{
    pem::authorities,
    values::{boolean, integer, networks},
};

/// `[webhooks]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhooks {
    /// Whether URLs can have the scheme `http`.
    #[serde(deserialize_with = "boolean")]
    pub allow_http: bool,
    /// Networks that are not public and that events can be sent to.
    #[serde(deserialize_with = "networks")]
    pub allowed_networks: Vec<IpNet>,
    /// Maximum number of services of one webhook whose events a replica sends at the same time, at least 1.
    #[serde(deserialize_with = "integer::<1, 4096, _, _>")]
    pub concurrency: usize,
    /// Maximum number of undelivered events of one webhook, at least 1.
    #[serde(deserialize_with = "integer::<1, 10_000_000, _, _>")]
    pub max_pending: usize,
    /// Maximum number of dead letters of one webhook, at least 1.
    #[serde(deserialize_with = "integer::<1, 1_000_000, _, _>")]
    pub max_dead_letters: usize,
    /// Trusted certificates, in PEM, in addition to those of the system.
    #[serde(rename = "ca_file", deserialize_with = "authorities")]
    pub ca_certificates: Option<String>,
}
