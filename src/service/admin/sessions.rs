//! Admin sessions: the signed-in state of browsers in the console.
//!
//! A browser sends a *token* of 256 random bits. The store keeps the session under a key derived from token and
//! password (HMAC-SHA256). Read access to the store is therefore not enough to sign in, and a new password
//! invalidates all sessions.

use std::net::IpAddr;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use tracing::info;

use super::{Admin, AdminError, StoreOutage};
use crate::{
    model::{Permission, Role, Timestamp},
    service::{
        BasicCredentials, ServiceError, derived_key::derive_key, single_sign_on::NAME_PREFIX,
    },
    settings::MAX_USER_NAME_CHARACTERS,
};

/// Maximum length of a user name: any name in the settings has at most this length.
const MAX_USERNAME_BYTES: usize = 4 * MAX_USER_NAME_CHARACTERS;
const TOKEN_BYTES: usize = 32;

/// The session of an operator.
#[derive(Debug)]
pub struct AdminSession {
    /// The user name.
    pub operator: String,
    /// Its role.
    pub role: Role,
    /// The maximum expiration time of the session.
    pub expires_at: Timestamp,
    /// The CSRF token of forms in this session.
    pub form_token: String,
    /// The store is unavailable, and the session comes from the cache of this replica.
    pub outage: Option<StoreOutage>,
}

/// The stored state of a session.
#[derive(Serialize, Deserialize)]
struct StoredSession {
    operator: String,
    role: StoredRole,
    until: i64,
}

/// The role of a session, with a key derived from what grants it, so that a change invalidates the session.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StoredRole {
    /// By the admin password, from which the key of the session is derived.
    Administrator,
    /// By the password of an agent.
    Agent(String),
    /// By the role and the password of an operator.
    Operator(Role, String),
    /// By single sign-on, with the role from a claim and the settings.
    SingleSignOn(Role, String),
}

impl AdminSession {
    /// Whether a form token belongs to this session, in constant time.
    #[must_use]
    pub fn verify_form_token(&self, form_token: &str) -> bool {
        bool::from(self.form_token.as_bytes().ct_eq(form_token.as_bytes()))
    }

    /// The signature of a text that only this session can have made.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        derive_key(&self.form_token, "signature", text)
    }

    /// Whether this is the signature of a text by this session, in constant time.
    #[must_use]
    pub fn verify_signature(&self, text: &str, signature: &str) -> bool {
        bool::from(self.sign(text).as_bytes().ct_eq(signature.as_bytes()))
    }

    /// Whether the user has signed in by single sign-on. Other names do not have the prefix.
    #[must_use]
    pub fn is_single_sign_on(&self) -> bool {
        self.operator.starts_with(NAME_PREFIX)
    }

    /// Whether the role of the user permits this.
    #[must_use]
    pub fn permits(&self, permission: Permission) -> bool {
        self.role.permits(permission)
    }
}

impl Admin {
    /// Checks the credentials, those of an operator or of an agent, and creates a session. Returns its token and its role.
    ///
    /// # Errors
    /// [`ServiceError::Unauthorized`](crate::service::ServiceError);
    /// [`ServiceError::RateLimited`](crate::service::ServiceError) after too many failed attempts from the address on any
    /// replica; errors of the store.
    pub async fn sign_in(
        &self,
        credentials: &BasicCredentials,
        address: Option<IpAddr>,
    ) -> Result<(SecretString, Role), AdminError> {
        let role = self.authorize_sign_in(credentials, address).await?;
        let name = credentials.0.as_ref().map_or("", |(name, _)| name.as_str());
        let is_refused = |c: char| c.is_control() || c == ':';
        if name.len() > MAX_USERNAME_BYTES || name.contains(is_refused) {
            // Names of single sign-on contain a colon, so that no other user has the same name.
            let message = format!(
                "a user name must have at most {MAX_USERNAME_BYTES} bytes, no colon and no control characters"
            );
            return Err(AdminError::Invalid(message));
        }
        let stored_role = self.stored_role(name, role)?;
        let token = self.create_session(name, stored_role).await?;
        let client = address.map(|address| address.to_string());
        info!(operator = name, %role, client, "operator signed in");
        Ok((token, role))
    }

