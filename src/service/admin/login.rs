//! Authentication of operators.
//!
//! The sign-in form of the console and HTTP Basic check the same credentials: the admin password, which has the role
//! admin, and the passwords of operators. The form accepts those of agents too. Failed attempts of both count for the
//! client address ([`FailedCredentials`](crate::service::FailedCredentials)).

use std::net::IpAddr;

use secrecy::SecretString;

use super::Admin;
use crate::{
    model::Role,
    service::{
        AgentCredentials, BasicCredentials, ServiceError, failed_credentials::log_failed_sign_in,
    },
};

impl Admin {
    /// Authenticates a request by HTTP Basic. Returns the role of the user.
    ///
    /// # Errors
    /// [`ServiceError::Unauthorized`]; [`ServiceError::RateLimited`] after too many failed attempts from the address on
    /// any replica; [`ServiceError::TooManyVerifications`]; errors of the store.
    pub async fn authorize(
        &self,
        credentials: &BasicCredentials,
        address: Option<IpAddr>,
    ) -> Result<Role, ServiceError> {
        let (name, password) = require_credentials(credentials)?;
        let is_admin = self.is_admin_password(credentials);
        if !is_admin && !self.context.operators.is_empty() {
            return self.verify_operator(name, password, address).await;
        }
        let failed = &self.context.failed_credentials;
        let checked = failed.check(&*self.store, address, is_admin, wrong_credentials());
        log_failed_sign_in(checked.await, address, "sign-in failed")?;
        Ok(Role::Admin)
    }

    /// Authenticates a user like [`Admin::authorize`], but every attempt with the admin password counts, or else an
    /// agent. Missing credentials are no attempt.
    pub(super) async fn authorize_sign_in(
        &self,
        credentials: &BasicCredentials,
        address: Option<IpAddr>,
    ) -> Result<Role, ServiceError> {
        let (name, password) = require_credentials(credentials)?;
        let is_admin = self.is_admin_password(credentials);
        let operators = &self.context.operators;
        let agents = self.agents.as_ref();
        let agents = agents.filter(|agents| agents.have_passwords());
        match agents {
            _ if is_admin => {}
            Some(agents) if operators.role(name).is_none() => {
                let credentials = AgentCredentials::Password(name.clone(), password.clone());
                agents.authorize(credentials, address).await?;
                return Ok(Role::Agent);
            }
            _ if operators.is_empty() => {}
            _ => return self.verify_operator(name, password, address).await,
        }
        let failed = &self.context.failed_credentials;
        let checked = failed.check_counted(&*self.store, address, is_admin, wrong_credentials());
        log_failed_sign_in(checked.await, address, "sign-in failed")?;
        Ok(Role::Admin)
    }

    async fn verify_operator(
        &self,
        name: &str,
        password: &SecretString,
        address: Option<IpAddr>,
    ) -> Result<Role, ServiceError> {
        let operators = &self.context.operators;
        let failed = &self.context.failed_credentials;
        let credentials = (name, password);
        let checked = operators.passwords.check(
            credentials,
            address,
            failed,
            &*self.store,
            wrong_credentials(),
        );
        log_failed_sign_in(checked.await, address, "sign-in failed")?;
        operators.role(name).ok_or_else(wrong_credentials)
    }

    /// Whether these are the user name and the password of `[admin]`.
    fn is_admin_password(&self, credentials: &BasicCredentials) -> bool {
        let required = self.credentials.as_ref();
        required.is_some_and(|required| required.matches(credentials))
    }
}

fn require_credentials(
    credentials: &BasicCredentials,
) -> Result<&(String, SecretString), ServiceError> {
    credentials.0.as_ref().ok_or(ServiceError::Unauthorized(
        "the admin API requires a user name and a password (HTTP Basic)",
    ))
}

fn wrong_credentials() -> ServiceError {
    ServiceError::Unauthorized("wrong user name or password for the admin API")
}
