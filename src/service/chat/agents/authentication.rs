//! Authentication of agents: a user name with a password (HTTP Basic), or the API key of a program.
//!
//! Failed attempts count for the client address like those of all other credentials. An address with too many of them
//! causes no verification of passwords.

use std::net::IpAddr;

use secrecy::SecretString;

use super::Agents;
use crate::{
    password_hash::PasswordHash,
    service::{ServiceError, failed_credentials::log_failed_sign_in},
};

/// The credentials of a request of an agent.
#[derive(Debug)]
pub enum AgentCredentials {
    /// A user name and a password.
    Password(String, SecretString),
    /// An API key.
    ApiKey(Vec<u8>),
    /// None.
    Missing,
}

impl Agents {
    /// Authenticates a request, and returns the name of the agent.
    ///
    /// # Errors
    /// [`ServiceError::Unauthorized`]; [`ServiceError::RateLimited`] after too many failed attempts from the address;
    /// [`ServiceError::TooManyVerifications`]; errors of the store.
    pub async fn authorize(
        &self,
        credentials: AgentCredentials,
        address: Option<IpAddr>,
    ) -> Result<String, ServiceError> {
        let failed = &self.context.failed_credentials;
        let access = self.context.access.as_ref();
        let access = access.ok_or(ServiceError::Unauthorized("no agents are configured"))?;
        match credentials {
            AgentCredentials::Missing => Err(ServiceError::Unauthorized(
                "the API for agents requires a user name and a password (HTTP Basic), or an API key",
            )),
            AgentCredentials::ApiKey(key) => {
                let name = access.name_of_key(&key);
                let wrong = ServiceError::Unauthorized("there is no such API key of an agent");
                let checked = failed.check(&*self.store, address, name.is_some(), wrong);
                log_failed_sign_in(checked.await, address, "sign-in of an agent failed")?;
                Ok(name.unwrap_or_default().to_owned())
            }
            AgentCredentials::Password(name, password) => {
                let wrong = ServiceError::Unauthorized("wrong user name or password of an agent");
                let credentials = (name.as_str(), &password);
                let checked =
                    access
                        .passwords
                        .check(credentials, address, failed, &*self.store, wrong);
                log_failed_sign_in(checked.await, address, "sign-in of an agent failed")?;
                Ok(name)
            }
        }
    }

    /// Whether any agent has a password.
    #[must_use]
    pub fn have_passwords(&self) -> bool {
        let access = self.context.access.as_ref();
        access.is_some_and(|access| !access.passwords.is_empty())
    }

    /// The hash of the password of an agent; `None` if it has none.
    #[must_use]
    pub fn password_hash(&self, name: &str) -> Option<&PasswordHash> {
        self.context.access.as_ref()?.passwords.password_hash(name)
    }
}
