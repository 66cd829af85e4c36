//! Single sign-on of operators by `OpenID` Connect: authorization code flow with PKCE.
//!
//! A pending sign-in is a cookie of the browser that begins it, signed with a key derived from the settings. `state`,
//! `nonce` and the PKCE verifier are derived from it, so every replica can complete it, none stores it, and another
//! browser cannot complete it.

use secrecy::{ExposeSecret, SecretString};

pub(super) use self::{
    claims::{Identity, NAME_PREFIX},
    pending::PENDING_TTL,
};
pub use self::{
    error::SingleSignOnError,
    pending::PENDING_SECONDS,
    provider::{CALLBACK_PATH, SIGN_IN_PATH},
};
use self::{pending::PendingSignIn, provider::Provider};
use super::derived_key::derive_key;
use crate::{model::Timestamp, settings};

mod claims;
mod discovery;
mod error;
mod http;
mod pending;
mod provider;

/// The maximum number of characters of a text of a callback in the log.
const MAX_LOGGED_CHARACTERS: usize = 200;

/// The state of single sign-on, which all workers share.
pub struct SingleSignOn {
    settings: settings::SingleSignOn,
    /// Derived from the settings that decide who can sign in, so that a change invalidates pending sign-ins and sessions.
    key: SecretString,
    provider: Provider,
}

/// A sign-in that has begun.
pub struct BegunSignIn {
    /// The URL at the provider.
    pub authorization_url: String,
    /// The value of the cookie.
    pub cookie: String,
}

/// The parameters of the request by which the provider returns the browser.
#[derive(Debug, Default)]
pub struct SignInCallback {
    /// The `state` of the pending sign-in.
    pub state: String,
    /// The authorization code.
    pub code: Option<String>,
    /// The error code instead of an authorization code.
    pub error: Option<String>,
    /// The text of the error.
    pub error_description: Option<String>,
    /// The issuer, which some providers add (RFC 9207).
    pub issuer: Option<String>,
}

/// A callback that belongs to the pending sign-in of the browser.
pub(super) struct VerifiedCallback {
    pending: PendingSignIn,
    code: String,
}

impl SingleSignOn {
    /// Nothing is sent until the first sign-in.
    ///
    /// # Errors
    /// The setting that is not valid.
    pub fn new(settings: &settings::SingleSignOn) -> Result<Self, String> {
        Ok(Self {
            key: derive_settings_key(settings).into(),
            provider: Provider::new(settings)?,
            settings: settings.clone(),
        })
    }

    /// The text of the button.
    #[must_use]
    pub fn button(&self) -> &str {
        &self.settings.button
    }

    /// The URL under which browsers reach the console, without a path.
    #[must_use]
    pub fn public_url(&self) -> &str {
        &self.settings.public_url
    }

    /// Whether browsers reach the console by https.
    #[must_use]
    pub fn has_encrypted_url(&self) -> bool {
        self.public_url().starts_with("https:")
    }

    /// Whether users who sign out can sign out at the provider too.
    #[must_use]
    pub fn has_provider_sign_out(&self) -> bool {
        self.settings.provider_sign_out
    }

    /// The key in sessions of users who signed in with these settings.
    pub(super) fn session_key(&self) -> String {
        derive_key(self.key(), "session", "")
    }

    /// Begins a sign-in, after which the browser is to request `target`.
    pub(super) async fn begin(
        &self,
        target: &str,
        now: Timestamp,
    ) -> Result<BegunSignIn, SingleSignOnError> {
        let pending = PendingSignIn::new(target, now);
        let secrets = pending.secrets(self.key());
        Ok(BegunSignIn {
            authorization_url: self.provider.authorization_url(&secrets).await?,
            cookie: pending.to_cookie(self.key()),
        })
    }

    /// Checks that a callback belongs to the pending sign-in of the browser, and that it has a code.
    ///
    /// # Errors
    /// [`SingleSignOnError::UnexpectedCallback`], [`SingleSignOnError::Rejected`].
    pub(super) fn verify_callback(
        &self,
        cookie: Option<&str>,
        callback: SignInCallback,
        now: Timestamp,
    ) -> Result<VerifiedCallback, SingleSignOnError> {
        let unexpected = |reason| Err(SingleSignOnError::UnexpectedCallback(reason));
        let pending = cookie.and_then(|cookie| PendingSignIn::from_cookie(cookie, self.key(), now));
        let Some(pending) = pending else {
            return unexpected("the browser has no pending sign-in, or it has expired");
        };
        if !pending.verify_state(self.key(), &callback.state) {
            return unexpected("the state is not that of the pending sign-in of the browser");
        }
        let issuer = callback.issuer.as_ref();
        if issuer.is_some_and(|issuer| *issuer != self.settings.issuer) {
            return unexpected("the callback is from another issuer");
        }
        match (callback.error, callback.code) {
            (Some(error), _) => Err(SingleSignOnError::Rejected {
                error: beginning(&error),
                description: beginning(&callback.error_description.unwrap_or_default()),
            }),
            (None, Some(code)) => Ok(VerifiedCallback { pending, code }),
            (None, None) => unexpected("the callback has neither a code nor an error"),
        }
    }

    /// Exchanges the code of a callback and verifies the ID token. Returns the user and the target of the sign-in.
    pub(super) async fn complete(
        &self,
        callback: VerifiedCallback,
        now: Timestamp,
    ) -> Result<(Identity, String), SingleSignOnError> {
        let secrets = callback.pending.secrets(self.key());
        let claims = self.provider.exchange(callback.code, &secrets, now).await?;
        let identity = claims::identify(&claims, &self.settings);
        let identity = identity.map_err(SingleSignOnError::NotPermitted)?;
        Ok((identity, callback.pending.target))
    }

    /// The URL at which the provider ends the session of the browser.
    pub(super) async fn sign_out_url(&self) -> Result<String, SingleSignOnError> {
        self.provider.sign_out_url().await
    }

    fn key(&self) -> &str {
        self.key.expose_secret()
    }
}

impl VerifiedCallback {
    /// An id of the pending sign-in, which does not reveal its secrets.
    pub(super) fn id(&self) -> String {
        self.pending.id()
    }
}

/// The beginning of a text for the log.
fn beginning(text: &str) -> String {
    text.chars().take(MAX_LOGGED_CHARACTERS).collect()
}

/// A key derived from all settings that decide who can sign in and with which role.
fn derive_settings_key(settings: &settings::SingleSignOn) -> String {
    let identity = (
        &settings.issuer,
        &settings.client_id,
        &settings.name_claim,
        &settings.roles_claim,
        settings.roles(),
    );
    let identity = serde_json::to_string(&identity).unwrap_or_default();
    derive_key(settings.exposed_secret(), "single sign-on", &identity)
}
