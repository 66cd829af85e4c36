//! Pending sign-ins, and the cookies that contain them.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq;

use crate::{model::Timestamp, service::derived_key::derive_key};

/// The maximum time in seconds between the begin of a sign-in and its completion.
pub const PENDING_SECONDS: u64 = 600;
pub(in crate::service) const PENDING_TTL: Duration = Duration::from_secs(PENDING_SECONDS);
/// The maximum size of the URL of the page to return to. Browsers accept cookies of 4 KiB.
const MAX_TARGET_BYTES: usize = 2048;
const SEED_BYTES: usize = 32;

/// A sign-in that has begun.
pub(super) struct PendingSignIn {
    seed: String,
    expires_at: Timestamp,
    /// The page to return to; may be empty.
    pub(super) target: String,
}

/// The secrets of a pending sign-in, which are derived from its seed. Each has 43 characters, as PKCE requires.
pub(super) struct SignInSecrets {
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) pkce_verifier: String,
}

impl PendingSignIn {
    /// A target that is too long is dropped.
    pub(super) fn new(target: &str, now: Timestamp) -> Self {
        let target = Some(target).filter(|target| target.len() <= MAX_TARGET_BYTES);
        Self {
            seed: URL_SAFE_NO_PAD.encode(rand::random::<[u8; SEED_BYTES]>()),
            expires_at: now.after(PENDING_TTL),
            target: target.unwrap_or_default().to_owned(),
        }
    }

    /// Parses the value of a cookie. `None` if it is not signed with `key` or has expired.
    pub(super) fn from_cookie(cookie: &str, key: &str, now: Timestamp) -> Option<Self> {
        let (content, signature) = cookie.rsplit_once('.')?;
        if !is_equal(&derive_key(key, "cookie", content), signature) {
            return None;
        }
        let mut parts = content.split('.');
        let (seed, expires_at, target) = (parts.next()?, parts.next()?, parts.next()?);
        let pending = Self {
            seed: seed.to_owned(),
            expires_at: Timestamp::from_millis(expires_at.parse().ok()?),
            target: String::from_utf8(URL_SAFE_NO_PAD.decode(target).ok()?).ok()?,
        };
        (pending.expires_at > now).then_some(pending)
    }

    /// The value of the cookie.
    pub(super) fn to_cookie(&self, key: &str) -> String {
        let expires_at = self.expires_at.millis();
        let target = URL_SAFE_NO_PAD.encode(&self.target);
        let content = format!("{}.{expires_at}.{target}", self.seed);
        let signature = derive_key(key, "cookie", &content);
        format!("{content}.{signature}")
    }

    pub(super) fn secrets(&self, key: &str) -> SignInSecrets {
        SignInSecrets {
            state: derive_key(key, "state", &self.seed),
            nonce: derive_key(key, "nonce", &self.seed),
            pkce_verifier: derive_key(key, "pkce", &self.seed),
        }
    }

    /// Whether `state` is that of this sign-in, in constant time.
    pub(super) fn verify_state(&self, key: &str, state: &str) -> bool {
        is_equal(&self.secrets(key).state, state)
    }

    /// An id that does not reveal the secrets.
    pub(super) fn id(&self) -> String {
        derive_key("", "id", &self.seed)
    }
}

fn is_equal(expected: &str, actual: &str) -> bool {
    bool::from(expected.as_bytes().ct_eq(actual.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_millis(1_000_000)
    }

    #[test]
    fn a_cookie_is_valid_for_ten_minutes_and_with_its_key_only() {
        let pending = PendingSignIn::new("/genesys/1/admin/ui?a=1", now());
        let cookie = pending.to_cookie("key");
        let read = |cookie: &str, key: &str, after: u64| {
            PendingSignIn::from_cookie(cookie, key, now().after(Duration::from_secs(after)))
        };
        let same = read(&cookie, "key", 599).unwrap();
        assert_eq!(same.target, "/genesys/1/admin/ui?a=1");
        let secrets = same.secrets("key");
        assert!(pending.verify_state("key", &secrets.state));
        assert_eq!(secrets.pkce_verifier.len(), 43);
        assert!(read(&cookie, "key", 600).is_none());
        assert!(read(&cookie, "other", 0).is_none());
        for changed in [
            cookie.replacen('.', ".9", 1),
            format!("{cookie}x"),
            cookie.trim_end_matches(char::is_alphanumeric).to_owned(),
            String::new(),
            "...".to_owned(),
        ] {
            assert!(read(&changed, "key", 0).is_none(), "{changed}");
        }
    }

    #[test]
    fn pending_sign_ins_share_no_secret() {
        let secrets = |pending: &PendingSignIn| {
            let SignInSecrets {
                state,
                nonce,
                pkce_verifier,
            } = pending.secrets("key");
            [state, nonce, pkce_verifier, pending.id()]
        };
        let (one, other) = (PendingSignIn::new("", now()), PendingSignIn::new("", now()));
        let mut all = [secrets(&one), secrets(&other)].concat();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 8);
        assert!(!one.verify_state("key", &other.secrets("key").state));
        assert!(!one.verify_state("key", ""));
    }

    #[test]
    fn a_page_with_a_long_url_is_not_returned_to() {
        let long = "a".repeat(MAX_TARGET_BYTES + 1);
        assert_eq!(PendingSignIn::new(&long, now()).target, "");
    }
}
