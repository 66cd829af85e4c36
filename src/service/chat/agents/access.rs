//! The credentials of agents.
//!
//! The verification of a password takes tens of milliseconds and 19 MiB of memory, so it runs on another thread, a few at
//! a time, and its success is remembered for some minutes.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio::{sync::Semaphore, task, time};
use tracing::warn;

use super::verified_passwords::VerifiedPasswords;
use crate::{
    password_hash::PasswordHash,
    service::ServiceError,
    settings::{self, Agent},
};

/// The maximum number of concurrent verifications, and of those that wait.
const MAX_VERIFICATIONS: usize = 2;
const MAX_WAITING: usize = 64;
/// The maximum time to wait for a verification.
const VERIFICATION_TIMEOUT: Duration = Duration::from_secs(5);

/// The configured agents.
pub(super) struct AgentAccess {
    users: HashMap<String, PasswordHash>,
    /// Verified for names without a password, so that the duration does not reveal which names exist.
    decoy: Option<PasswordHash>,
    api_keys: Vec<Agent<SecretString>>,
    verified: Arc<VerifiedPasswords>,
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl AgentAccess {
    /// `None` if no agents are configured.
    pub(super) fn new(settings: &settings::Agents) -> Option<Self> {
        if !settings.are_configured() {
            return None;
        }
        let users = settings.users.iter().cloned();
        Some(Self {
            decoy: settings.users.first().map(|user| user.credential.clone()),
            users: users.map(|user| (user.name, user.credential)).collect(),
            api_keys: settings.api_keys.clone(),
            verified: Arc::new(VerifiedPasswords::new()?),
            permits: Arc::new(Semaphore::new(MAX_VERIFICATIONS)),
            waiting: AtomicUsize::new(0),
        })
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

    /// Whether a password is that of an agent.
    pub(super) async fn verify(
        &self,
        name: &str,
        password: &SecretString,
    ) -> Result<bool, ServiceError> {
        let Some(digest) = self.verified.digest(name, password.expose_secret()) else {
            return Ok(false);
        };
        let user = self.users.get(name);
        if user.is_some() && self.verified.contains(&digest) {
            return Ok(true);
        }
        let Some(hash) = user.or(self.decoy.as_ref()) else {
            return Ok(false);
        };
        let is_valid = self.verify_hash(hash.clone(), password.clone()).await? && user.is_some();
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
    ) -> Result<bool, ServiceError> {
        let busy = ServiceError::TooManyVerifications;
        let waiting = WaitingGuard::new(&self.waiting);
        if waiting.count > MAX_WAITING {
            return Err(busy);
        }
        let permit = Arc::clone(&self.permits).acquire_owned();
        let Ok(Ok(permit)) = time::timeout(VERIFICATION_TIMEOUT, permit).await else {
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

/// Counts a verification that waits or runs.
struct WaitingGuard<'a> {
    waiting: &'a AtomicUsize,
    count: usize,
}

impl<'a> WaitingGuard<'a> {
    fn new(waiting: &'a AtomicUsize) -> Self {
        let count = waiting.fetch_add(1, Relaxed) + 1;
        Self { waiting, count }
    }
}

impl Drop for WaitingGuard<'_> {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Relaxed);
    }
}
