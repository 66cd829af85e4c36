//! The query parameters of searches of active services.

use utoipa::ToSchema;

use crate::{
    http::{
        ApiError,
        admin_api::{page_size, parse_cursor},
    },
    model::{ExpiryOrder, ListRange, ServiceFilter, Timestamp},
    service::{FormData, ServiceSearch},
};

/// The maximum length of the parameter `prefix`.
const MAX_PREFIX_CHARACTERS: usize = 64;
/// The maximum length of names, in bytes.
const MAX_NAME_BYTES: usize = 256;
/// The values of `sort`.
pub(in crate::http) const SOONEST_FIRST: &str = "expires_at";
pub(in crate::http) const LATEST_FIRST: &str = "-expires_at";

/// The filters and the order of a list of services.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only described")]
pub(in crate::http) struct ServiceSearchQuery {
    /// Only services whose ids begin with this prefix, as in the log (`0f9d7c1e`), and storage areas whose custom ids do
    #[param(required = false, pattern = "[^.\u{2026}]$", max_length = 64)]
    prefix: String,
    /// Only services of this configured service; `_storage` for storage areas
    #[param(required = false, min_length = 1, max_length = 256, example = "store")]
    service: String,
    /// Only services that were created with this `gms_user`
    #[param(required = false, min_length = 1, max_length = 256, example = "ada")]
    gms_user: String,
    /// Only services for which this number is booked, in any notation (`+1 800 344 9999`). At most 64 bytes
    #[param(required = false, min_length = 1, max_length = 64)]
    number: String,
    /// Only services that expire before this time
    #[param(required = false, format = DateTime, example = "2031-05-17T09:30:00.000Z")]
    expires_before: String,
    /// The order
    #[param(inline, required = false)]
    sort: ServiceSort,
}

/// By expiration time, the first or the last one first
#[derive(ToSchema)]
#[schema(default = "expires_at")]
#[expect(dead_code, reason = "only described")]
enum ServiceSort {
    #[schema(rename = "expires_at")]
    SoonestFirst,
    #[schema(rename = "-expires_at")]
    LatestFirst,
}

/// Parses the query parameters of a search.
pub(in crate::http) fn parse_search(query: &FormData) -> Result<ServiceSearch, ApiError> {
    Ok(ServiceSearch {
        range: ListRange {
            order: parse_order(query)?,
            after: parse_cursor(query)?,
            expires_before: parse_time(query, "expires_before")?,
        },
        filter: ServiceFilter {
            id_prefix: prefix(query)?.map(str::to_owned),
            definition: name(query, "service")?,
            gms_user: name(query, "gms_user")?,
        },
        number: name(query, "number")?,
        limit: page_size(query)?,
    })
}

/// The query parameter `prefix` without a trailing ellipsis, which ids in the log have.
fn prefix(query: &FormData) -> Result<Option<&str>, ApiError> {
    let Some(text) = query.text("prefix") else {
        return Ok(None);
    };
    let prefix = text.trim_end_matches(['.', '\u{2026}']);
    if (1..=MAX_PREFIX_CHARACTERS).contains(&prefix.chars().count()) {
        return Ok(Some(prefix));
    }
    let message = format!(
        "prefix has {} characters, expected 1 to {MAX_PREFIX_CHARACTERS}",
        prefix.chars().count()
    );
    Err(ApiError::InvalidParameter(message))
}

/// A query parameter with a name.
fn name(query: &FormData, parameter: &str) -> Result<Option<String>, ApiError> {
    let Some(text) = query.text(parameter) else {
        return Ok(None);
    };
    if (1..=MAX_NAME_BYTES).contains(&text.len()) {
        return Ok(Some(text.to_owned()));
    }
    let bytes = text.len();
    let message = format!("{parameter} has {bytes} bytes, expected 1 to {MAX_NAME_BYTES}");
    Err(ApiError::InvalidParameter(message))
}

/// A query parameter with a time in ISO 8601.
fn parse_time(query: &FormData, parameter: &str) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = query.text(parameter) else {
        return Ok(None);
    };
    let time = Timestamp::parse(text).ok_or_else(|| {
        ApiError::InvalidParameter(format!(
            "{parameter} is {text:?}, expected ISO 8601, such as \"2031-05-17T09:30:00.000Z\""
        ))
    });
    time.map(Some)
}

/// The query parameter `sort`.
fn parse_order(query: &FormData) -> Result<ExpiryOrder, ApiError> {
    match query.text("sort") {
        None | Some(SOONEST_FIRST) => Ok(ExpiryOrder::SoonestFirst),
        Some(LATEST_FIRST) => Ok(ExpiryOrder::LatestFirst),
        Some(other) => Err(ApiError::InvalidParameter(format!(
            "sort is {other:?}, expected {SOONEST_FIRST} or {LATEST_FIRST}"
        ))),
    }
}
