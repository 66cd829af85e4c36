//! How often: creates by who asks and by what is asked for, and calls that nobody is found for.
//!
//! All of it is counted in the store, so that it holds across replicas, and only where a limit is set.

use std::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use tracing::warn;

use super::ServiceError;
use crate::{
    settings::RateLimit,
    store::{RateLimitKey, Store},
};

/// Counts a create that `address` asks for.
///
/// # Errors
/// [`ServiceError::TooMany`] where it is one too many.
pub(super) async fn limit_creates_by_address(
    store: &dyn Store,
    throttle: &RateLimit,
    address: Option<IpAddr>,
) -> Result<(), ServiceError> {
    let most = throttle.creates_per_address;
    let Some(address) = address.filter(|_| most > 0) else {
        return Ok(());
    };
    let tally = RateLimitKey::CreatesByAddress(client_network(address));
    let message = || format!("{address} asked for too many services");
    rate_limit_take(store, &tally, most, throttle.window, message).await
}

/// Counts a create of the configured service `name`.
///
/// # Errors
/// [`ServiceError::TooMany`] where it is one too many.
pub(super) async fn limit_creates_of_service(
    store: &dyn Store,
    throttle: &RateLimit,
    name: &str,
) -> Result<(), ServiceError> {
    let most = throttle.creates_per_service;
    if most == 0 {
        return Ok(());
    }
    let tally = RateLimitKey::CreatesByService(name.to_owned());
    let message = || format!("too many services were made from {name:?}");
    rate_limit_take(store, &tally, most, throttle.window, message).await
}

/// Calls under way count as failed until they are matched: where there are as many as may fail, another one
/// waits for some of them to succeed.
const MAX_MATCH_ATTEMPTS: u32 = 10;
const MATCH_RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// Something that may fail only so often. It counts as failed until it has succeeded, so that many at once
/// guess no more than one after the other.
pub(super) struct Attempt(Option<RateLimitKey>);

impl Attempt {
    /// Counts it, as [`count`] does.
    ///
    /// # Errors
    /// [`ServiceError::TooMany`] where too many failed.
    pub(super) async fn begin(
        store: &dyn Store,
        tally: RateLimitKey,
        most: u64,
        window: Duration,
        message: impl FnOnce() -> String,
    ) -> Result<Self, ServiceError> {
        rate_limit_take(store, &tally, most, window, message).await?;
        Ok(Self(Some(tally)))
    }

    /// Counts a call that is about to be matched.
    ///
    /// # Errors
    /// [`ServiceError::TooMany`] where too many calls to `dialled` failed.
    pub(super) async fn begin_match(
        store: &dyn Store,
        throttle: &RateLimit,
        dialled: &str,
    ) -> Result<Self, ServiceError> {
        let most = throttle.failed_matches_per_number;
        if most == 0 {
            return Ok(Self(None));
        }
        let tally = RateLimitKey::FailedMatches(dialled.to_owned());
        let message = || format!("nobody was found for too many calls to {dialled}");
        let mut tries = 1;
        loop {
            let attempt = Self::begin(store, tally.clone(), most, throttle.window, message).await;
            if attempt.is_ok() || tries == MAX_MATCH_ATTEMPTS {
                return attempt;
            }
            tries += 1;
            tokio::time::sleep(MATCH_RETRY_INTERVAL).await;
        }
    }

    /// It did not fail.
    pub(super) async fn refund(self, store: &dyn Store) {
        if let Some(tally) = self.0
            && let Err(error) = store.rate_limit_refund(&tally).await
        {
            warn!(%error, "an attempt that succeeded counts as failed until the count ends");
        }
    }
}

/// Counts one more of `tally`, of which there may be `most` within `window`; `message` begins what is told. What
/// is refused has not happened: it does not count.
///
/// # Errors
/// [`ServiceError::TooMany`] where it is one too many.
async fn rate_limit_take(
    store: &dyn Store,
    tally: &RateLimitKey,
    most: u64,
    window: Duration,
    message: impl FnOnce() -> String,
) -> Result<(), ServiceError> {
    let counted = store.rate_limit_take(tally, most, window).await?;
    if counted.count <= most {
        return Ok(());
    }
    let seconds = window.as_secs();
    Err(ServiceError::RateLimited {
        message: format!("{}; {most} are allowed in {seconds} seconds", message()),
        retry_after: counted.resets_in,
    })
}

/// Whom an address stands for: of IPv6, everybody has a whole network.
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
        let of = |text: &str| client_network(text.parse().unwrap());
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::"));
    }
}
