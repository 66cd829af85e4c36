//! Limits the attempts with wrong credentials per client address: passwords of services, API keys and the admin
//! password. They share one counter in the store, for all replicas.
//!
//! Valid credentials need no round trip unless this process has recently seen wrong ones from the same address. In
//! that case every attempt is counted before it is checked, and refunded if it succeeds, so that concurrent guesses
//! are limited like sequential ones. Above the limit valid credentials are rejected too until the counter resets;
//! otherwise a response would reveal a correct guess. Guessing on several replicas gains one guess per replica. A
//! request without credentials is no attempt.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tracing::warn;

use super::{
    ServiceError, Services,
    rate_limit::{Attempt, client_network},
};
use crate::{model::RateLimitKey, settings::RateLimit, store::RateLimitStore};

/// Maximum number of tracked addresses, of about 100 bytes each.
const MAX_TRACKED_ADDRESSES: usize = 10_000;

/// The limit, and the addresses of recent attempts with wrong credentials in this process.
#[derive(Debug)]
pub struct FailedCredentials {
    max: u64,
    window: Duration,
    failed_sign_ins: Mutex<FailedSignIns>,
}

#[derive(Debug, Default)]
struct FailedSignIns {
    last_failures: HashMap<String, Instant>,
    /// When the table overflowed. For a while after that all addresses are treated as recent.
    overflowed_at: Option<Instant>,
}

/// An attempt that was counted before its verification.
pub(super) struct CountedAttempt {
    attempt: Attempt,
    address: IpAddr,
    at: Instant,
    /// The previous failure of the address.
    previous: Option<Instant>,
}

impl FailedCredentials {
    /// Uses the settings `[rate_limit]`.
    #[must_use]
    pub fn new(settings: &RateLimit) -> Self {
        Self {
            max: settings.failed_credentials_per_address,
            window: settings.window,
            failed_sign_ins: Mutex::default(),
        }
    }

    /// Checks an attempt, which is valid or not. `error` is the result of an invalid one.
    ///
    /// # Errors
    /// `error`; [`ServiceError::RateLimited`] after too many failed attempts from the address on any replica; errors of
    /// the store.
    pub async fn check(
        &self,
        store: &dyn RateLimitStore,
        address: Option<IpAddr>,
        is_valid: bool,
        error: ServiceError,
    ) -> Result<(), ServiceError> {
        if is_valid && !address.is_some_and(|address| self.has_recent_failure(address)) {
            return Ok(());
        }
        self.check_counted(store, address, is_valid, error).await
    }

    /// Like [`FailedCredentials::check`], but every attempt is counted.
    ///
    /// # Errors
    /// As [`FailedCredentials::check`].
    pub async fn check_counted(
        &self,
        store: &dyn RateLimitStore,
        address: Option<IpAddr>,
        is_valid: bool,
        error: ServiceError,
    ) -> Result<(), ServiceError> {
        let attempt = match address.filter(|_| self.max > 0) {
            Some(address) => Some(self.begin_attempt(store, address, is_valid).await?),
            None => None,
        };
        if !is_valid {
            return Err(error);
        }
        if let Some(attempt) = attempt {
            attempt.refund(store).await;
        }
        Ok(())
    }

    /// Counts an attempt before an expensive verification, as a failed one until [`FailedCredentials::succeed`]. An
    /// attempt that is dropped, or cannot be verified, remains counted, so that clients that do not wait for the result
    /// are limited too. `None` without a limit.
    ///
    /// # Errors
    /// [`ServiceError::RateLimited`] after too many failed attempts from the address on any replica; errors of the store.
    pub(super) async fn begin(
        &self,
        store: &dyn RateLimitStore,
        address: Option<IpAddr>,
    ) -> Result<Option<CountedAttempt>, ServiceError> {
        let Some(address) = address.filter(|_| self.max > 0) else {
            return Ok(None);
        };
        let at = Instant::now();
        let previous = self.record_failure(address, at);
        let attempt = self.count(store, address).await?;
        Ok(Some(CountedAttempt {
            attempt,
            address,
            at,
            previous,
        }))
    }

    /// Refunds an attempt with valid credentials.
    pub(super) async fn succeed(
        &self,
        store: &dyn RateLimitStore,
        attempt: Option<CountedAttempt>,
    ) {
        let Some(counted) = attempt else {
            return;
        };
        self.forget_failure(&counted);
        counted.attempt.refund(store).await;
    }

