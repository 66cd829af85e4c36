//! The names by which a store is asked.

use std::fmt;

use uuid::Uuid;

/// Longest name of a key, in bytes of UTF-8.
pub const MAX_KEY_NAME_BYTES: usize = 256;

/// The id of a service. Ours are UUIDs of version 4; those of requests are taken as they come, for
/// an id means nothing but the service it names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServiceId(String);

impl ServiceId {
    /// A new id that cannot be guessed.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::new_v4().to_string())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As much of the id as a log may have: who knows all of it may read what the service holds.
    #[must_use]
    pub fn redacted(&self) -> RedactedId<'_> {
        RedactedId(self)
    }
}

/// How a [`ServiceId`] begins.
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

/// A name of user data: 1 to [`MAX_KEY_NAME_BYTES`] bytes, any characters, no `_` in front (those
/// are parameters and never stored).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyName(String);

impl KeyName {
    /// The name, or `None` where `text` cannot name user data.
    #[must_use]
    pub fn new(text: String) -> Option<Self> {
        let storable = !text.is_empty() && text.len() <= MAX_KEY_NAME_BYTES;
        (storable && !text.starts_with('_')).then_some(Self(text))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as text, owned.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

/// What names a create of one caller, so that a repeat is done once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    /// Tells the key of one caller from all others; no secret of the caller.
    pub key: String,
}
