//! `[rate_limit]`: the number of requests in a time window.

use std::time::Duration;

use serde::Deserialize;

use super::values::{integer, seconds};

/// `[rate_limit]`; 0 disables a limit.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// The length of the time window; never zero.
    #[serde(rename = "window_seconds")]
    #[serde(deserialize_with = "seconds::<1, 86_400, _>")]
    pub window: Duration,
    /// Creates from one client address.
    #[serde(deserialize_with = "integer::<0, 1_000_000_000, _, _>")]
    pub creates_per_address: u64,
    /// Creates of one configured service.
    #[serde(deserialize_with = "integer::<0, 1_000_000_000, _, _>")]
    pub creates_per_service: u64,
    /// Wrong credentials from one client address.
    #[serde(deserialize_with = "integer::<0, 1_000_000_000, _, _>")]
    pub failed_credentials_per_address: u64,
    /// Messages of the client of one chat.
    #[serde(deserialize_with = "integer::<0, 1_000_000_000, _, _>")]
    pub messages_per_chat: u64,
    /// Calls to one number without a matching booking.
    #[serde(deserialize_with = "integer::<0, 1_000_000_000, _, _>")]
    pub failed_matches_per_number: u64,
}
