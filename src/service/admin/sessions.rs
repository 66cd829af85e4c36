//! Operators who are signed in: those who use the pages show their password once.
//!
//! What a browser shows from then on is a *token* of 256 random bits. The store keeps the visit under a
//! name that is made of the token and the password, so who reads the store cannot sign in, and a new
//! password ends all visits.

use std::net::IpAddr;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use tracing::info;

use super::{Admin, AdminError, StoreOutage};
use crate::{service::BasicCredentials, store::Timestamp};

/// Longest user name.
const MAX_USERNAME_BYTES: usize = 128;
const TOKEN_BYTES: usize = 32;

/// Somebody who is signed in.
#[derive(Debug)]
pub struct AdminSession {
    /// The user name shown.
    pub operator: String,
    /// When the visit ends at the latest.
    pub expires_at: Timestamp,
    /// What forms on the pages of this visit show, and on no others.
    pub form_token: String,
    /// The store does not answer: the visit is one that this replica remembers.
    pub outage: Option<StoreOutage>,
}

/// What the store keeps of a visit.
#[derive(Serialize, Deserialize)]
struct StoredSession {
    operator: String,
    until: i64,
}

impl AdminSession {
    /// Whether a form that shows this token was on a page of this visit.
    #[must_use]
    pub fn verify_form_token(&self, form_token: &str) -> bool {
        bool::from(self.form_token.as_bytes().ct_eq(form_token.as_bytes()))
    }
}

impl Admin {
    /// Begins a visit of who shows what is asked for; gives its token.
    ///
    /// # Errors
    /// [`ServiceError::Unauthorized`](crate::service::ServiceError); [`ServiceError::TooMany`](crate::service::ServiceError) where too many attempts from that address
    /// failed, on whichever replica; what the store says.
    pub async fn sign_in(
        &self,
        shown: &BasicCredentials,
        address: Option<IpAddr>,
    ) -> Result<SecretString, AdminError> {
        self.authorize_sign_in(shown, address).await?;
        let name = shown.0.as_ref().map_or("", |(name, _)| name.as_str());
        if name.len() > MAX_USERNAME_BYTES || name.chars().any(char::is_control) {
            let allowed = format!(
                "a user name has at most {MAX_USERNAME_BYTES} bytes and no control characters"
            );
            return Err(AdminError::Invalid(allowed));
        }
        let token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; TOKEN_BYTES]>());
        let settings = &self.context.settings;
        let kept = StoredSession {
            operator: name.to_owned(),
            until: self.store.now()?.after(settings.session_max_age).millis(),
        };
        let told = serde_json::to_string(&kept).unwrap_or_default();
        let visit = self.derive_key("visit", &token);
        self.store
            .create_session(&visit, &told, settings.session_idle_timeout)
            .await?;
        let client = address.map(|address| address.to_string());
        info!(operator = name, client, "signed in");
        Ok(token.into())
    }

    /// The visit that a browser shows the token of, which goes on from now; `None` where it is over.
    ///
    /// # Errors
    /// What the store says.
    pub async fn touch_session(&self, token: &str) -> Result<Option<AdminSession>, AdminError> {
        let name = self.derive_key("visit", token);
        let idle = self.context.settings.session_idle_timeout;
        let answer = self.store.touch_session(&name, idle).await;
        let known = self.session_or_cached(&name, answer, Some(idle))?;
        self.validate_session(token, &name, known).await
    }

    /// The same, which ends as soon as it would have: for what a page asks by itself while nobody does anything.
    ///
    /// # Errors
    /// What the store says.
    pub async fn peek_session(&self, token: &str) -> Result<Option<AdminSession>, AdminError> {
        let name = self.derive_key("visit", token);
        let answer = self.store.peek_session(&name).await;
        let known = self.session_or_cached(&name, answer, None)?;
        self.validate_session(token, &name, known).await
    }

    async fn validate_session(
        &self,
        token: &str,
        name: &str,
        (told, away): (Option<String>, Option<StoreOutage>),
    ) -> Result<Option<AdminSession>, AdminError> {
        let kept: Option<StoredSession> = told.and_then(|told| serde_json::from_str(&told).ok());
        let Some(kept) = kept else { return Ok(None) };
        let until = Timestamp::from_millis(kept.until);
        if until <= self.store.now()? {
            self.store.delete_session(name).await?;
            return Ok(None);
        }
        Ok(Some(AdminSession {
            operator: kept.operator,
            expires_at: until,
            form_token: self.derive_key("form", token),
            outage: away,
        }))
    }

    /// Ends the visit, on whichever replica it began.
    ///
    /// # Errors
    /// What the store says.
    pub async fn sign_out(&self, token: &str) -> Result<(), AdminError> {
        let name = self.derive_key("visit", token);
        self.context.store_status.remove_session(&name);
        Ok(self.store.delete_session(&name).await?)
    }

    /// A name that nobody can make of the token who does not know the password.
    fn derive_key(&self, purpose: &str, token: &str) -> String {
        let password = self.context.settings.credentials.password.as_ref();
        let password = password.map_or("", ExposeSecret::expose_secret);
        let key = hmac::Key::new(hmac::HMAC_SHA256, password.as_bytes());
        let tag = hmac::sign(&key, format!("{purpose}\n{token}").as_bytes());
        URL_SAFE_NO_PAD.encode(tag)
    }
}
