//! Sign-in to the console by single sign-on.

use std::net::IpAddr;

use secrecy::SecretString;
use tracing::{info, warn};

use super::{Admin, sessions::StoredRole};
use crate::{
    model::{RateLimitKey, Role, Timestamp},
    service::{
        Agents, BegunSignIn, ServiceError, SignInCallback, SingleSignOn, SingleSignOnError,
        single_sign_on::{PENDING_TTL, VerifiedCallback},
    },
};

/// A user who has signed in by single sign-on.
pub struct SingleSignOnSession {
    /// The token of the session.
    pub token: SecretString,
    /// The role.
    pub role: Role,
    /// The page that the user requested before the sign-in; may be empty.
    pub target: String,
}

impl Admin {
    /// Single sign-on; `None` if it is disabled.
    #[must_use]
    pub fn single_sign_on(&self) -> Option<&SingleSignOn> {
        self.context.single_sign_on.as_ref()
    }

    /// Whether any user can sign in with a password.
    #[must_use]
    pub fn has_passwords(&self) -> bool {
        let has_agents = self.agents.as_ref().is_some_and(Agents::have_passwords);
        self.credentials.is_some() || !self.context.operators.is_empty() || has_agents
    }

    /// Begins a sign-in at the identity provider, after which the browser is to request `target`.
    ///
    /// # Errors
    /// [`SingleSignOnError::Unavailable`], [`SingleSignOnError::InvalidResponse`]; errors of the store.
    pub async fn begin_single_sign_on(
        &self,
        single_sign_on: &SingleSignOn,
        target: &str,
    ) -> Result<BegunSignIn, SingleSignOnError> {
        let now = self.store.now().map_err(ServiceError::from)?;
        let begun = single_sign_on.begin(target, now).await;
        if let Err(error) = &begun {
            warn!(reason = %error, "single sign-on unavailable");
        }
        begun
    }

    /// The URL at which the identity provider ends the session of the browser.
    ///
    /// # Errors
    /// As [`Admin::begin_single_sign_on`]; [`SingleSignOnError::NoSignOut`].
    pub async fn provider_sign_out_url(
        &self,
        single_sign_on: &SingleSignOn,
    ) -> Result<String, SingleSignOnError> {
        let url = single_sign_on.sign_out_url().await;
        if let Err(error) = &url {
            warn!(reason = %error, "sign-out at the identity provider unavailable");
        }
        url
    }

    /// Completes the pending sign-in of a browser, which `cookie` contains, and creates a session. A callback that belongs
    /// to it counts as a failed sign-in of the client until it succeeds, which bounds the marks of completed sign-ins. Other
    /// callbacks are no guesses, and a page of another site can cause them, so they do not count.
    ///
    /// # Errors
    /// [`SingleSignOnError`]; no session was created.
    pub async fn complete_single_sign_on(
        &self,
        single_sign_on: &SingleSignOn,
        cookie: Option<&str>,
        callback: SignInCallback,
        address: Option<IpAddr>,
    ) -> Result<SingleSignOnSession, SingleSignOnError> {
        let client = address.map(|address| address.to_string());
        let now = self.store.now().map_err(ServiceError::from)?;
        let callback = single_sign_on.verify_callback(cookie, callback, now);
        let callback =
            callback.inspect_err(|error| info!(client, reason = %error, "sign-in failed"))?;
        let failed = &self.context.failed_credentials;
        let attempt = failed.begin(&*self.store, address).await?;
        let completed = self.complete(single_sign_on, callback, now).await;
        match &completed {
            Ok((session, name, subject)) => {
                failed.succeed(&*self.store, attempt).await;
                let role = session.role;
                info!(operator = name, %role, subject, client, "operator signed in");
            }
            Err(error) => warn!(client, reason = %error, "sign-in failed"),
        }
        completed.map(|(session, _, _)| session)
    }

    /// Returns the session with the name of the user and the subject at the provider.
    async fn complete(
        &self,
        single_sign_on: &SingleSignOn,
        callback: VerifiedCallback,
        now: Timestamp,
    ) -> Result<(SingleSignOnSession, String, String), SingleSignOnError> {
        // Before the code is sent, so that of concurrent callbacks on several replicas only one is completed.
        let key = RateLimitKey::SingleSignOn(callback.id());
        let completions = self.store.rate_limit_take(&key, 1, PENDING_TTL).await;
        if completions.map_err(ServiceError::from)?.count > 1 {
            let reason = "the sign-in was completed before";
            return Err(SingleSignOnError::UnexpectedCallback(reason));
        }
        let (identity, target) = single_sign_on.complete(callback, now).await?;
        let role = identity.role;
        let stored_role = StoredRole::SingleSignOn(role, single_sign_on.session_key());
        let token = self.create_session(&identity.name, stored_role).await;
        let session = SingleSignOnSession {
            token: token?,
            role,
            target,
        };
        Ok((session, identity.name, identity.subject))
    }
}
