//! Parameters in paths of the Storage API. Segments of equal paths must have one name in an OpenAPI document, so some
//! have a name for two meanings.
#![expect(
    dead_code,
    reason = "the fields describe parameters and are never read"
)]

use utoipa::IntoParams;

use crate::http::openapi::{fields::EXAMPLE_FILE, surface::example_ttl_seconds};

/// The storage in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct IdPath {
    /// The id of a storage area or of a service, or a custom id of the user in `gms_user`. An unknown id returns 404.
    #[param(rename = "idOrTtl", min_length = 1, example = "session4711")]
    id: String,
}

/// The storage and the key in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct IdAndKeyPath {
    /// The id of a storage area or of a service, or a custom id of the user in `gms_user`. An unknown id returns 404.
    #[param(rename = "idOrTtl", min_length = 1, example = "session4711")]
    id: String,
    /// The storage key: any characters, 1 to 256 bytes; encode `/` as `%2F`.
    #[param(rename = "keyOrTtl", min_length = 1, example = "language")]
    key: String,
}

/// The storage and the key of a binary in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct BinaryPath {
    /// The id of a storage area or of a service, or a custom id of the user in `gms_user`. An unknown id returns 404.
    #[param(min_length = 1, example = "session4711")]
    id: String,
    /// The storage key: any characters, 1 to 256 bytes; encode `/` as `%2F`.
    #[param(min_length = 1, example = json!(EXAMPLE_FILE))]
    key: String,
}

/// The TTL of a new storage area in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct TtlPath {
    /// The TTL in seconds, at most `limits.max_ttl_seconds`. In place of an invalid one 30 seconds are used, and a
    /// `Warning` header says so; with `api.strict_storage_ttl` it is an error.
    #[param(rename = "idOrTtl", min_length = 1, example = json!(example_ttl_seconds().to_string()))]
    ttl: String,
}

/// The storage and the new TTL in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct IdAndTtlPath {
    /// The id of a storage area or of a service, or a custom id of the user in `gms_user`.
    #[param(rename = "idOrTtl", min_length = 1, example = "session4711")]
    id: String,
    /// The TTL in seconds, at most `limits.max_ttl_seconds`. In place of an invalid one 30 seconds are used, and a
    /// `Warning` header says so; with `api.strict_storage_ttl` it is an error.
    #[param(rename = "keyOrTtl", min_length = 1, example = json!(example_ttl_seconds().to_string()))]
    ttl: String,
}

/// The custom id and the new TTL in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct CustomIdAndTtlPath {
    /// A custom id of the user in `gms_user`: 1 to 256 bytes; encode `/` as `%2F`.
    #[param(min_length = 1, example = "session4711")]
    id: String,
    /// The TTL in seconds, at most `limits.max_ttl_seconds`. In place of an invalid one 30 seconds are used, and a
    /// `Warning` header says so; with `api.strict_storage_ttl` it is an error.
    #[param(min_length = 1, example = json!(example_ttl_seconds().to_string()))]
    ttl: String,
}
