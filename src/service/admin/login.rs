//! Authentication of operators.
//!
//! The sign-in form of the console and HTTP Basic check the same credentials; the form accepts those of agents too.
//! Failed attempts of both count for the client address
//! ([`FailedCredentials`](crate::service::FailedCredentials)).

use std::net::IpAddr;

use tracing::warn;

use super::{Admin, sessions::SessionRole};
use crate::service::{AgentCredentials, BasicCredentials, ServiceError};

impl Admin {
    /// Authenticates a request by HTTP Basic.
    ///
    /// # Errors
    /// [`ServiceError::Unauthorized`]; [`ServiceError::RateLimited`] after too many failed attempts from the address on
    /// any replica; errors of the store.
    pub async fn authorize(
        &self,
        credentials: &BasicCredentials,
        address: Option<IpAddr>,
    ) -> Result<(), ServiceError> {
        let is_valid = self.check_credentials(credentials)?;
        let failed = &self.context.failed_credentials;
        let checked = failed.check(&*self.store, address, is_valid, wrong_credentials());
        log_failed_sign_in(checked.await, address)
    }

    /// Authenticates an administrator like [`Admin::authorize`], but every attempt counts, or else an agent. Missing
    /// credentials are no attempt.
    pub(super) async fn authorize_sign_in(
        &self,
        credentials: &BasicCredentials,
        address: Option<IpAddr>,
    ) -> Result<SessionRole, ServiceError> {
        let is_valid = self.check_credentials(credentials)?;
        let agents = self.agents.as_ref();
        if let (false, Some(agents), Some((name, password))) = (
            is_valid,
            agents.filter(|agents| agents.have_passwords()),
            &credentials.0,
        ) {
            let credentials = AgentCredentials::Password(name.clone(), password.clone());
            agents.authorize(credentials, address).await?;
            return Ok(SessionRole::Agent);
        }
        let failed = &self.context.failed_credentials;
        let checked = failed.check_counted(&*self.store, address, is_valid, wrong_credentials());
        log_failed_sign_in(checked.await, address)?;
        Ok(SessionRole::Administrator)
    }

    fn check_credentials(&self, credentials: &BasicCredentials) -> Result<bool, ServiceError> {
        if credentials.0.is_none() {
            return Err(ServiceError::Unauthorized(
                "the admin API requires a user name and a password (HTTP Basic)",
            ));
        }
        Ok(self.credentials.matches(credentials))
    }
}

fn wrong_credentials() -> ServiceError {
    ServiceError::Unauthorized("wrong user name or password for the admin API")
}

fn log_failed_sign_in(
    checked: Result<(), ServiceError>,
    address: Option<IpAddr>,
) -> Result<(), ServiceError> {
    if let Err(ServiceError::Unauthorized(_)) = checked {
        let client = address.map(|address| address.to_string());
        warn!(client, "sign-in failed");
    }
    checked
}
