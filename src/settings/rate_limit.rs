//! `[rate_limit]`: the number of requests in a time window.

use std::time::Duration;

use super::{error::SettingsError, load::seconds, provenance::Layers};

/// `[rate_limit]`; 0 disables a limit.
#[derive(Clone, Debug, Default)]
pub struct RateLimit {
    /// The length of the time window; never zero.
    pub window: Duration,
    /// Creates from one client address.
    pub creates_per_address: u64,
    /// Creates of one configured service.
    pub creates_per_service: u64,
    /// Wrong credentials from one client address.
    pub failed_credentials_per_address: u64,
    /// Calls to one number without a matching booking.
    pub failed_matches_per_number: u64,
}

pub(super) fn rate_limit(from: &Layers) -> Result<RateLimit, SettingsError> {
    let limit = |setting| from.number(setting, 0..=1_000_000_000);
    Ok(RateLimit {
        window: seconds(from, "rate_limit.window_seconds", 1..=86_400)?,
        creates_per_address: limit("rate_limit.creates_per_address")?,
        creates_per_service: limit("rate_limit.creates_per_service")?,
        failed_credentials_per_address: limit("rate_limit.failed_credentials_per_address")?,
        failed_matches_per_number: limit("rate_limit.failed_matches_per_number")?,
    })
}
