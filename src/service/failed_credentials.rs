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
    throttle::{Attempt, network},
};
use crate::{
    settings::Throttle,
    store::{Store, Tally},
};

/// Addresses that are told apart; they take some 100 bytes each.
const MAX_SUSPECTS: usize = 10_000;

/// The limit, and the addresses that wrong credentials came from of late, as this process saw it.
#[derive(Debug)]
pub struct FailedCredentials {
    max: u64,
    window: Duration,
    suspects: Mutex<Suspects>,
}

#[derive(Debug, Default)]
struct Suspects {
    seen: HashMap<String, Instant>,
    /// When there were too many to be told apart: then everybody is one.
    crowded: Option<Instant>,
}

impl FailedCredentials {
    /// As `[throttle]` has it.
    #[must_use]
    pub fn new(throttle: &Throttle) -> Self {
        Self {
            max: throttle.failed_credentials_per_address,
            window: throttle.window,
            suspects: Mutex::default(),
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
        if is_right && !address.is_some_and(|address| self.is_suspect(address)) {
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
            Some(address) => Some(self.begin(store, address, is_right).await?),
            None => None,
        };
        if !is_right {
            return Err(wrong);
        }
        if let Some(attempt) = attempt {
            attempt.succeeded(store).await;
        }
        Ok(())
    }

    async fn begin(
        &self,
        store: &dyn Store,
        address: IpAddr,
        is_right: bool,
    ) -> Result<Attempt, ServiceError> {
        // Before the store is asked, so that many at once do not slip by.
        if !is_right {
            self.note(address);
        }
        let message = || format!("too many wrong credentials came from {address}");
        let tally = Tally::FailedSignIns(network(address));
        Attempt::begin(store, tally, self.max, self.window, message).await
    }

    fn note(&self, address: IpAddr) {
        let now = Instant::now();
        let mut suspects = self.lock();
        if suspects.seen.len() >= MAX_SUSPECTS {
            suspects.seen.retain(|_, last| self.is_recent(*last, now));
        }
        if suspects.seen.len() >= MAX_SUSPECTS {
            suspects.seen.clear();
            suspects.crowded = Some(now);
        }
        suspects.seen.insert(network(address), now);
    }

    fn is_suspect(&self, address: IpAddr) -> bool {
        let now = Instant::now();
        let suspects = self.lock();
        let last = suspects.seen.get(&network(address));
        let mut moments = last.into_iter().chain(&suspects.crowded);
        self.max > 0 && moments.any(|moment| self.is_recent(*moment, now))
    }

    /// Whether a count that began then may still be under way: it lasts a window from its first failure on.
    fn is_recent(&self, moment: Instant, now: Instant) -> bool {
        now.saturating_duration_since(moment) < self.window * 2
    }

    fn lock(&self) -> MutexGuard<'_, Suspects> {
        self.suspects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Services {
    /// Lets a request pass whose API key is right; `wrong` is what is answered to one whose is not.
    ///
    /// # Errors
    /// `wrong`; [`ServiceError::TooMany`] where too many credentials from that address were wrong.
    pub async fn admit_key(
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
    fn only_who_was_wrong_is_a_suspect_unless_there_are_too_many() {
        let failed = FailedCredentials::new(&Throttle {
            window: Duration::from_secs(60),
            failed_credentials_per_address: 10,
            ..Throttle::default()
        });
        let address = |n: u32| IpAddr::from(Ipv4Addr::from(n));
        failed.note(address(0));
        assert!(failed.is_suspect(address(0)));
        assert!(!failed.is_suspect(address(1)));
        for n in 0..=u32::try_from(MAX_SUSPECTS).unwrap() {
            failed.note(address(n));
        }
        assert!(failed.is_suspect(address(u32::MAX)), "everybody is one");
        let kept = failed.lock().seen.len();
        assert!(kept <= MAX_SUSPECTS, "{kept}");
    }
}
