//! The identifiers of services, keys and idempotent requests.

use std::{borrow::Cow, fmt};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use uuid::{Builder, Uuid};

use super::stable_hash;

/// The maximum length of a key name in bytes of UTF-8.
pub const MAX_KEY_NAME_BYTES: usize = 256;

/// The beginning of the ids of storage areas with a custom id. A user name and a custom id follow.
const CUSTOM_PREFIX: &str = "custom/";
/// Characters of user names and custom ids that remain as they are.
const CUSTOM_ID_CHARACTERS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'@');
/// The position of the version in the text of a UUID, and the version of the ids of storage areas.
const UUID_VERSION: (usize, u8) = (14, b'8');

/// The id of a service or of a storage area. Its form shows which of the two it is.
///
/// Generated ids of services are UUIDs of version 4, those of storage areas UUIDs of version 8. Storage areas with
/// a custom id, which the client has chosen, have an id that no client can send: it contains the user, so that
/// equal custom ids of two users are two storage areas. Other ids in requests are accepted as they are, because an
/// id is opaque.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServiceId(String);

impl ServiceId {
    /// Generates an unguessable id.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::new_v4().to_string())
    }

    /// Generates an unguessable id of a storage area.
    #[must_use]
    pub fn generate_for_storage_area() -> Self {
        let random = Uuid::new_v4().into_bytes();
        Self(Builder::from_custom_bytes(random).into_uuid().to_string())
    }

    /// The id of the storage area that `user` has under the custom id `name`.
    #[must_use]
    pub fn custom(user: &str, name: &str) -> Self {
        let [user, name] = [user, name].map(|text| utf8_percent_encode(text, CUSTOM_ID_CHARACTERS));
        Self(format!("{CUSTOM_PREFIX}{user}/{name}"))
    }

    /// The id that a client has sent.
    ///
    /// # Errors
    /// The id, if clients cannot address it.
    pub fn from_client(text: String) -> Result<Self, Self> {
        let id = Self(text);
        if id.is_custom() { Err(id) } else { Ok(id) }
    }

    /// Whether it is the id of a storage area with a custom id. Such an id can be used again after its storage area
    /// has ended; all others are never used again.
    #[must_use]
    pub fn is_custom(&self) -> bool {
        self.0.starts_with(CUSTOM_PREFIX)
    }

    /// Whether it is the id of a storage area and not of a service.
    #[must_use]
    pub fn is_storage_area(&self) -> bool {
        let (position, version) = UUID_VERSION;
        let is_uuid = self.0.len() == uuid::fmt::Hyphenated::LENGTH;
        self.is_custom() || is_uuid && self.0.as_bytes().get(position) == Some(&version)
    }

    /// What it identifies, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        if self.is_storage_area() {
            "storage area"
        } else {
            "service"
        }
    }

    /// The id that clients send: a custom id without its user.
    #[must_use]
    pub fn client_id(&self) -> Cow<'_, str> {
        self.custom_id().unwrap_or(Cow::Borrowed(&self.0))
    }

    /// The custom id, without its user; `None` for other ids.
    #[must_use]
    pub fn custom_id(&self) -> Option<Cow<'_, str>> {
        let (_user, name) = self.0.strip_prefix(CUSTOM_PREFIX)?.split_once('/')?;
        Some(percent_decode_str(name).decode_utf8_lossy())
    }

    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns a shortened id for logs: the full id grants access to the data of the service.
    #[must_use]
    pub fn redacted(&self) -> RedactedId<'_> {
        RedactedId(self)
    }
}

/// The first characters of a [`ServiceId`], or the hash of one with a custom id.
pub struct RedactedId<'a>(&'a ServiceId);

impl fmt::Display for RedactedId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_custom() {
            let hash = stable_hash(self.0.as_str().as_bytes());
            return write!(f, "{CUSTOM_PREFIX}{hash:016x}");
        }
        write!(f, "{:.8}...", self.0.as_str())
    }
}

impl From<String> for ServiceId {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name of user data: 1 to [`MAX_KEY_NAME_BYTES`] bytes, any characters, without a leading `_` (such
/// names are parameters and never stored).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyName(String);

impl KeyName {
    /// Validates the name; `None` if `text` is not a valid name of user data.
    #[must_use]
    pub fn new(text: String) -> Option<Self> {
        let storable = !text.is_empty() && text.len() <= MAX_KEY_NAME_BYTES;
        (storable && !text.starts_with('_')).then_some(Self(text))
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name as an owned string.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

/// Identifies a create of one caller, so that a retry is performed once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    /// Distinguishes the key of one caller from those of all others; contains no secret of the caller.
    pub key: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_shows_whether_it_is_that_of_a_storage_area() {
        assert!(!ServiceId::generate().is_storage_area());
        let area = ServiceId::generate_for_storage_area();
        assert!(area.is_storage_area() && !area.is_custom());
        assert_ne!(area, ServiceId::generate_for_storage_area());
        assert!(ServiceId::custom("ann", "session1").is_storage_area());
        for text in ["", "8", "session1", "vendor-id-of-8-and-thirty-six-bytes."] {
            assert!(
                !ServiceId::from(text.to_owned()).is_storage_area(),
                "{text}"
            );
        }
    }

    #[test]
    fn custom_ids_of_different_users_and_names_differ() {
        let pairs = [
            ("", ""),
            ("a", "b"),
            ("a/b", ""),
            ("", "a/b"),
            ("a", "b/"),
            ("a%2Fb", ""),
            ("A", "b"),
            ("\u{fc}", "b"),
        ];
        let ids: std::collections::HashSet<_> = pairs
            .iter()
            .map(|(user, name)| ServiceId::custom(user, name).0)
            .collect();
        assert_eq!(ids.len(), pairs.len());
    }

    #[test]
    fn a_redacted_id_shows_neither_user_nor_custom_id() {
        let redacted = ServiceId::custom("ann", "session1").redacted().to_string();
        assert!(redacted.starts_with("custom/"), "{redacted}");
        assert!(
            !redacted.contains("ann") && !redacted.contains("session"),
            "{redacted}"
        );
        assert_ne!(
            redacted,
            ServiceId::custom("ann", "session2").redacted().to_string()
        );
    }

    #[test]
    fn the_client_id_is_what_the_client_sent() {
        for name in ["session1", "a/b", "\u{fc}", "100%", "custom/x"] {
            let id = ServiceId::custom("a/b", name);
            assert_eq!(id.client_id(), name);
            assert_eq!(id.custom_id().as_deref(), Some(name));
        }
        let id = ServiceId::from("4711".to_owned());
        assert_eq!((id.client_id().as_ref(), id.custom_id()), ("4711", None));
    }

    #[test]
    fn clients_cannot_send_the_id_of_a_custom_id() {
        let id = ServiceId::custom("ann", "session1");
        assert_eq!(ServiceId::from_client(id.0.clone()), Err(id));
        let plain = ServiceId::from_client("custom".to_owned());
        assert_eq!(plain, Ok(ServiceId("custom".to_owned())));
    }
}
