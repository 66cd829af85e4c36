//! Passwords that were verified recently, so that requests with HTTP Basic do not cost a verification each.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use ring::{error::Unspecified, hmac, rand::SystemRandom};

/// The time for which a verification counts after the last request, and at most.
const TTL: Duration = Duration::from_secs(300);
const MAX_TTL: Duration = Duration::from_secs(3_600);
/// The maximum number of entries.
const MAX_ENTRIES: usize = 1_000;

/// Identifies a name with its password: an HMAC with a random key of this process. Passwords are not in memory.
pub(super) type Digest = [u8; 32];

/// The digests of credentials that were verified recently.
pub(super) struct VerifiedPasswords {
    key: hmac::Key,
    entries: Mutex<HashMap<Digest, Entry>>,
}

struct Entry {
    verified: Instant,
    used: Instant,
}

impl Entry {
    fn is_valid_at(&self, now: Instant) -> bool {
        now < self.used + TTL && now < self.verified + MAX_TTL
    }
}

impl VerifiedPasswords {
    /// # Errors
    /// [`Unspecified`] if the random generator of the operating system fails.
    pub(super) fn new() -> Result<Self, Unspecified> {
        Ok(Self {
            key: hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())?,
            entries: Mutex::default(),
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

    /// Whether these credentials were verified recently. Each use extends the time.
    pub(super) fn is_known(&self, digest: &Digest) -> bool {
        self.is_known_at(digest, Instant::now())
    }

    fn is_known_at(&self, digest: &Digest, now: Instant) -> bool {
        let mut entries = self.lock();
        let entry = entries.get_mut(digest);
        entry.is_some_and(|entry| {
            let is_valid = entry.is_valid_at(now);
            if is_valid {
                entry.used = now;
            }
            is_valid
        })
    }

    pub(super) fn insert(&self, digest: Digest) {
        let now = Instant::now();
        let mut entries = self.lock();
        if entries.len() >= MAX_ENTRIES {
            entries.retain(|_, entry| entry.is_valid_at(now));
        }
        if entries.len() >= MAX_ENTRIES {
            entries.clear();
        }
        let entry = Entry {
            verified: now,
            used: now,
        };
        entries.insert(digest, entry);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_name_and_password_in_the_same_process_are_known() {
        let verified = VerifiedPasswords::new().unwrap();
        let digest = verified.digest("ann", "a:b").unwrap();
        assert!(!verified.is_known(&digest));
        verified.insert(digest);
        assert!(verified.is_known(&digest));
        for (name, password) in [("ann", "a:c"), ("ann:a", "b"), ("Ann", "a:b"), ("ann", "")] {
            let other = verified.digest(name, password).unwrap();
            assert_eq!(
                verified.is_known(&other),
                (name, password) == ("ann:a", "b")
            );
        }
        let restarted = VerifiedPasswords::new().unwrap();
        assert_ne!(restarted.digest("ann", "a:b"), Some(digest));
    }

    #[test]
    fn use_extends_the_time_up_to_the_maximum() {
        let verified = VerifiedPasswords::new().unwrap();
        verified.insert([1; 32]);
        let start = verified.lock()[&[1; 32]].verified;
        let step = TTL * 9 / 10;
        let mut now = start;
        while now + step < start + MAX_TTL {
            now += step;
            assert!(verified.is_known_at(&[1; 32], now));
        }
        assert!(!verified.is_known_at(&[1; 32], start + MAX_TTL));
        verified.insert([2; 32]);
        assert!(!verified.is_known_at(&[2; 32], Instant::now() + TTL));
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
