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
use super::{FailedCredentials, ServiceError, rate_limit::client_network};
use crate::{password_hash::PasswordHash, store::RateLimitStore};

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

    /// Checks the password of a user. Concurrent requests with the same credentials share one verification, which counts
    /// as a failed attempt from `address` until it succeeds. Passwords that were verified some minutes ago are not
    /// counted. `wrong` is the result of a wrong password.
    ///
    /// # Errors
    /// `wrong`; [`ServiceError::TooManyVerifications`]; as [`FailedCredentials::check`].
    pub(super) async fn check(
        &self,
        (name, password): (&str, &SecretString),
        address: Option<IpAddr>,
        failed: &FailedCredentials,
        store: &dyn RateLimitStore,
        wrong: ServiceError,
    ) -> Result<(), ServiceError> {
        let user = self.users.get(name);
        let digest = self.verified.digest(name, password.expose_secret());
        let (Some(digest), Some(hash)) = (digest, user.or(self.decoy.as_ref())) else {
            return failed.check(store, address, false, wrong).await;
        };
        if user.is_some() && self.verified.is_known(&digest) {
            return failed.check(store, address, true, wrong).await;
        }
        let shared = self.pending.share(digest);
        let verify = async || {
            let attempt = failed.begin(store, address).await?;
            let verified = self.verify_hash(hash.clone(), password.clone(), address);
            let is_valid = verified.await? && user.is_some();
            if is_valid {
                failed.succeed(store, attempt).await;
            }
            Ok::<bool, ServiceError>(is_valid)
        };
        let verified = shared.result.get_or_try_init(verify);
        let verified = time::timeout(VERIFICATION_TIMEOUT, verified).await;
        let verified = verified.map_err(|_elapsed| ServiceError::TooManyVerifications)?;
        if !*verified? {
            return Err(wrong);
        }
        self.verified.insert(digest);
        Ok(())
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
    use argon2::{Argon2, Params, PasswordHasher};
    use futures_util::FutureExt;

    use super::*;
    use crate::{settings::RateLimit, store::memory::MemoryStore};

    #[tokio::test]
    async fn an_attempt_counts_until_it_succeeds() {
        let hash = PasswordHash::create("right").unwrap();
        let verifier = PasswordVerifier::new([("ann".to_owned(), hash)].into_iter()).unwrap();
        let failed = FailedCredentials::new(&RateLimit {
            window: Duration::from_secs(60),
            failed_credentials_per_address: 10,
            ..RateLimit::default()
        });
        let store = MemoryStore::new(1 << 20, 10);
        let wrong = || ServiceError::Unauthorized("wrong");
        let [right, other] = ["right", "other"].map(SecretString::from);
        let check = |address: u8, guess| {
            let address = Some(IpAddr::from([192, 0, 2, address]));
            verifier.check(("ann", guess), address, &failed, &store, wrong())
        };
        // Valid credentials are refunded, those of a client that does not wait are not.
        for _ in 0..11 {
            check(1, &right).await.unwrap();
        }
        for _ in 0..10 {
            assert!(check(2, &other).now_or_never().is_none());
        }
        let result = check(2, &right).await;
        assert!(
            matches!(result, Err(ServiceError::RateLimited { .. })),
            "{result:?}"
        );
        check(1, &right).await.unwrap();
    }

    #[tokio::test]
    async fn a_burst_of_guesses_from_one_address_does_not_fill_the_queue() {
        // A tenth of the default cost: no verification times out on a busy machine, and none ends at once.
        let hasher = Argon2::from(Params::new(4096, 1, 1, None).unwrap());
        let hash = hasher.hash_password_with_salt(b"right", b"salt of tests");
        let hash = PasswordHash::parse(&hash.unwrap().to_string()).unwrap();
        let verifier = PasswordVerifier::new([("ann".to_owned(), hash)].into_iter()).unwrap();
        let address = |last| Some(IpAddr::from([192, 0, 2, last]));
        let guesses = (0..20).map(|n| SecretString::from(format!("guess {n}")));
        let guesses: Vec<SecretString> = guesses.collect();
        let failed = FailedCredentials::new(&RateLimit {
            failed_credentials_per_address: 0,
            ..RateLimit::default()
        });
        let store = MemoryStore::new(1 << 20, 10);
        let wrong = || ServiceError::Unauthorized("wrong");
        let check =
            |guess, address| verifier.check(("ann", guess), address, &failed, &store, wrong());
        let burst = guesses.iter().map(|guess| check(guess, address(1)));
        let right = SecretString::from("right");
        // More requests than the limit of an address, which all wait for the same verification.
        let others = (0..20).map(|_| check(&right, address(2)));
        let (burst, others) = tokio::join!(
            futures_util::future::join_all(burst),
            futures_util::future::join_all(others)
        );
        let rejected = burst
            .iter()
            .filter(|guess| matches!(guess, Err(ServiceError::TooManyVerifications)));
        assert_eq!(rejected.count(), 16);
        assert!(others.iter().all(Result::is_ok));
    }
}
