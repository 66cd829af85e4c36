//! `[api]`: variants of the API's behavior.

use serde::{Deserialize, Deserializer};

use super::values::{self, boolean};

/// `[api]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// HTTP status for malformed JSON: 500 or 400.
    #[serde(deserialize_with = "server_or_client_error")]
    pub unreadable_json_status: u16,
    /// Whether an invalid TTL of a storage area is an error.
    #[serde(deserialize_with = "boolean")]
    pub strict_storage_ttl: bool,
}

fn server_or_client_error<'de, D: Deserializer<'de>>(from: D) -> Result<u16, D::Error> {
    values::number(from, "expected 500 or 400", |status| {
        matches!(status, 400 | 500)
    })
}
