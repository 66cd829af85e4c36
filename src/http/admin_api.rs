//! The admin API: catalog, active services, bookings, webhooks, audit log and replicas, and the node status for load balancers.
//!
//! One file for each resource, with its handlers, response types and JSON Schemas.

use super::{ApiError, AppState, response};
use crate::{
    model::{Cursor, Timestamp},
    service::{Actor, Admin, FormData, Precondition, parse_integer},
};
use actix_web::{
    HttpMessage, HttpRequest, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{ETAG, IF_MATCH, IF_NONE_MATCH},
    },
};

pub(super) mod active_services;
pub(super) mod audit_log;
pub(super) mod bookings;
pub(super) mod catalog_entries;
mod catalog_responses;
pub(super) mod configured_services;
pub(super) mod import_export;
pub(super) mod import_report;
pub(super) mod matches;
pub(super) mod node;
pub(super) mod problems;
pub(super) mod quarantine;
pub(super) mod replicas;
pub(super) mod resource_groups;
pub(super) mod restore;
pub(super) mod statistics;
pub(super) mod webhooks;

/// Default and maximum page size.
pub(super) const PAGE_LIMITS: (usize, usize) = (50, 200);

/// The admin service. Its routes exist only if it is enabled.
pub(super) fn admin_service(state: &AppState) -> Result<&Admin, ApiError> {
    state.admin.as_ref().ok_or_else(|| {
        tracing::error!("admin route without admin service");
        ApiError::Internal
    })
}

/// The operator of a request, whom the authentication has added, for the audit log.
fn actor(request: &HttpRequest) -> Result<Actor, ApiError> {
    request.extensions().get().cloned().ok_or_else(|| {
        tracing::error!("admin route without authentication");
        ApiError::Internal
    })
}

/// The precondition of a change: `If-Match` with `ETag`s or `*`, or `If-None-Match: *`.
fn precondition(request: &HttpRequest) -> Result<Precondition, ApiError> {
    let header = |name| {
        let lines = request.headers().get_all(name);
        let lines: Vec<_> = lines.map(|line| line.to_str().unwrap_or("?")).collect();
        (!lines.is_empty()).then(|| lines.join(","))
    };
    match (header(IF_MATCH), header(IF_NONE_MATCH)) {
        (None, None) => Ok(Precondition::None),
        (None, Some(tag)) if tag.trim() == "*" => Ok(Precondition::MustNotExist),
        (Some(tags), None) if tags.trim() == "*" => Ok(Precondition::MustExist),
        (Some(tags), None) => {
            let tags = tags.split(',').map(str::trim);
            // Weak tags never match: `If-Match` requires the strong comparison.
            let revision = |tag: &str| Some(tag.strip_prefix('"')?.strip_suffix('"')?.to_owned());
            Ok(Precondition::IfMatch(tags.filter_map(revision).collect()))
        }
        _ => Err(ApiError::InvalidParameter(
            "expected If-Match with an ETag or *, or If-None-Match: *".to_owned(),
        )),
    }
}

/// A response with an `ETag`.
fn with_etag(status: StatusCode, revision: &str) -> HttpResponseBuilder {
    let mut response = response::with_default_headers(status);
    response.insert_header((ETAG, format!("\"{revision}\"")));
    response
}

/// The query parameter `limit`: the page size.
pub(super) fn page_size(query: &FormData) -> Result<usize, ApiError> {
    page_size_up_to(query, PAGE_LIMITS.1)
}

/// The query parameter `limit` of a list with smaller pages.
pub(super) fn page_size_up_to(query: &FormData, max: usize) -> Result<usize, ApiError> {
    let Some(text) = query.text("limit") else {
        return Ok(PAGE_LIMITS.0);
    };
    let limit = parse_integer(text).and_then(|limit| limit.try_into().ok());
    let limit = limit.filter(|limit| (1..=max).contains(limit));
    limit.ok_or_else(|| {
        let message = format!("limit is {text:?}, expected an integer from 1 to {max}");
        ApiError::InvalidParameter(message)
    })
}

/// The query parameter `after`: the cursor `next` of the previous page.
pub(super) fn parse_cursor(query: &FormData) -> Result<Option<Cursor>, ApiError> {
    let Some(text) = query.text("after") else {
        return Ok(None);
    };
    let parse = || {
        let (end, name) = text.split_once('-')?;
        let end = Timestamp::from_millis(end.parse().ok().filter(|end| *end >= 0)?);
        let name = name.to_owned();
        Some(Cursor { end, name })
    };
    let cursor = parse().ok_or_else(|| {
        let message = format!("after is {text:?}, expected the value of next in the previous page");
        ApiError::InvalidParameter(message)
    });
    cursor.map(Some)
}

/// Formats a cursor for [`parse_cursor`].
pub(super) fn format_cursor(cursor: &Cursor) -> String {
    format!("{}-{}", cursor.end.millis(), cursor.name)
}
