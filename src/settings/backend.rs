//! `[backend]`: connections to the backends of services.

use std::time::Duration;

use serde::Deserialize;

use super::{
    pem::authorities,
    values::{integer, millis, seconds},
};

/// `[backend]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backend {
    /// Timeout for opening a connection; never zero.
    #[serde(rename = "connect_timeout_ms")]
    #[serde(deserialize_with = "millis::<1, 60_000, _>")]
    pub connect_timeout: Duration,
    /// Timeout from then until the response is complete; never zero.
    #[serde(rename = "response_timeout_ms")]
    #[serde(deserialize_with = "millis::<1, 60_000, _>")]
    pub response_timeout: Duration,
    /// Maximum number of backends tried for one request, at least 1.
    #[serde(deserialize_with = "integer::<1, 16, _, _>")]
    pub max_attempts: usize,
    /// Maximum number of connections to one backend, at least 1.
    #[serde(deserialize_with = "integer::<1, 65_536, _, _>")]
    pub connections: usize,
    /// Maximum size of a response.
    #[serde(deserialize_with = "integer::<1, 536_870_912, _, _>")]
    pub max_response_bytes: usize,
    /// Consecutive failures after which the circuit breaker opens, at least 1.
    #[serde(deserialize_with = "integer::<1, 1_000_000, _, _>")]
    pub circuit_breaker_failures: u32,
    /// Time until an open circuit breaker allows a request again; never zero.
    #[serde(rename = "circuit_breaker_reset_seconds")]
    #[serde(deserialize_with = "seconds::<1, 3600, _>")]
    pub circuit_reset_timeout: Duration,
    /// Trusted certificates, in PEM, in addition to those of the system.
    #[serde(rename = "ca_file", deserialize_with = "authorities")]
    pub ca_certificates: Option<String>,
}
