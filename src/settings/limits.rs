//! `[limits]`: maximum sizes of requests and services.

use std::time::Duration;

use serde::Deserialize;

use super::values::{integer, seconds};

/// Maximum size of a Redis string.
const MAX_VALUE_BYTES: u64 = 512 * 1024 * 1024;
const MAX_BODY_BYTES: u64 = 4 * 1024 * 1024 * 1024;
const MIB: u64 = 1024 * 1024;
const TIB: u64 = MIB * MIB;

/// `[limits]`; each is at least 1 and inclusive.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Bytes of one string value.
    #[serde(deserialize_with = "integer::<1, MAX_VALUE_BYTES, _, _>")]
    pub string_bytes: usize,
    /// Bytes of one binary.
    #[serde(deserialize_with = "integer::<1, MAX_BODY_BYTES, _, _>")]
    pub binary_bytes: usize,
    /// Bytes of a request body.
    #[serde(deserialize_with = "integer::<1, MAX_BODY_BYTES, _, _>")]
    pub body_bytes: usize,
    /// Bytes of a JSON or form body.
    #[serde(deserialize_with = "integer::<1, MAX_VALUE_BYTES, _, _>")]
    pub form_bytes: usize,
    /// Nesting depth of maps and arrays in JSON, at most 128, as `serde_json` supports.
    #[serde(deserialize_with = "integer::<1, 128, _, _>")]
    pub json_depth: usize,
    /// Fields of one request.
    #[serde(deserialize_with = "integer::<1, 1900, _, _>")]
    pub fields: usize,
    /// Keys in one service.
    #[serde(deserialize_with = "integer::<1, 1_000_000, _, _>")]
    pub keys: usize,
    /// Total bytes of request bodies in memory.
    #[serde(deserialize_with = "integer::<MIB, TIB, _, _>")]
    pub request_memory_bytes: usize,
    /// Total bytes of response bodies in memory.
    #[serde(deserialize_with = "integer::<MIB, TIB, _, _>")]
    pub response_memory_bytes: usize,
    /// Open event streams of this process.
    #[serde(deserialize_with = "integer::<1, 1_000_000, _, _>")]
    pub watchers: usize,
    /// The longest TTL of a service.
    #[serde(rename = "max_ttl_seconds")]
    #[serde(deserialize_with = "seconds::<1, 315_360_000, _>")]
    pub max_ttl: Duration,
}
