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

use super::{Admin, AdminError, StoreAway};
use crate::{service::Shown, store::Moment};

/// Longest user name.
const MAX_NAME_BYTES: usize = 128;
const TOKEN_BYTES: usize = 32;

/// Somebody who is signed in.
#[derive(Debug)]
pub struct Visit {
    /// The user name shown.
    pub operator: String,
    /// When the visit ends at the latest.
    pub until: Moment,
    /// What forms on the pages of this visit show, and on no others.
    pub form_token: String,
    /// The store does not answer: the visit is one that this replica remembers.
    pub away: Option<StoreAway>,
}

/// What the store keeps of a visit.
#[derive(Serialize, Deserialize)]
struct Kept {
    operator: String,
    until: i64,
}

impl Visit {
    /// Whether a form that shows this token was on a page of this visit.
    #[must_use]
    pub fn gave(&self, form_token: &str) -> bool {
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
        shown: &Shown,
        address: Option<IpAddr>,
    ) -> Result<SecretString, AdminError> {
        self.attempt(shown, address).await?;
        let name = shown.0.as_ref().map_or("", |(name, _)| name.as_str());
        if name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
            let allowed =
                format!("a user name has at most {MAX_NAME_BYTES} bytes and no control characters");
            return Err(AdminError::Invalid(allowed));
        }
        let token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; TOKEN_BYTES]>());
        let settings = &self.office.settings;
        let kept = Kept {
            operator: name.to_owned(),
            until: self.store.now()?.after(settings.visit).millis(),
        };
        let told = serde_json::to_string(&kept).unwrap_or_default();
        let visit = self.signed("visit", &token);
        self.store.begin_visit(&visit, &told, settings.idle).await?;
        let client = address.map(|address| address.to_string());
        info!(operator = name, client, "signed in");
        Ok(token.into())
    }

    /// The visit that a browser shows the token of, which goes on from now; `None` where it is over.
    ///
    /// # Errors
    /// What the store says.
    pub async fn visit(&self, token: &str) -> Result<Option<Visit>, AdminError> {
        let name = self.signed("visit", token);
        let idle = self.office.settings.idle;
        let answer = self.store.visit(&name, idle).await;
        let known = self.visit_known(&name, answer, Some(idle))?;
        self.still_on(token, &name, known).await
    }

    /// The same, which ends as soon as it would have: for what a page asks by itself while nobody does anything.
    ///
    /// # Errors
    /// What the store says.
    pub async fn look_at_visit(&self, token: &str) -> Result<Option<Visit>, AdminError> {
        let name = self.signed("visit", token);
        let answer = self.store.look_at_visit(&name).await;
        let known = self.visit_known(&name, answer, None)?;
        self.still_on(token, &name, known).await
    }

    async fn still_on(
        &self,
        token: &str,
        name: &str,
        (told, away): (Option<String>, Option<StoreAway>),
    ) -> Result<Option<Visit>, AdminError> {
        let kept: Option<Kept> = told.and_then(|told| serde_json::from_str(&told).ok());
        let Some(kept) = kept else { return Ok(None) };
        let until = Moment::from_millis(kept.until);
        if until <= self.store.now()? {
            self.store.end_visit(name).await?;
            return Ok(None);
        }
        Ok(Some(Visit {
            operator: kept.operator,
            until,
            form_token: self.signed("form", token),
            away,
        }))
    }

    /// Ends the visit, on whichever replica it began.
    ///
    /// # Errors
    /// What the store says.
    pub async fn sign_out(&self, token: &str) -> Result<(), AdminError> {
        let name = self.signed("visit", token);
        self.office.status.forget(&name);
        Ok(self.store.end_visit(&name).await?)
    }

    /// A name that nobody can make of the token who does not know the password.
    fn signed(&self, purpose: &str, token: &str) -> String {
        let password = self.office.settings.credentials.password.as_ref();
        let password = password.map_or("", ExposeSecret::expose_secret);
        let key = hmac::Key::new(hmac::HMAC_SHA256, password.as_bytes());
        let tag = hmac::sign(&key, format!("{purpose}\n{token}").as_bytes());
        URL_SAFE_NO_PAD.encode(tag)
    }
}
