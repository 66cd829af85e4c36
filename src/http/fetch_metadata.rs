//! What browsers tell about the page that makes them send a request (the Fetch Metadata headers), and what is
//! refused for it. Clients that are no browsers send no such headers, and nothing here applies to them.

use actix_web::{
    HttpRequest,
    http::header::{HOST, HeaderValue, ORIGIN, REFERER},
};

use super::{ApiError, AppState, middleware::cors};

pub(super) const SEC_FETCH_SITE: &str = "sec-fetch-site";
pub(super) const SEC_FETCH_MODE: &str = "sec-fetch-mode";
const SEC_FETCH_DEST: &str = "sec-fetch-dest";

/// What values of clients may be used for in a page: anything that runs nothing.
const ALLOWED_DESTINATIONS: [&[u8]; 11] = [
    b"",
    b"empty",
    b"document",
    b"iframe",
    b"frame",
    b"image",
    b"audio",
    b"video",
    b"track",
    b"font",
    b"fencedframe",
];

/// Refuses a create that a page of another site makes a browser send, by an image, a form or a link. An origin
/// that is listed under `cors.allowed_origins` may.
///
/// # Errors
/// [`ApiError::Forbidden`].
pub(super) fn check_cross_site_create(
    api: &AppState,
    request: &HttpRequest,
) -> Result<(), ApiError> {
    if !api.cors.block_cross_site_creates || header(request, SEC_FETCH_SITE) != Some(b"cross-site")
    {
        return Ok(());
    }
    // Images, links and the like come without `Origin`.
    let listed = if request.headers().contains_key(ORIGIN) {
        cors::allowed_origin(&api.cors, request).is_some()
    } else {
        referrer_origin(request).is_some_and(|origin| cors::is_allowed_origin(&api.cors, origin))
    };
    if listed {
        return Ok(());
    }
    Err(ApiError::Forbidden(
        "a page of another site may not create a service, unless its origin is listed under \
         cors.allowed_origins",
    ))
}

/// Refuses to give a value of a client to a page as a script, a style or the like, whatever the page's origin.
///
/// # Errors
/// [`ApiError::Forbidden`].
pub(super) fn check_destination(request: &HttpRequest) -> Result<(), ApiError> {
    let destination = header(request, SEC_FETCH_DEST).unwrap_or_default();
    if ALLOWED_DESTINATIONS.contains(&destination) {
        return Ok(());
    }
    Err(ApiError::Forbidden(
        "a stored value is data: no page may load it as a script, a style sheet, a worker or the like",
    ))
}

/// Whether a request is for the origin that its `Origin` header names: by `Host`, or by `:authority` over HTTP/2
/// and in the absolute form of HTTP/1.1, which counts for more (RFC 9112 3.2.2).
pub(super) fn is_same_origin(request: &HttpRequest, origin: &str) -> bool {
    let Some((scheme, host)) = origin.split_once("://") else {
        return false;
    };
    let target = if let Some(authority) = request.uri().authority() {
        Some(authority.as_str())
    } else {
        let host = request.headers().get(HOST);
        host.and_then(|host| host.to_str().ok())
    };
    let port = match scheme {
        "https" => ":443",
        _ => ":80",
    };
    let without_default =
        |host: &'_ str| host.strip_suffix(port).unwrap_or(host).to_ascii_lowercase();
    !host.is_empty()
        && target.is_some_and(|target| without_default(target) == without_default(host))
}

fn referrer_origin(request: &HttpRequest) -> Option<&str> {
    let referrer = request.headers().get(REFERER)?.to_str().ok()?;
    let host = referrer.find("://")? + 3;
    let end = referrer.get(host..)?.find(['/', '?', '#']);
    referrer.get(..end.map_or(referrer.len(), |end| host + end))
}

fn header<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a [u8]> {
    request.headers().get(name).map(HeaderValue::as_bytes)
}
