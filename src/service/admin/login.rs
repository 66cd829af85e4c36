//! Who may administrate.
//!
//! Signing in on the pages and HTTP Basic are two ways to show the same credentials: wrong ones count as failed either
//! way, in the count of wrong credentials of their client address
//! ([`FailedCredentials`](crate::service::FailedCredentials)).

use std::net::IpAddr;

use tracing::warn;

use super::Admin;
use crate::service::{BasicCredentials, ServiceError};

impl Admin {
    /// Lets a request pass that shows what is asked for, by HTTP Basic, from this address.
    ///
    /// # Errors
    /// [`ServiceError::Unauthorized`]; [`ServiceError::TooMany`] where too many attempts from that address failed, on
    /// whichever replica; what the store says where it has to be asked.
    pub async fn authorize(
        &self,
        shown: &BasicCredentials,
        address: Option<IpAddr>,
    ) -> Result<(), ServiceError> {
        let is_right = self.check_credentials(shown)?;
        let failed = &self.context.failed_credentials;
        let checked = failed.check(&*self.store, address, is_right, wrong_credentials());
        log_failed_sign_in(checked.await, address)
    }

    /// The same, counted whatever is shown; but showing nothing is no attempt.
    pub(super) async fn authorize_sign_in(
        &self,
        shown: &BasicCredentials,
        address: Option<IpAddr>,
    ) -> Result<(), ServiceError> {
        let is_right = self.check_credentials(shown)?;
        let failed = &self.context.failed_credentials;
        let checked = failed.check_counted(&*self.store, address, is_right, wrong_credentials());
        log_failed_sign_in(checked.await, address)
    }

    fn check_credentials(&self, shown: &BasicCredentials) -> Result<bool, ServiceError> {
        if shown.0.is_none() {
            return Err(ServiceError::Unauthorized(
                "the administration asks for a user name and a password (HTTP Basic)",
            ));
        }
        Ok(self.credentials.matches(shown))
    }
}

fn wrong_credentials() -> ServiceError {
    ServiceError::Unauthorized("the user name and password are not those of the administration")
}

fn log_failed_sign_in(
    checked: Result<(), ServiceError>,
    address: Option<IpAddr>,
) -> Result<(), ServiceError> {
    if let Err(ServiceError::Unauthorized(_)) = checked {
        let client = address.map(|address| address.to_string());
        warn!(client, "somebody could not sign in");
    }
    checked
}
