//! `Idempotency-Key`: binds a key to a caller and a request.
//!
//! Keys can be guessed or observed. The store therefore uses a digest of key and caller: the same key of another
//! caller is another key. The response is stored with a digest of the request, and returned only to a repetition of
//! that request.

use std::net::IpAddr;

use ring::digest::{Context, SHA256};

use super::{
    FormData, ServiceError, Uploads,
    digest::{DIGEST_LENGTH, sha256_hex},
    form_data::FieldValue,
    rate_limit::client_network,
};
use crate::model::{IdempotencyKey, STORAGE_AREA};

/// The minimum and maximum length of a key.
const KEY_LENGTH_RANGE: (usize, usize) = (16, 255);

/// The idempotency data in the head of a create.
#[derive(Debug, Clone, Default)]
pub struct IdempotencyHead {
    /// The `Idempotency-Key` header.
    pub key: Vec<u8>,
    /// The method of the request.
    pub method: String,
    /// The API key, the `Authorization` header and the `gms_user` header, which identify the caller.
    pub identity: [Option<Vec<u8>>; 3],
}

/// A request with an idempotency key.
#[derive(Debug, Clone)]
pub(super) struct IdempotentRequest {
    pub(super) key: IdempotencyKey,
    method: String,
    /// The stored value of the first request, if its service exists.
    pub(super) stored_response: Option<String>,
    /// The digest of this request, after its body is read.
    digest: Option<String>,
}

impl IdempotentRequest {
    /// Keys of the creates of services and of storage areas are independent.
    ///
    /// # Errors
    /// [`ServiceError::InvalidParameter`] for a key that is too short, too long, or contains characters other than
    /// visible ASCII.
    pub(super) fn new(
        head: IdempotencyHead,
        address: Option<IpAddr>,
        is_for_storage_area: bool,
    ) -> Result<Self, ServiceError> {
        let (low, high) = KEY_LENGTH_RANGE;
        let is_valid =
            (low..=high).contains(&head.key.len()) && head.key.iter().all(u8::is_ascii_graphic);
        if !is_valid {
            return Err(ServiceError::InvalidParameter(format!(
                "Idempotency-Key has {} bytes; expected one header with {low} to {high} visible ASCII characters",
                head.key.len()
            )));
        }
        let mut digest = Digest::new();
        let is_anonymous = head.identity.iter().all(Option::is_none);
        for part in &head.identity {
            digest.update_optional(part.as_deref());
        }
        let address = address.filter(|_| is_anonymous).map(client_network);
        digest.update_optional(address.as_ref().map(String::as_bytes));
        digest.update(&head.key);
        if is_for_storage_area {
            digest.update(STORAGE_AREA.as_bytes());
        }
        Ok(Self {
            key: IdempotencyKey {
                key: digest.finish(),
            },
            method: head.method,
            stored_response: None,
            digest: None,
        })
    }

    /// Computes the digest of the request. Files are included with the digests in `uploads`.
    pub(super) fn set_request_digest(
        &mut self,
        definition: &str,
        form: &FormData,
        uploads: &Uploads,
    ) {
        let mut digest = Digest::new();
        digest.update(self.method.as_bytes());
        digest.update(definition.as_bytes());
        for (name, value) in form.iter() {
            digest.update(name.as_bytes());
            match value {
                FieldValue::Null => digest.update(b"null"),
                FieldValue::Text(text) => {
                    digest.update(b"text");
                    digest.update(text.as_bytes());
                }
                FieldValue::Binary(binary) => {
                    digest.update(b"binary");
                    digest.update(binary.content_type.as_bytes());
                    digest.update_optional(binary.file_name.as_ref().map(String::as_bytes));
                    digest.update(
                        uploads
                            .digest_of(&binary.blob)
                            .unwrap_or_default()
                            .as_bytes(),
                    );
                }
            }
        }
        self.digest = Some(digest.finish());
    }

    /// The digest of the request.
    pub(super) fn digest(&self) -> &str {
        self.digest.as_deref().unwrap_or_default()
    }

    /// The value to store for this request and its `response`, which is empty while the backend has not responded.
    pub(super) fn stored_value(&self, response: &str) -> String {
        self.digest.clone().unwrap_or_default() + response
    }

    /// The response to the first request, from its stored value; `None` while it is pending.
    ///
    /// # Errors
    /// [`ServiceError::IdempotencyKeyReused`] if the first request was a different one.
    pub(super) fn replay_response(&self, stored: &str) -> Result<Option<String>, ServiceError> {
        let digest = self
            .digest
            .as_deref()
            .filter(|digest| digest.len() == DIGEST_LENGTH);
        let response = digest.and_then(|digest| stored.strip_prefix(digest));
        let response = response.ok_or(ServiceError::IdempotencyKeyReused)?;
        Ok(Some(response.to_owned()).filter(|_| !is_pending(stored)))
    }
}

/// Whether a stored value belongs to a request whose backend has not responded yet.
pub(super) fn is_pending(stored: &str) -> bool {
    stored.len() <= DIGEST_LENGTH
}

/// A SHA-256 over a sequence of parts, with an unambiguous encoding.
struct Digest(Context);

impl Digest {
    fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    fn update(&mut self, part: &[u8]) {
        self.0.update(&(part.len() as u64).to_be_bytes());
        self.0.update(part);
    }

    fn update_optional(&mut self, part: Option<&[u8]>) {
        self.0.update(&[u8::from(part.is_some())]);
        self.update(part.unwrap_or_default());
    }

    fn finish(self) -> String {
        sha256_hex(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key: &str, identity: [Option<&str>; 3], address: &str) -> Result<String, String> {
        let head = IdempotencyHead {
            key: key.as_bytes().to_vec(),
            method: "POST".to_owned(),
            identity: identity.map(|part| part.map(|part| part.as_bytes().to_vec())),
        };
        let request = IdempotentRequest::new(head, address.parse().ok(), false);
        request
            .map(|request| request.key.key)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_key_of_another_caller_is_another_key() {
        let text = "0123456789abcdef";
        let callers = [
            ([None, None, None], "192.0.2.1"),
            ([None, None, None], "192.0.2.2"),
            ([Some("a"), None, None], "192.0.2.1"),
            ([None, Some("a"), None], "192.0.2.1"),
            ([None, None, Some("a")], "192.0.2.1"),
            ([Some("a"), Some("a"), None], "192.0.2.1"),
            ([Some("aa"), None, None], "192.0.2.1"),
            ([Some(""), None, None], "192.0.2.1"),
        ];
        let keys = callers.map(|(identity, address)| key(text, identity, address).unwrap());
        let different: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(different.len(), keys.len());
        // The address is ignored if there is an identity.
        let other_address = key(text, [Some("a"), None, None], "192.0.2.9").unwrap();
        assert_eq!(other_address, keys[2]);
        assert!(
            keys.iter()
                .all(|key| key.len() == 64 && !key.contains(text))
        );
    }

    #[test]
    fn a_key_has_16_to_255_visible_ascii_characters() {
        let anonymous = [None, None, None];
        for valid in ["k".repeat(16), "~!\"{}".repeat(4), "k".repeat(255)] {
            assert!(key(&valid, anonymous, "").is_ok(), "{valid}");
        }
        for invalid in [
            String::new(),
            "k".repeat(15),
            "k".repeat(256),
            "with space ------".to_owned(),
            "é".repeat(16),
            "0123456789abcde\t".to_owned(),
        ] {
            let message = key(&invalid, anonymous, "").unwrap_err();
            assert!(message.contains("16 to 255 visible ASCII"), "{message}");
        }
    }
}
