//! Checks of the Fetch Metadata headers, by which browsers describe the page that caused a request. Other clients
//! do not send these headers and pass the checks.

use actix_web::{
    HttpRequest,
    http::header::{HOST, HeaderValue, ORIGIN, REFERER},
};

use super::{ApiError, AppState, middleware::cors};

pub(super) const SEC_FETCH_SITE: &str = "sec-fetch-site";
pub(super) const SEC_FETCH_MODE: &str = "sec-fetch-mode";
const SEC_FETCH_DEST: &str = "sec-fetch-dest";

/// Destinations for which browsers may load stored values: those that execute nothing.
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

/// Rejects a cross-site create, for example of an image, a form or a link on a page of another site. Origins in
/// `cors.allowed_origins` are exempt.
///
/// # Errors
/// [`ApiError::Forbidden`].
pub(super) fn check_cross_site_create(
    state: &AppState,
    request: &HttpRequest,
) -> Result<(), ApiError> {
    if !state.cors.block_cross_site_creates
        || header(request, SEC_FETCH_SITE) != Some(b"cross-site")
    {
        return Ok(());
    }
    // Browsers send no `Origin` with the requests of images and links.
    let is_allowed = if request.headers().contains_key(ORIGIN) {
        cors::allowed_origin(&state.cors, request.head()).is_some()
    } else {
        referrer_origin(request).is_some_and(|origin| cors::is_allowed_origin(&state.cors, origin))
    };
    if is_allowed {
        return Ok(());
    }
    Err(ApiError::Forbidden(
        "cross-site creates are not allowed unless the origin of the page is listed in \
         cors.allowed_origins",
    ))
}

/// Refuses to serve a stored value to a page as a script, a style sheet or similar, whatever the page's origin.
///
/// # Errors
/// [`ApiError::Forbidden`].
pub(super) fn check_destination(request: &HttpRequest) -> Result<(), ApiError> {
    let destination = header(request, SEC_FETCH_DEST).unwrap_or_default();
    if ALLOWED_DESTINATIONS.contains(&destination) {
        return Ok(());
    }
    Err(ApiError::Forbidden(
        "stored values are data and cannot be loaded as a script, a style sheet or a worker",
    ))
}

/// Whether a request goes to `origin`, the value of its `Origin` header. The target is the `Host` header, unless
/// the request target has an authority (HTTP/2, and the absolute form of HTTP/1.1), which takes precedence
/// (RFC 9112 3.2.2).
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
