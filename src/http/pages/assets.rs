//! Style, script and icon of the pages, compiled in.

use actix_web::{
    HttpRequest,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, PRAGMA},
    },
};

use super::{Page, PageError};
use crate::{
    http::{ApiError, binaries, reply},
    store::stable_hash,
};

/// Name, type, and what is in it.
const ASSETS: [(&str, &str, &str); 4] = [
    (
        "pages.css",
        "text/css;charset=utf-8",
        include_str!("assets/pages.css"),
    ),
    (
        "pages.js",
        "text/javascript;charset=utf-8",
        include_str!("assets/pages.js"),
    ),
    (
        "try_it.js",
        "text/javascript;charset=utf-8",
        include_str!("assets/try_it.js"),
    ),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];

/// `GET /genesys/1/admin/ui/assets/{name}`
pub(super) async fn tell(request: HttpRequest) -> Page {
    let name = request.match_info().get("name").unwrap_or_default();
    let asset = ASSETS.iter().find(|(known, _, _)| *known == name);
    let nothing = || PageError::from(ApiError::NotFound(request.path().to_owned()));
    let (_, kind, text) = asset.ok_or_else(nothing)?;
    let tag = format!("\"{:016x}\"", stable_hash(text.as_bytes()));
    let mut answer = if binaries::names(&request, IF_NONE_MATCH.as_str(), &tag) {
        reply::with_headers(StatusCode::NOT_MODIFIED).finish()
    } else {
        reply::with_headers(StatusCode::OK).body(*text)
    };
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.remove(PRAGMA);
    let tag = tag.parse().map_err(|_wrong| ApiError::Internal)?;
    headers.insert(ETAG, tag);
    Ok(answer)
}
