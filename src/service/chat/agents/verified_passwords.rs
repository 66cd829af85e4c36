//! Passwords that were verified recently, so that requests with HTTP Basic do not cost a verification each.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use ring::{hmac, rand::SystemRandom};

/// The time for which a verification counts.
const TTL: Duration = Duration::from_secs(300);
/// The maximum number of entries.
const MAX_ENTRIES: usize = 1_000;

/// Identifies a name with its password: an HMAC with a random key of this process. Passwords are not in memory.
pub(super) type Digest = [u8; 32];

/// The digests of credentials that were verified recently.
pub(super) struct VerifiedPasswords {
    key: hmac::Key,
    expirations: Mutex<HashMap<Digest, Instant>>,
}

impl VerifiedPasswords {
    /// `None` if the system has no randomness.
    pub(super) fn new() -> Option<Self> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        Some(Self {
            key: key.ok()?,
            expirations: Mutex::default(),
        })
    }

    /// The digest of a name, which contains no colon, and a password.
    pub(super) fn digest(&self, name: &str, password: &str) -> Option<Digest> {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [name, ":", password] {
            context.update(part.as_bytes());
        }
        context.sign().as_ref().try_into().ok()
    }

    pub(super) fn contains(&self, digest: &Digest) -> bool {
        let expirations = self.lock();
        let expires = expirations.get(digest);
        expires.is_some_and(|expires| *expires > Instant::now())
    }

    pub(super) fn insert(&self, digest: Digest) {
        let now = Instant::now();
        let mut expirations = self.lock();
        if expirations.len() >= MAX_ENTRIES {
            expirations.retain(|_, expires| *expires > now);
        }
        if expirations.len() >= MAX_ENTRIES {
            expirations.clear();
        }
        expirations.insert(digest, now + TTL);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Instant>> {
        self.expirations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_name_and_password_in_the_same_process_are_known() {
        let verified = VerifiedPasswords::new().unwrap();
        let digest = verified.digest("ann", "a:b").unwrap();
        assert!(!verified.contains(&digest));
        verified.insert(digest);
        assert!(verified.contains(&digest));
        for (name, password) in [("ann", "a:c"), ("ann:a", "b"), ("Ann", "a:b"), ("ann", "")] {
            let other = verified.digest(name, password).unwrap();
            assert_eq!(
                verified.contains(&other),
                (name, password) == ("ann:a", "b")
            );
        }
        let restarted = VerifiedPasswords::new().unwrap();
        assert_ne!(restarted.digest("ann", "a:b"), Some(digest));
    }

    #[test]
    fn the_number_of_entries_is_bounded() {
        let verified = VerifiedPasswords::new().unwrap();
        for index in 0..=MAX_ENTRIES {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&(index as u64).to_le_bytes());
            verified.insert(digest);
        }
        assert_eq!(verified.lock().len(), 1);
    }
}
