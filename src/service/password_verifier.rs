//! Verification of passwords against their hashes.
//!
//! A verification takes tens of milliseconds and 19 MiB of memory, so it runs on another thread, a few at a time, and its
//! success is remembered for some minutes. Agents and operators have a verifier each, so a burst of one kind of sign-in
//! does not delay the other.

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

use ring::error::Unspecified;
use secrecy::{ExposeSecret, SecretString};
use tokio::{sync::Semaphore, task, time};
use tracing::warn;

use self::{pending_verifications::PendingVerifications, verified_passwords::VerifiedPasswords};
use super::{ServiceError, rate_limit::client_network};
use crate::password_hash::PasswordHash;

mod pending_verifications;
mod verified_passwords;

/// The maximum number of concurrent verifications.
const MAX_VERIFICATIONS: usize = 2;
/// The maximum time to wait for a verification.
const VERIFICATION_TIMEOUT: Duration = Duration::from_secs(5);

/// Users with the hashes of their passwords.
pub(super) struct PasswordVerifier {
    users: HashMap<String, PasswordHash>,
    /// Verified for other names, so that the duration does not reveal which names exist.
    decoy: Option<PasswordHash>,
    verified: VerifiedPasswords,
    pending: PendingVerifications,
    permits: Arc<Semaphore>,
}

impl PasswordVerifier {
    /// # Errors
    /// [`Unspecified`] if the random generator of the operating system fails.
    pub(super) fn new(
        users: impl Iterator<Item = (String, PasswordHash)>,
    ) -> Result<Self, Unspecified> {
        let users: HashMap<String, PasswordHash> = users.collect();
        Ok(Self {
            decoy: users.values().next().cloned(),
            users,
            verified: VerifiedPasswords::new()?,
            pending: PendingVerifications::default(),
            permits: Arc::new(Semaphore::new(MAX_VERIFICATIONS)),
        })
    }

    /// Whether there are no users.
    pub(super) fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// The hash of the password of a user; `None` if there is no such user.
    pub(super) fn password_hash(&self, name: &str) -> Option<&PasswordHash> {
        self.users.get(name)
    }

    /// Whether a password is that of a user. Concurrent requests with the same credentials share one verification.
    ///
    /// # Errors
    /// [`ServiceError::TooManyVerifications`].
    pub(super) async fn verify(
        &self,
        name: &str,
        password: &SecretString,
        address: Option<IpAddr>,
    ) -> Result<bool, ServiceError> {
        let Some(digest) = self.verified.digest(name, password.expose_secret()) else {
            return Ok(false);
        };
        let user = self.users.get(name);
        if user.is_some() && self.verified.is_known(&digest) {
            return Ok(true);
        }
        let Some(hash) = user.or(self.decoy.as_ref()) else {
            return Ok(false);
        };
        let shared = self.pending.share(digest);
        let verify = || self.verify_hash(hash.clone(), password.clone(), address);
        let verified = shared.result.get_or_try_init(verify);
        let verified = time::timeout(VERIFICATION_TIMEOUT, verified).await;
        let verified = verified.map_err(|_elapsed| ServiceError::TooManyVerifications)?;
        let is_valid = *verified? && user.is_some();
        if is_valid {
            self.verified.insert(digest);
        }
        Ok(is_valid)
    }

    /// Verifies a password on another thread. A verification that has begun is completed.
    async fn verify_hash(
        &self,
        hash: PasswordHash,
        password: SecretString,
        address: Option<IpAddr>,
    ) -> Result<bool, ServiceError> {
        let busy = ServiceError::TooManyVerifications;
        let network = address.map(client_network).unwrap_or_default();
        let Some(_pending) = self.pending.begin(network) else {
            return Err(busy);
        };
        let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await else {
            return Err(busy);
        };
        let verification = task::spawn_blocking(move || {
            let _permit = permit;
            hash.verify(password.expose_secret())
        });
        verification.await.map_err(|error| {
            warn!(%error, "password verification failed");
            busy
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_burst_of_guesses_from_one_address_does_not_fill_the_queue() {
        let hash = PasswordHash::create("right").unwrap();
        let verifier = PasswordVerifier::new([("ann".to_owned(), hash)].into_iter()).unwrap();
        let address = |last| Some(IpAddr::from([192, 0, 2, last]));
        let guesses = (0..20).map(|n| SecretString::from(format!("guess {n}")));
        let guesses: Vec<SecretString> = guesses.collect();
        let burst = guesses
            .iter()
            .map(|guess| verifier.verify("ann", guess, address(1)));
        let right = SecretString::from("right");
        // More requests than the limit of an address, which all wait for the same verification.
        let others = (0..20).map(|_| verifier.verify("ann", &right, address(2)));
        let (burst, others) = tokio::join!(
            futures_util::future::join_all(burst),
            futures_util::future::join_all(others)
        );
        let rejected = burst
            .iter()
            .filter(|guess| matches!(guess, Err(ServiceError::TooManyVerifications)));
        assert_eq!(rejected.count(), 16);
        assert!(others.iter().all(|other| matches!(other, Ok(true))));
    }
}