    /// Creates a session, and returns its token.
    pub(super) async fn create_session(
        &self,
        name: &str,
        role: StoredRole,
    ) -> Result<SecretString, ServiceError> {
        let token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; TOKEN_BYTES]>());
        let settings = &self.context.settings;
        let stored_session = StoredSession {
            operator: name.to_owned(),
            role,
            until: self.store.now()?.after(settings.session_max_age).millis(),
        };
        let json = serde_json::to_string(&stored_session).unwrap_or_default();
        let session_key = self.derive_key("visit", &token);
        self.store
            .create_session(&session_key, &json, settings.session_idle_timeout)
            .await?;
        Ok(token.into())
    }

    /// What is stored for the role of a user who has signed in with a password.
    fn stored_role(&self, name: &str, role: Role) -> Result<StoredRole, ServiceError> {
        let missing = ServiceError::Unauthorized("there is no password of this user");
        if role == Role::Agent {
            return self.agent_key(name).map(StoredRole::Agent).ok_or(missing);
        }
        Ok(match self.operator_key(name) {
            // The admin password has the role admin too, with any user name if the settings allow it.
            Some(key) if self.context.operators.role(name) == Some(role) => {
                StoredRole::Operator(role, key)
            }
            _ => StoredRole::Administrator,
        })
    }

    /// The key of the password of an agent; `None` if it has none.
    fn agent_key(&self, name: &str) -> Option<String> {
        let hash = self.agents.as_ref()?.password_hash(name)?;
        Some(self.derive_key("agent", &hash.to_phc()))
    }

    /// The key of the password of an operator; `None` if there is no such operator.
    fn operator_key(&self, name: &str) -> Option<String> {
        let hash = self.context.operators.password_hash(name)?;
        Some(self.derive_key("operator", &hash.to_phc()))
    }

    /// The role of a stored session; `None` if what granted it has changed.
    fn session_role(&self, stored: &StoredSession) -> Option<Role> {
        let name = &stored.operator;
        match &stored.role {
            StoredRole::Administrator => self.credentials.as_ref().map(|_| Role::Admin),
            StoredRole::Agent(key) => (self.agent_key(name)? == *key).then_some(Role::Agent),
            StoredRole::Operator(role, key) => {
                let is_current = self.operator_key(name)? == *key;
                let current = self.context.operators.role(name)?;
                (is_current && current == *role).then_some(current)
            }
            StoredRole::SingleSignOn(role, key) => {
                let single_sign_on = self.context.single_sign_on.as_ref()?;
                (single_sign_on.session_key() == *key).then_some(*role)
            }
        }
    }

    /// The session of a token, with its idle timeout restarted; `None` if it has expired.
    ///
    /// # Errors
    /// [`AdminError::Service`] for errors of the store.
    pub async fn touch_session(&self, token: &str) -> Result<Option<AdminSession>, AdminError> {
        let session_key = self.derive_key("visit", token);
        let idle = self.context.settings.session_idle_timeout;
        let result = self.store.touch_session(&session_key, idle).await;
        let stored = self.session_or_cached(&session_key, result, Some(idle))?;
        self.validate_session(token, &session_key, stored).await
    }

    /// Like [`Admin::touch_session`] without restarting the idle timeout: for automatic requests of a page.
    ///
    /// # Errors
    /// [`AdminError::Service`] for errors of the store.
    pub async fn peek_session(&self, token: &str) -> Result<Option<AdminSession>, AdminError> {
        let session_key = self.derive_key("visit", token);
        let result = self.store.peek_session(&session_key).await;
        let stored = self.session_or_cached(&session_key, result, None)?;
        self.validate_session(token, &session_key, stored).await
    }

    async fn validate_session(
        &self,
        token: &str,
        session_key: &str,
        (stored, outage): (Option<String>, Option<StoreOutage>),
    ) -> Result<Option<AdminSession>, AdminError> {
        let stored_session: Option<StoredSession> =
            stored.and_then(|stored| serde_json::from_str(&stored).ok());
        let Some(stored_session) = stored_session else {
            return Ok(None);
        };
        let until = Timestamp::from_millis(stored_session.until);
        let role = self.session_role(&stored_session);
        let is_expired = until <= self.store.now()?;
        let Some(role) = role.filter(|_| !is_expired) else {
            self.store.delete_session(session_key).await?;
            return Ok(None);
        };
        Ok(Some(AdminSession {
            operator: stored_session.operator,
            role,
            expires_at: until,
            form_token: self.derive_key("form", token),
            outage,
        }))
    }

    /// Ends the session on all replicas.
    ///
    /// # Errors
    /// [`AdminError::Service`] for errors of the store.
    pub async fn sign_out(&self, token: &str) -> Result<(), AdminError> {
        let session_key = self.derive_key("visit", token);
        self.context.store_status.remove_session(&session_key);
        Ok(self.store.delete_session(&session_key).await?)
    }

    /// Derives a key from the token and the admin password.
    fn derive_key(&self, purpose: &str, token: &str) -> String {
        let password = self.context.settings.password.as_ref();
        let password = password.map_or("", ExposeSecret::expose_secret);
        derive_key(password, purpose, token)
    }
}
