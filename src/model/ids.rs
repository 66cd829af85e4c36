//! The identifiers of services, keys and idempotent requests.

use std::fmt;

use uuid::Uuid;

/// The maximum length of a key name in bytes of UTF-8.
pub const MAX_KEY_NAME_BYTES: usize = 256;

/// The id of a service. Generated ids are UUIDs of version 4; ids in requests are accepted as they are,
/// because an id is opaque.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServiceId(String);

impl ServiceId {
    /// Generates an unguessable id.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::new_v4().to_string())
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

/// The first characters of a [`ServiceId`].
pub struct RedactedId<'a>(&'a ServiceId);

impl fmt::Display for RedactedId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
