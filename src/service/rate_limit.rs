//! Rate limits: creates per client address and per configured service, messages per chat, and failed matches per dialed
//! number. Wrong
//! credentials are in `failed_credentials.rs`.
//!
//! The counters are in the store, so that they apply to all replicas. Only configured limits are counted.

use std::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use tracing::warn;

use super::ServiceError;
use crate::{
    model::{RateLimitKey, STORAGE_AREA, ServiceId, StoreError},
    settings::RateLimit,
    store::RateLimitStore,
};

/// Counts a create of the client `address`.
///
/// # Errors
/// [`ServiceError::RateLimited`] if the limit is exceeded.
pub(super) async fn limit_creates_by_address(
    store: &dyn RateLimitStore,
    settings: &RateLimit,
    address: Option<IpAddr>,
) -> Result<(), ServiceError> {
    let limit = settings.creates_per_address;
    let Some(address) = address.filter(|_| limit > 0) else {
        return Ok(());
    };
    let key = RateLimitKey::CreatesByAddress(client_network(address));
    let message = || format!("too many creates from {address}");
    rate_limit_take(store, &key, limit, settings.window, message).await
}

/// Counts a create of the configured service `name`.
///
/// # Errors
/// [`ServiceError::RateLimited`] if the limit is exceeded.
pub(super) async fn limit_creates_of_service(
    store: &dyn RateLimitStore,
    settings: &RateLimit,
    name: &str,
) -> Result<(), ServiceError> {
    let limit = settings.creates_per_service;
    if limit == 0 {
        return Ok(());
    }
    let key = RateLimitKey::CreatesByService(name.to_owned());
    let message = || format!("too many creates of {name:?}");
    rate_limit_take(store, &key, limit, settings.window, message).await
}

/// Counts a create of a storage area by the client `address`.
///
/// # Errors
/// [`ServiceError::RateLimited`] if a limit is exceeded.
pub(super) async fn limit_creates_of_storage_areas(
    store: &dyn RateLimitStore,
    settings: &RateLimit,
    address: Option<IpAddr>,
) -> Result<(), ServiceError> {
    limit_creates_by_address(store, settings, address).await?;
    limit_creates_of_service(store, settings, STORAGE_AREA).await
}

/// Counts a message of the client of the chat of `id`.
///
/// # Errors
/// [`ServiceError::RateLimited`] if the limit is exceeded.
pub(super) async fn limit_chat_messages(
    store: &dyn RateLimitStore,
    settings: &RateLimit,
    id: &ServiceId,
) -> Result<(), ServiceError> {
    let limit = settings.messages_per_chat;
    if limit == 0 {
        return Ok(());
    }
    let key = RateLimitKey::ChatMessages(id.to_string());
    let message = || "too many messages in this chat".to_owned();
    rate_limit_take(store, &key, limit, settings.window, message).await
}

/// Matches in progress count as failed until they succeed. If the limit is reached, another one retries this often,
/// in case some of them succeed.
const MAX_MATCH_ATTEMPTS: u32 = 10;
const MATCH_RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// An attempt that counts as failed until it succeeds, so that concurrent guesses are limited like sequential ones.
pub(super) struct Attempt(Option<RateLimitKey>);

impl Attempt {
    /// Counts the attempt; see [`rate_limit_take`].
    ///
    /// # Errors
    /// [`ServiceError::RateLimited`] if too many failed.
    pub(super) async fn begin(
        store: &dyn RateLimitStore,
        key: RateLimitKey,
        limit: u64,
        window: Duration,
        message: impl FnOnce() -> String,
    ) -> Result<Self, ServiceError> {
        rate_limit_take(store, &key, limit, window, message).await?;
        Ok(Self(Some(key)))
    }

    /// Counts a match attempt.
    ///
    /// # Errors
    /// [`ServiceError::RateLimited`] if too many matches of `dialed` failed.
    pub(super) async fn begin_match(
        store: &dyn RateLimitStore,
        settings: &RateLimit,
        dialed: &str,
    ) -> Result<Self, ServiceError> {
        let limit = settings.failed_matches_per_number;
        if limit == 0 {
            return Ok(Self(None));
        }
        let key = RateLimitKey::FailedMatches(dialed.to_owned());
        let message = || format!("too many calls to {dialed} did not match");
        let mut tries = 1;
        loop {
            let attempt = Self::begin(store, key.clone(), limit, settings.window, message).await;
            if attempt.is_ok() || tries == MAX_MATCH_ATTEMPTS {
                return attempt;
            }
            tries += 1;
            tokio::time::sleep(MATCH_RETRY_INTERVAL).await;
        }
    }

    /// Removes a successful attempt from the counter.
    pub(super) async fn refund(self, store: &dyn RateLimitStore) {
        if let Some(key) = self.0
            && let Err(error) = store.rate_limit_refund(&key).await
        {
            warn!(%error, "rate limit refund failed");
        }
    }
}

/// The time until calls to `dialed` are compared again; `None` if the limit of failed matches is not reached. Nothing is
/// counted.
///
/// # Errors
/// Errors of the store.
pub(super) async fn failed_matches_reset_in(
    store: &dyn RateLimitStore,
    settings: &RateLimit,
    dialed: &str,
) -> Result<Option<Duration>, StoreError> {
    let limit = settings.failed_matches_per_number;
    if limit == 0 {
        return Ok(None);
    }
    let key = RateLimitKey::FailedMatches(dialed.to_owned());
    let state = store.rate_limit_state(&key).await?;
    Ok((state.count >= limit).then_some(state.resets_in))
}

/// Counts one more of `key`, of which `limit` are allowed within `window`. `message` is the beginning of the error
/// message. Rejected requests do not count.
///
/// # Errors
/// [`ServiceError::RateLimited`] if the limit is exceeded.
async fn rate_limit_take(
    store: &dyn RateLimitStore,
    key: &RateLimitKey,
    limit: u64,
    window: Duration,
    message: impl FnOnce() -> String,
) -> Result<(), ServiceError> {
    let state = store.rate_limit_take(key, limit, window).await?;
    if state.count <= limit {
        return Ok(());
    }
    let seconds = window.as_secs();
    Err(ServiceError::RateLimited {
        message: format!("{}; the limit is {limit} in {seconds} seconds", message()),
        retry_after: state.resets_in,
    })
}

/// The client of an address: an IPv4 address or an IPv6 /64 network.
pub(super) fn client_network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let network = u128::from(address) & (u128::MAX << 64);
            format!("{}/64", Ipv6Addr::from(network))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_is_one_client_and_a_mapped_address_an_ipv4_one() {
        let client = |text: &str| client_network(text.parse().unwrap());
        assert_eq!(client("192.0.2.7"), "192.0.2.7");
        assert_eq!(client("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(client("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(client("2001:db8:1:2::1"), client("2001:db8:1:2:ffff::"));
    }
}
