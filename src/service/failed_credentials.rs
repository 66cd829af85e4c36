//! How often one client address may show wrong credentials: passwords of services, API keys, and the password of
//! the administration, in one count that the store keeps and all replicas share.
//!
//! Right credentials need no round trip, unless this process has seen wrong ones from the same address of late.
//! Then each attempt is counted before anything is said about it, and taken back if it was right: many guesses at
//! once are no more than one after the other. Once there were too many, right credentials are refused as well until
//! the count ends; otherwise a guess would tell as much as before. Who guesses on several replicas gains one guess
//! for each. Who shows nothing makes no attempt.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{
    ServiceError, Services,
    rate_limit::{Attempt, client_network},
};
use crate::{
    settings::RateLimit,
    store::{RateLimitKey, Store},
};

/// Addresses that are told apart; they take some 100 bytes each.
const MAX_TRACKED_ADDRESSES: usize = 10_000;

/// The limit, and the addresses that wrong credentials came from of late, as this process saw it.
#[derive(Debug)]
pub struct FailedCredentials {
    max: u64,
    window: Duration,
    failed_logins: Mutex<FailedLogins>,
}

#[derive(Debug, Default)]
struct FailedLogins {
    last_failures: HashMap<String, Instant>,
    /// When there were too many to be told apart: then everybody is one.
    overflowed_at: Option<Instant>,
}

impl FailedCredentials {
    /// As `[rate_limit]` has it.
    #[must_use]
    pub fn new(throttle: &RateLimit) -> Self {
        Self {
            max: throttle.failed_credentials_per_address,
            window: throttle.window,
            failed_logins: Mutex::default(),
        }
    }

    /// Lets an attempt pass that was right; `wrong` is what is answered to one that was not.
    ///
    /// # Errors
    /// `wrong`; [`ServiceError::TooMany`] where too many attempts from that address failed, on whichever replica;
    /// what the store says where it has to be asked.
    pub async fn check(
        &self,
        store: &dyn Store,
        address: Option<IpAddr>,
        is_right: bool,
        wrong: ServiceError,
    ) -> Result<(), ServiceError> {
        if is_right && !address.is_some_and(|address| self.has_recent_failure(address)) {
            return Ok(());
        }
        self.check_counted(store, address, is_right, wrong).await
    }

    /// The same, counted whether the address is suspect or not.
    ///
    /// # Errors
    /// As [`FailedCredentials::check`].
    pub async fn check_counted(
        &self,
        store: &dyn Store,
        address: Option<IpAddr>,
        is_right: bool,
        wrong: ServiceError,
    ) -> Result<(), ServiceError> {
        let attempt = match address.filter(|_| self.max > 0) {
            Some(address) => Some(self.begin_attempt(store, address, is_right).await?),
            None => None,
        };
        if !is_right {
            return Err(wrong);
        }
        if let Some(attempt) = attempt {
            attempt.refund(store).await;
        }
        Ok(())
    }

    async fn begin_attempt(
        &self,
        store: &dyn Store,
        address: IpAddr,
        is_right: bool,
    ) -> Result<Attempt, ServiceError> {
        // Before the store is asked, so that many at once do not slip by.
        if !is_right {
            self.record_failure(address);
        }
        let message = || format!("too many wrong credentials came from {address}");
        let tally = RateLimitKey::FailedSignIns(client_network(address));
        Attempt::begin(store, tally, self.max, self.window, message).await
    }

    fn record_failure(&self, address: IpAddr) {
        let now = Instant::now();
        let mut suspects = self.lock();
        if suspects.last_failures.len() >= MAX_TRACKED_ADDRESSES {
            suspects
                .last_failures
                .retain(|_, last| self.is_recent(*last, now));
        }
        if suspects.last_failures.len() >= MAX_TRACKED_ADDRESSES {
            suspects.last_failures.clear();
            suspects.overflowed_at = Some(now);
        }
        suspects.last_failures.insert(client_network(address), now);
    }

    fn has_recent_failure(&self, address: IpAddr) -> bool {
        let now = Instant::now();
        let suspects = self.lock();
        let last = suspects.last_failures.get(&client_network(address));
        let mut moments = last.into_iter().chain(&suspects.overflowed_at);
        self.max > 0 && moments.any(|moment| self.is_recent(*moment, now))
    }

    /// Whether a count that began then may still be under way: it lasts a window from its first failure on.
    fn is_recent(&self, moment: Instant, now: Instant) -> bool {
        now.saturating_duration_since(moment) < self.window * 2
    }

    fn lock(&self) -> MutexGuard<'_, FailedLogins> {
        self.failed_logins
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Services {
    /// Lets a request pass whose API key is right; `wrong` is what is answered to one whose is not.
    ///
    /// # Errors
    /// `wrong`; [`ServiceError::TooMany`] where too many credentials from that address were wrong.
    pub async fn authorize_api_key(
        &self,
        is_right: bool,
        address: Option<IpAddr>,
        wrong: &'static str,
    ) -> Result<(), ServiceError> {
        let wrong = ServiceError::Unauthorized(wrong);
        let failed = &self.failed_credentials;
        failed.check(&*self.store, address, is_right, wrong).await
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn only_failing_addresses_are_suspect_until_the_table_overflows() {
        let failed = FailedCredentials::new(&RateLimit {
            window: Duration::from_secs(60),
            failed_credentials_per_address: 10,
            ..RateLimit::default()
        });
        let address = |n: u32| IpAddr::from(Ipv4Addr::from(n));
        failed.record_failure(address(0));
        assert!(failed.has_recent_failure(address(0)));
        assert!(!failed.has_recent_failure(address(1)));
        for n in 0..=u32::try_from(MAX_TRACKED_ADDRESSES).unwrap() {
            failed.record_failure(address(n));
        }
        assert!(
            failed.has_recent_failure(address(u32::MAX)),
            "everybody is one"
        );
        let kept = failed.lock().last_failures.len();
        assert!(kept <= MAX_TRACKED_ADDRESSES, "{kept}");
    }
}
