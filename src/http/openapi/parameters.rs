//! Path, header and query parameters that several operations share. The types are only described; handlers read
//! requests with `path`, `body` and header names.
#![expect(
    dead_code,
    reason = "the fields describe parameters and are never read"
)]

use serde_json::json;
use utoipa::{
    IntoParams,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

use crate::http::admin_api::PAGE_LIMITS;

/// The service id in all examples.
pub(in crate::http) const EXAMPLE_ID: &str = "39a98e24-b03b-4191-b756-1efe8f3b16b8";

/// The service in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct ServicePath {
    /// The name of a configured service, or the id of a service.
    #[param(min_length = 1, example = "store")]
    service: String,
}

/// The service id in a path whose segment can also be the name of a configured service.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct ExistingServicePath {
    /// The id of a service, from the response of its create. It is opaque; an unknown id returns 404.
    #[param(min_length = 1, example = json!(EXAMPLE_ID))]
    service: String,
}

/// The service id in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct ServiceIdPath {
    /// The id of a service, from the response of its create. It is opaque; an unknown id returns 404.
    #[param(min_length = 1, example = json!(EXAMPLE_ID))]
    id: String,
}

/// The id of an active service in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct ActiveServicePath {
    /// The `id` of the list, percent-encoded as one path segment, such as `custom%2Fann%2Fs1`.
    #[param(min_length = 1, example = json!(EXAMPLE_ID))]
    id: String,
}

/// The chat in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct ChatPath {
    /// The id of the service of the chat.
    #[param(min_length = 1, example = json!(EXAMPLE_ID))]
    id: String,
}

/// The storage key in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct KeyPath {
    /// The storage key: any characters, 1 to 256 bytes; encode `/` as `%2F`.
    #[param(min_length = 1, example = "language")]
    key: String,
}

/// The resource group in the path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct GroupPath {
    /// The name of a resource group.
    #[param(min_length = 1, example = "sales")]
    group: String,
}

/// The position after which a response has events.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct PositionQuery {
    /// The position of the last event that the client or agent has. Default: 0, the whole transcript.
    #[param(
        rename = "transcriptPosition",
        required = false,
        example = 0,
        minimum = 0,
        maximum = 9_007_199_254_740_992_u64
    )]
    transcript_position: u64,
}

/// The position after which a stream continues.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(in crate::http) struct LastEventHeader {
    /// As `transcriptPosition`, which it replaces.
    #[param(
        rename = "Last-Event-ID",
        required = false,
        minimum = 0,
        maximum = 9_007_199_254_740_992_u64
    )]
    last_event_id: u64,
}

/// The user of the client.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(in crate::http) struct UserHeader {
    /// The user of the client. Optional; stored with a created service, passed on to backends, and recorded in traces.
    #[param(required = false, example = "ada")]
    gms_user: String,
}

/// The user of the client, in requests of the Storage API with an id.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(in crate::http) struct StorageUserHeader {
    /// The user to whom custom ids belong, at most 256 bytes of UTF-8. Required to create a storage area with a custom
    /// id.
    #[param(required = false, example = "ada")]
    gms_user: String,
}

/// The headers of creates.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(in crate::http) struct IdempotencyHeader {
    /// A repeated request of the same client with the same key, while the service is active, returns the first
    /// response and creates nothing. A different request with the key is rejected. A client is identified by its API
    /// key, `Authorization` and `gms_user` headers; without them by its address.
    #[param(
        rename = "Idempotency-Key",
        required = false,
        min_length = 16,
        max_length = 255,
        pattern = "^[!-~]+$",
        example = "c9e0f4d2-6f0b-4d4f-8a63-0b8f2f6f5c11"
    )]
    idempotency_key: String,
}

/// The headers of conditional reads.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(in crate::http) struct IfNoneMatchHeader {
    /// `ETag`s of the versions that the client has cached, or `*`.
    #[param(rename = "If-None-Match", required = false)]
    if_none_match: String,
}

/// The header `If-Match` of changes.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(in crate::http) struct IfMatchHeader {
    /// The `ETag` of the version to change, a list of them, or `*` for any version. `PreconditionFailed` if the
    /// current version is another one, and for `*` if there is none; `PreconditionRequired` if the header is missing and
    /// there is one. Omit it to create what does not exist.
    #[param(rename = "If-Match", inline, required = false, example = "*")]
    if_match: EtagList,
}

/// The header `If-None-Match` of changes.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(in crate::http) struct CreateOnlyHeader {
    /// `*`: create only. Cannot be combined with `If-Match`.
    #[param(rename = "If-None-Match", required = false, pattern = "^\\*$")]
    if_none_match: String,
}

/// The query parameters of a list in the order of expiration.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct PageQuery {
    /// Page size
    #[param(inline, required = false, example = json!(PAGE_LIMITS.0))]
    limit: PageSize,
    /// Cursor: `next` of the previous page
    #[param(required = false, pattern = "^[0-9]{1,18}-")]
    after: String,
}

/// The query parameters of the audit log.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct AuditLogQuery {
    /// Page size
    #[param(inline, required = false, example = json!(PAGE_LIMITS.0))]
    limit: PageSize,
    /// Cursor: `next` of the previous page
    #[param(required = false, pattern = "^[0-9]{1,19}(-[0-9]{1,19})?$")]
    after: String,
}

/// The value of `If-Match`.
struct EtagList;

impl utoipa::ToSchema for EtagList {}

impl utoipa::PartialSchema for EtagList {
    fn schema() -> RefOr<Schema> {
        let examples = [json!("*"), json!("\"2-5c1f09aa\"")];
        let schema = ObjectBuilder::new().schema_type(Type::String);
        schema.examples(examples).into()
    }
}

/// The number of entries of a page.
struct PageSize;

impl utoipa::ToSchema for PageSize {}

impl utoipa::PartialSchema for PageSize {
    fn schema() -> RefOr<Schema> {
        let (default, max) = PAGE_LIMITS;
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .maximum(Some(max))
            .default(Some(json!(default)))
            .into()
    }
}
