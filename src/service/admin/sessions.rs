//! Admin sessions: the signed-in state of browsers in the console.
//!
//! A browser sends a *token* of 256 random bits. The store keeps the session under a key derived from token and
//! password (HMAC-SHA256). Read access to the store is therefore not enough to sign in, and a new password
//! invalidates all sessions.

use std::net::IpAddr;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use tracing::info;

use super::{Admin, AdminError, StoreOutage};
use crate::{
    model::Timestamp,
    service::{BasicCredentials, ServiceError},
};

/// Maximum length of a user name.
const MAX_USERNAME_BYTES: usize = 128;
const TOKEN_BYTES: usize = 32;

/// The role of the user of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionRole {
    /// Has access to everything.
    Administrator,
    /// An agent of chats, who has access to them only.
    Agent,
}

/// The session of an operator.
#[derive(Debug)]
pub struct AdminSession {
    /// The user name.
    pub operator: String,
    /// Its role.
    pub role: SessionRole,
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

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredRole {
    Administrator,
    /// With a key derived from the password of the agent, so that a new password invalidates the session.
    Agent(String),
}

impl AdminSession {
    /// Whether a form token belongs to this session, in constant time.
    #[must_use]
    pub fn verify_form_token(&self, form_token: &str) -> bool {
        bool::from(self.form_token.as_bytes().ct_eq(form_token.as_bytes()))
    }
}

impl Admin {
    /// Checks the credentials, those of an administrator or of an agent, and creates a session. Returns its token and
    /// its role.
    ///
    /// # Errors
    /// [`ServiceError::Unauthorized`](crate::service::ServiceError);
    /// [`ServiceError::RateLimited`](crate::service::ServiceError) after too many failed attempts from the address on any
    /// replica; errors of the store.
    pub async fn sign_in(
        &self,
        credentials: &BasicCredentials,
        address: Option<IpAddr>,
    ) -> Result<(SecretString, SessionRole), AdminError> {
        let role = self.authorize_sign_in(credentials, address).await?;
        let name = credentials.0.as_ref().map_or("", |(name, _)| name.as_str());
        if name.len() > MAX_USERNAME_BYTES || name.chars().any(char::is_control) {
            let message = format!(
                "a user name must have at most {MAX_USERNAME_BYTES} bytes and no control characters"
            );
            return Err(AdminError::Invalid(message));
        }
        let token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; TOKEN_BYTES]>());
        let settings = &self.context.settings;
        let stored_session = StoredSession {
            operator: name.to_owned(),
            role: self.stored_role(name, role)?,
            until: self.store.now()?.after(settings.session_max_age).millis(),
        };
        let json = serde_json::to_string(&stored_session).unwrap_or_default();
        let session_key = self.derive_key("visit", &token);
        self.store
            .create_session(&session_key, &json, settings.session_idle_timeout)
            .await?;
        let client = address.map(|address| address.to_string());
        info!(operator = name, ?role, client, "operator signed in");
        Ok((token.into(), role))
    }

    fn stored_role(&self, name: &str, role: SessionRole) -> Result<StoredRole, ServiceError> {
        match role {
            SessionRole::Administrator => Ok(StoredRole::Administrator),
            SessionRole::Agent => {
                let key = self.agent_key(name).ok_or(ServiceError::Unauthorized(
                    "there is no password of this agent",
                ))?;
                Ok(StoredRole::Agent(key))
            }
        }
    }

    /// The key of the password of an agent; `None` if it has none.
    fn agent_key(&self, name: &str) -> Option<String> {
        let hash = self.agents.as_ref()?.password_hash(name)?;
        Some(self.derive_key("agent", &hash.to_phc()))
    }

    /// The role of a stored session; `None` if the password of the agent has changed.
    fn session_role(&self, stored: &StoredSession) -> Option<SessionRole> {
        match &stored.role {
            StoredRole::Administrator => Some(SessionRole::Administrator),
            StoredRole::Agent(key) => {
                let current = self.agent_key(&stored.operator)?;
                (current == *key).then_some(SessionRole::Agent)
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
        let key = hmac::Key::new(hmac::HMAC_SHA256, password.as_bytes());
        let tag = hmac::sign(&key, format!("{purpose}\n{token}").as_bytes());
        URL_SAFE_NO_PAD.encode(tag)
    }
}