    async fn begin_attempt(
        &self,
        store: &dyn RateLimitStore,
        address: IpAddr,
        is_valid: bool,
    ) -> Result<Attempt, ServiceError> {
        // Recorded before the store is accessed, so that concurrent attempts are counted.
        if !is_valid {
            self.record_failure(address, Instant::now());
        }
        self.count(store, address).await
    }

    async fn count(
        &self,
        store: &dyn RateLimitStore,
        address: IpAddr,
    ) -> Result<Attempt, ServiceError> {
        let message = || format!("too many wrong credentials from {address}");
        let key = RateLimitKey::FailedSignIns(client_network(address));
        Attempt::begin(store, key, self.max, self.window, message).await
    }

    /// Returns the time of the previous failure.
    fn record_failure(&self, address: IpAddr, now: Instant) -> Option<Instant> {
        let mut failed_sign_ins = self.lock();
        if failed_sign_ins.last_failures.len() >= MAX_TRACKED_ADDRESSES {
            failed_sign_ins
                .last_failures
                .retain(|_, last_failure| self.is_recent(*last_failure, now));
        }
        if failed_sign_ins.last_failures.len() >= MAX_TRACKED_ADDRESSES {
            failed_sign_ins.last_failures.clear();
            failed_sign_ins.overflowed_at = Some(now);
        }
        failed_sign_ins
            .last_failures
            .insert(client_network(address), now)
    }

    /// Restores the time before an attempt, unless another one was recorded after it.
    fn forget_failure(&self, counted: &CountedAttempt) {
        let network = client_network(counted.address);
        let mut failed_sign_ins = self.lock();
        if failed_sign_ins.last_failures.get(&network) != Some(&counted.at) {
            return;
        }
        match counted.previous {
            Some(previous) => failed_sign_ins.last_failures.insert(network, previous),
            None => failed_sign_ins.last_failures.remove(&network),
        };
    }

    fn has_recent_failure(&self, address: IpAddr) -> bool {
        let now = Instant::now();
        let failed_sign_ins = self.lock();
        let last_failure = failed_sign_ins.last_failures.get(&client_network(address));
        let mut failures = last_failure
            .into_iter()
            .chain(&failed_sign_ins.overflowed_at);
        self.max > 0 && failures.any(|failed_at| self.is_recent(*failed_at, now))
    }

    /// Whether a counter that started then may still be active. It lasts for one window after its first failure.
    fn is_recent(&self, failed_at: Instant, now: Instant) -> bool {
        now.saturating_duration_since(failed_at) < self.window * 2
    }

    fn lock(&self) -> MutexGuard<'_, FailedSignIns> {
        self.failed_sign_ins
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Logs an attempt with wrong credentials as `message`.
pub(super) fn log_failed_sign_in(
    checked: Result<(), ServiceError>,
    address: Option<IpAddr>,
    message: &'static str,
) -> Result<(), ServiceError> {
    if let Err(ServiceError::Unauthorized(_)) = checked {
        let client = address.map(|address| address.to_string());
        warn!(client, "{message}");
    }
    checked
}

impl Services {
    /// Checks an API key, which is valid or not. `message` is the error of an invalid one.
    ///
    /// # Errors
    /// [`ServiceError::Unauthorized`]; [`ServiceError::RateLimited`] after too many failed attempts from the address.
    pub async fn authorize_api_key(
        &self,
        is_valid: bool,
        address: Option<IpAddr>,
        message: &'static str,
    ) -> Result<(), ServiceError> {
        let error = ServiceError::Unauthorized(message);
        let failed = &self.context.failed_credentials;
        failed
            .check(&*self.context.store, address, is_valid, error)
            .await
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn only_failing_addresses_are_recent_until_the_table_overflows() {
        let failed = FailedCredentials::new(&RateLimit {
            window: Duration::from_secs(60),
            failed_credentials_per_address: 10,
            ..RateLimit::default()
        });
        let address = |n: u32| IpAddr::from(Ipv4Addr::from(n));
        failed.record_failure(address(0), Instant::now());
        assert!(failed.has_recent_failure(address(0)));
        assert!(!failed.has_recent_failure(address(1)));
        for n in 0..=u32::try_from(MAX_TRACKED_ADDRESSES).unwrap() {
            failed.record_failure(address(n), Instant::now());
        }
        assert!(
            failed.has_recent_failure(address(u32::MAX)),
            "all addresses are recent after an overflow"
        );
        let tracked = failed.lock().last_failures.len();
        assert!(tracked <= MAX_TRACKED_ADDRESSES, "{tracked}");
    }
}
