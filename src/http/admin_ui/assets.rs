//! Style, script and icon of the pages, compiled in.

use std::sync::LazyLock;

use actix_web::{
    HttpRequest,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, PRAGMA},
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use ring::digest::{SHA256, digest};

use super::{PageError, PageResult};
use crate::{
    http::{ApiError, etag, response},
    model::stable_hash,
};

const CSS: &str = "text/css;charset=utf-8";
const JAVASCRIPT: &str = "text/javascript;charset=utf-8";

/// Name, content type, content.
const ASSETS: [(&str, &str, &str); 9] = [
    ("pages.css", CSS, include_str!("assets/pages.css")),
    ("pages.js", JAVASCRIPT, include_str!("assets/pages.js")),
    ("try_it.js", JAVASCRIPT, include_str!("assets/try_it.js")),
    ("chat.css", CSS, include_str!("assets/chat.css")),
    ("chat.js", JAVASCRIPT, include_str!("assets/chat.js")),
    (
        "chat_list.js",
        JAVASCRIPT,
        include_str!("assets/chat_list.js"),
    ),
    ("chats.js", JAVASCRIPT, include_str!("assets/chats.js")),
    (
        "try_chat.js",
        JAVASCRIPT,
        include_str!("assets/try_chat.js"),
    ),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];

/// The digest of an asset, in the format of the attribute `integrity` and of the `Content-Security-Policy`:
/// `sha256-...`.
pub(super) fn integrity(name: &str) -> &'static str {
    let mut digests = DIGESTS.iter();
    let digest = digests.find(|(known, _)| *known == name);
    digest.map_or("", |(_, digest)| digest)
}

/// The digests of all scripts.
pub(super) fn script_digests() -> impl Iterator<Item = &'static str> {
    let assets = ASSETS.iter();
    let scripts = assets.filter(|(_, content_type, _)| *content_type == JAVASCRIPT);
    scripts.map(|(name, _, _)| integrity(name))
}

static DIGESTS: LazyLock<[(&str, String); ASSETS.len()]> = LazyLock::new(|| {
    ASSETS.map(|(name, _, text)| {
        let digest = STANDARD.encode(digest(&SHA256, text.as_bytes()));
        (name, format!("sha256-{digest}"))
    })
});

/// `GET /genesys/1/admin/ui/assets/{name}`
pub(super) async fn get_asset(request: HttpRequest) -> PageResult {
    let name = request.match_info().get("name").unwrap_or_default();
    let asset = ASSETS.iter().find(|(known, _, _)| *known == name);
    let not_found = || PageError::from(ApiError::NotFound(request.path().to_owned()));
    let (_, content_type, text) = asset.ok_or_else(not_found)?;
    asset_response(&request, content_type, text)
}

/// The response with an asset, or 304 if the browser has it.
fn asset_response(
    request: &HttpRequest,
    content_type: &'static str,
    text: &'static str,
) -> PageResult {
    let etag_value = format!("\"{:016x}\"", stable_hash(text.as_bytes()));
    let mut response = if etag::matches_weak(request, &IF_NONE_MATCH, &etag_value) {
        response::without_body(StatusCode::NOT_MODIFIED).finish()
    } else {
        response::with_default_headers(StatusCode::OK)
            .insert_header((CONTENT_TYPE, content_type))
            .body(text)
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.remove(PRAGMA);
    let etag_value = etag_value.parse().map_err(|_error| ApiError::Internal)?;
    headers.insert(ETAG, etag_value);
    Ok(response)
}
