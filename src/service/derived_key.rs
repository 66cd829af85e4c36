//! Keys that are derived from a secret.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;

/// Derives a key from a secret for a purpose and a text: 43 characters of URL-safe base64 (HMAC-SHA256).
pub(super) fn derive_key(secret: &str, purpose: &str, text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{purpose}\n{text}").as_bytes());
    URL_SAFE_NO_PAD.encode(tag)
}
