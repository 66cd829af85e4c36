//! The cookie with the session token.

use actix_web::{
    HttpRequest,
    cookie::{Cookie, SameSite},
};

use super::HOME;

const SESSION_COOKIE: &str = "switchboard_session";

/// The session token in the cookie.
pub(super) fn session_token(request: &HttpRequest) -> Option<String> {
    let cookie = request.cookie(SESSION_COOKIE)?;
    Some(cookie.value().to_owned())
}

/// The session cookie: limited to the console, `HttpOnly`, and `SameSite=Lax` so that forms and scripts of other sites
/// do not send it.
pub(super) fn session_cookie<'a>(request: &HttpRequest, token: &'a str) -> Cookie<'a> {
    let proxied = request.headers().get("x-forwarded-proto");
    let encrypted =
        request.app_config().secure() || proxied.is_some_and(|scheme| scheme == "https");
    Cookie::build(SESSION_COOKIE, token)
        .path(HOME)
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(encrypted)
        .finish()
}
