//! `[comet]`: push by `CometD`.

use std::time::Duration;

use serde::Deserialize;

use super::values::{integer, seconds};

/// `[comet]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comet {
    /// The time that a connect waits for an event; never zero.
    #[serde(rename = "timeout_seconds")]
    #[serde(deserialize_with = "seconds::<1, 300, _>")]
    pub timeout: Duration,
    /// The time after which a session ends without a connect; never zero.
    #[serde(rename = "max_interval_seconds")]
    #[serde(deserialize_with = "seconds::<5, 3600, _>")]
    pub max_interval: Duration,
    /// The maximum number of waiting connects, and of WebSocket connections, of a replica.
    #[serde(deserialize_with = "integer::<1, 1_000_000, _, _>")]
    pub max_connections: usize,
}
