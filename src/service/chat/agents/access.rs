//! The credentials of agents.
//!
//! The verification of a password takes tens of milliseconds and 19 MiB of memory, so it runs on another thread, a few at
//! a time, and its success is remembered for some minutes.

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

use ring::error::Unspecified;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio::{sync::Semaphore, task, time};
use tracing::warn;

use super::{pending_verifications::PendingVerifications, verified_passwords::VerifiedPasswords};
use crate::{
    password_hash::PasswordHash,
    service::{ServiceError, rate_limit::client_network},
    settings::{self, Agent},
};

/// The maximum number of concurrent verifications.
const MAX_VERIFICATIONS: usize = 2;
/// The maximum time to wait for a verification.
const VERIFICATION_TIMEOUT: Duration = Duration::from_secs(5);

/// The configured agents.
pub(super) struct AgentAccess {
    users: HashMap<String, PasswordHash>,
    /// Verified for names without a password, so that the duration does not reveal which names exist.
    decoy: Option<PasswordHash>,
    api_keys: Vec<Agent<SecretString>>,
    verified: Arc<VerifiedPasswords>,
    pending: PendingVerifications,
    permits: Arc<Semaphore>,
}

impl AgentAccess {
    /// `None` if no agents are configured.
    ///
    /// # Errors
    /// [`Unspecified`] if the random generator of the operating system fails.
    pub(super) fn new(settings: &settings::Agents) -> Result<Option<Self>, Unspecified> {
        if !settings.are_configured() {
            return Ok(None);
        }
        let users = settings.users.iter().cloned();
        Ok(Some(Self {
            decoy: settings.users.first().map(|user| user.credential.clone()),
            users: users.map(|user| (user.name, user.credential)).collect(),
            api_keys: settings.api_keys.clone(),
            verified: Arc::new(VerifiedPasswords::new()?),
            pending: PendingVerifications::default(),
            permits: Arc::new(Semaphore::new(MAX_VERIFICATIONS)),
        }))
    }

    /// Whether any agent has a password.
    pub(super) fn has_passwords(&self) -> bool {
        !self.users.is_empty()
    }

    /// The hash of the password of an agent.
    pub(super) fn password_hash(&self, name: &str) -> Option<&PasswordHash> {
        self.users.get(name)
    }

    /// The name of the agent with this API key. The keys are compared in constant time.
    pub(super) fn name_of_key(&self, key: &[u8]) -> Option<&str> {
        let mut name = None;
        for agent in &self.api_keys {
            let is_equal = agent.credential.expose_secret().as_bytes().ct_eq(key);
            if bool::from(is_equal) {
                name = Some(agent.name.as_str());
            }
        }
        name
    }

    /// Whether a password is that of an agent. Concurrent requests with the same credentials share one verification.
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
    use crate::settings::Agents;

    fn access() -> AgentAccess {
        let user = Agent {
            name: "ann".to_owned(),
            credential: PasswordHash::create("right").unwrap(),
        };
        let settings = Agents {
            users: vec![user],
            ..Agents::default()
        };
        AgentAccess::new(&settings).unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_burst_of_guesses_from_one_address_does_not_fill_the_queue() {
        let access = access();
        let address = |last| Some(IpAddr::from([192, 0, 2, last]));
        let guesses = (0..20).map(|n| SecretString::from(format!("guess {n}")));
        let guesses: Vec<SecretString> = guesses.collect();
        let burst = guesses
            .iter()
            .map(|guess| access.verify("ann", guess, address(1)));
        let right = SecretString::from("right");
        // More requests than the limit of an address, which all wait for the same verification.
        let others = (0..20).map(|_| access.verify("ann", &right, address(2)));
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
