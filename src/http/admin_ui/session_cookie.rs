//! The cookies of the console: the session token, and a pending single sign-on.

use actix_web::{
    HttpRequest, HttpResponse,
    cookie::{Cookie, SameSite, time::Duration},
    http::header::SET_COOKIE,
};

use super::{HOME, PageError, PageResult, redirect_see_other, redirect_targets::SIGN_IN_PATH};
use crate::{
    http::ApiError,
    service::{PENDING_SECONDS, SingleSignOn},
};

const SESSION_COOKIE: &str = "switchboard_session";
const PENDING_COOKIE: &str = "switchboard_single_sign_on";

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

/// The pending single sign-on in the cookie.
pub(super) fn pending_sign_in(request: &HttpRequest) -> Option<String> {
    let cookie = request.cookie(PENDING_COOKIE)?;
    Some(cookie.value().to_owned())
}

/// The cookie of a pending single sign-on. `SameSite=Lax`, because the provider redirects the browser to the callback:
/// a browser sends `Strict` cookies only with requests that begin at this site.
pub(super) fn pending_cookie<'a>(single_sign_on: &SingleSignOn, value: &'a str) -> Cookie<'a> {
    let max_age = i64::try_from(PENDING_SECONDS).unwrap_or_default();
    Cookie::build(PENDING_COOKIE, value)
        .path(SIGN_IN_PATH)
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(single_sign_on.has_encrypted_url())
        .max_age(Duration::seconds(max_age))
        .finish()
}

/// A redirect to `url` that sets a cookie.
pub(super) fn redirect_with_cookie(url: &str, cookie: &Cookie) -> PageResult {
    let mut response = redirect_see_other(url);
    add_cookie(&mut response, cookie)?;
    Ok(response)
}

fn add_cookie(response: &mut HttpResponse, cookie: &Cookie) -> Result<(), PageError> {
    let value = cookie.to_string().parse();
    let value = value.map_err(|_error| ApiError::Internal)?;
    response.headers_mut().append(SET_COOKIE, value);
    Ok(())
}

/// Removes a cookie.
pub(super) fn remove_cookie(
    response: &mut HttpResponse,
    mut cookie: Cookie,
) -> Result<(), PageError> {
    cookie.make_removal();
    add_cookie(response, &cookie)
}
