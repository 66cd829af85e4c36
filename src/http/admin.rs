//! The administration: what operators do with the catalogue and with what lives, and what load balancers
//! of the original ask.
//!
//! One file for each resource, with the types that it is told and read by.

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{ETAG, IF_MATCH, IF_NONE_MATCH},
    },
    web,
};

use super::{Api, ApiError, caller, reply};
use crate::{
    service::{Admin, Condition, Operator, Pairs, parse_whole_number},
    store::{Moment, Place},
};

pub(super) mod bookings;
pub(super) mod catalog;
pub(super) mod entries;
pub(super) mod history;
pub(super) mod live;
pub(super) mod restore;

/// Entries on a page where nobody says, and at most.
pub(super) const PAGE: (usize, usize) = (50, 200);

/// `GET /genesys/1/admin/node/status`
pub(super) async fn node_status(api: web::Data<Api>) -> HttpResponse {
    if api
        .services
        .check_readiness(&api.readiness)
        .await
        .is_ready()
    {
        reply::text(StatusCode::OK, "ONLINE")
    } else {
        reply::text(StatusCode::SERVICE_UNAVAILABLE, "OFFLINE")
    }
}

/// The administration; its routes are there only where it is.
pub(super) fn admin(api: &Api) -> Result<&Admin, ApiError> {
    api.admin.as_ref().ok_or_else(|| {
        tracing::error!("a route of the administration was served without one");
        ApiError::Internal
    })
}

/// Who asks.
fn operator(api: &Api, request: &HttpRequest) -> Operator {
    let shown = caller::shown(request).0;
    Operator {
        name: shown.map(|(name, _)| name).unwrap_or_default(),
        address: caller::address(request, &api.trusted_proxies),
    }
}

/// Which state a change is for: `If-Match` with an `ETag` or `*`, or `If-None-Match: *`.
fn condition(request: &HttpRequest) -> Result<Condition, ApiError> {
    let header = |name| {
        let lines = request.headers().get_all(name);
        let lines: Vec<_> = lines.map(|line| line.to_str().unwrap_or("?")).collect();
        (!lines.is_empty()).then(|| lines.join(","))
    };
    match (header(IF_MATCH), header(IF_NONE_MATCH)) {
        (None, None) => Ok(Condition::Unsaid),
        (None, Some(none)) if none.trim() == "*" => Ok(Condition::Absent),
        (Some(tags), None) if tags.trim() == "*" => Ok(Condition::Present),
        (Some(tags), None) => {
            let tags = tags.split(',').map(str::trim);
            // A weak tag names no state exactly, so it is none that could match.
            let revision = |tag: &str| Some(tag.strip_prefix('"')?.strip_suffix('"')?.to_owned());
            Ok(Condition::Is(tags.filter_map(revision).collect()))
        }
        _ => Err(ApiError::InvalidParameter(
            "expected If-Match with an ETag or *, or If-None-Match: *".to_owned(),
        )),
    }
}

/// An answer about a state of something.
fn of_revision(status: StatusCode, revision: &str) -> HttpResponseBuilder {
    let mut response = reply::with_headers(status);
    response.insert_header((ETAG, format!("\"{revision}\"")));
    response
}

/// The parameter `limit`: entries on a page.
pub(super) fn page_size(query: &Pairs) -> Result<usize, ApiError> {
    let Some(text) = query.text("limit") else {
        return Ok(PAGE.0);
    };
    let limit = parse_whole_number(text).and_then(|limit| limit.try_into().ok());
    let limit = limit.filter(|limit| (1..=PAGE.1).contains(limit));
    limit.ok_or_else(|| {
        let most = PAGE.1;
        let message = format!("limit is {text:?}; a whole number from 1 to {most} is allowed");
        ApiError::InvalidParameter(message)
    })
}

/// The parameter `after`: where a page begins, as the page before told it.
pub(super) fn place(query: &Pairs) -> Result<Option<Place>, ApiError> {
    let Some(text) = query.text("after") else {
        return Ok(None);
    };
    let read = || {
        let (end, name) = text.split_once('-')?;
        let end = Moment::from_millis(end.parse().ok().filter(|end| *end >= 0)?);
        let name = name.to_owned();
        Some(Place { end, name })
    };
    let place = read().ok_or_else(|| {
        let message = format!("after is {text:?}; expected what a page told as its next one");
        ApiError::InvalidParameter(message)
    });
    place.map(Some)
}

/// A place as [`place`] reads it.
pub(super) fn told(place: &Place) -> String {
    format!("{}-{}", place.end.millis(), place.name)
}
