//! Who may administrate, and how often somebody may be wrong about it.
//!
//! Signing in on the pages and HTTP Basic are two ways through one door: wrong credentials count as failed either
//! way, in one count for each client address, which the store keeps and all replicas share. Once there were too many,
//! the right ones are refused as well until the count ends: else a guess would tell as much as before.
//!
//! HTTP Basic shows the right ones with every request, and to count an attempt and take it back are two round trips.
//! So these count only where this process has seen wrong ones from the same address of late. Whoever spreads guesses over
//! replicas gains one for each replica that has seen none of the others, and no more: what is wrong is noted before
//! the store is asked, so that many at once do not slip by either.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tracing::warn;

use super::Admin;
use crate::{
    service::{
        ServiceError, Shown,
        throttle::{self, Attempt},
    },
    store::Tally,
};

/// Attempts that may fail from one address, and within which time.
const FAILURES: (u64, Duration) = (10, Duration::from_secs(60));
/// For how long an address is a suspect: longer than any count lasts that its last failure is in.
const SUSPECTED: Duration = Duration::from_secs(2 * 60);
/// Addresses that are told apart; they take some 100 bytes each.
const MOST_SUSPECTS: usize = 10_000;

/// Addresses that wrong credentials came from of late, as this process saw it; bounded, however many there are.
#[derive(Debug, Default)]
pub struct Suspects(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    last: HashMap<String, Instant>,
    /// When there were too many to be told apart: then everybody is one.
    crowded: Option<Instant>,
}

impl Suspects {
    fn note(&self, address: IpAddr) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.last.len() >= MOST_SUSPECTS {
            seen.last.retain(|_, last| is_recent(*last));
        }
        if seen.last.len() >= MOST_SUSPECTS {
            seen.last.clear();
            seen.crowded = Some(Instant::now());
        }
        let network = throttle::network(address);
        seen.last.insert(network, Instant::now());
    }

    fn has(&self, address: IpAddr) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = seen.last.get(&throttle::network(address));
        last.is_some_and(|last| is_recent(*last)) || seen.crowded.is_some_and(is_recent)
    }
}

fn is_recent(moment: Instant) -> bool {
    moment.elapsed() < SUSPECTED
}

impl Admin {
    /// Lets a request pass that shows what is asked for, by HTTP Basic, from this address.
    ///
    /// # Errors
    /// [`ServiceError::Unauthorized`]; [`ServiceError::TooMany`] where too many attempts from that address failed, on
    /// whichever replica; what the store says where it has to be asked.
    pub async fn admit(&self, shown: &Shown, address: Option<IpAddr>) -> Result<(), ServiceError> {
        let suspected = address.is_some_and(|address| self.office.suspects.has(address));
        if !suspected && self.lock.is_opened_by(shown) {
            return Ok(());
        }
        self.attempt(shown, address).await
    }

    /// The same, counted whatever is shown; but showing nothing is no attempt. It counts as failed until it has succeeded,
    /// so that many at once are no more than one after the other.
    pub(super) async fn attempt(
        &self,
        shown: &Shown,
        address: Option<IpAddr>,
    ) -> Result<(), ServiceError> {
        if shown.0.is_none() {
            return Err(ServiceError::Unauthorized(
                "the administration asks for a user name and a password (HTTP Basic)",
            ));
        }
        let opened = self.lock.is_opened_by(shown);
        let attempt = self.count(opened, address).await?;
        if !opened {
            let client = address.map(|address| address.to_string());
            warn!(client, "somebody could not sign in");
            return Err(ServiceError::Unauthorized(
                "the user name and password are not those of the administration",
            ));
        }
        if let Some(attempt) = attempt {
            attempt.succeeded(&*self.store).await;
        }
        Ok(())
    }

    async fn count(
        &self,
        opened: bool,
        address: Option<IpAddr>,
    ) -> Result<Option<Attempt>, ServiceError> {
        let Some(address) = address else {
            return Ok(None);
        };
        if !opened {
            self.office.suspects.note(address);
        }
        let tally = Tally::FailedSignIns(throttle::network(address));
        let (most, window) = FAILURES;
        let message = || format!("too many attempts to sign in from {address} failed");
        let attempt = Attempt::begin(&*self.store, tally, most, window, message);
        attempt.await.map(Some)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn only_who_was_wrong_is_a_suspect_unless_there_are_too_many() {
        let suspects = Suspects::default();
        let address = |n: u32| IpAddr::from(Ipv4Addr::from(n));
        suspects.note(address(0));
        assert!(suspects.has(address(0)));
        assert!(!suspects.has(address(1)));
        for n in 0..=u32::try_from(MOST_SUSPECTS).unwrap() {
            suspects.note(address(n));
        }
        assert!(suspects.has(address(u32::MAX)), "everybody is one");
        let kept = suspects.0.lock().unwrap().last.len();
        assert!(kept <= MOST_SUSPECTS, "{kept}");
    }
}
