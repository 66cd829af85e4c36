//! Sign-in and sign-out.

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    cookie::{Cookie, SameSite},
    http::{Uri, header::SET_COOKIE},
    web::{Data, Payload},
};
use askama::Template;
use secrecy::ExposeSecret;

use super::{
    HOME, Layout, PageError, PageResult, copy_error_headers, form::Form, is_navigable, ok_page,
    percent_encode, redirect_see_other, render, session_middleware::SignedIn,
};
use crate::{
    http::{ApiError, AppState, admin_api, body, middleware::real_ip::client_address},
    service::BasicCredentials,
};

/// The session cookie.
const SESSION_COOKIE: &str = "switchboard_session";
const SIGN_IN_PATH: &str = "/genesys/1/admin/ui/sign-in";

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    layout: Layout,
    to: String,
    name: String,
    problem: String,
}

/// The URL of the sign-in page, with a redirect back to `page` if that is allowed.
pub(super) fn sign_in_url(page: &Uri) -> String {
    let page = page.path_and_query().map_or(HOME, |page| page.as_str());
    if is_safe_redirect(page) {
        format!("{SIGN_IN_PATH}?to={}", percent_encode(page))
    } else {
        SIGN_IN_PATH.to_owned()
    }
}

/// The session token in the cookie.
pub(super) fn session_token(request: &HttpRequest) -> Option<String> {
    let cookie = request.cookie(SESSION_COOKIE)?;
    Some(cookie.value().to_owned())
}

/// `GET /genesys/1/admin/ui/sign-in`
pub(super) async fn show_sign_in(state: Data<AppState>, request: HttpRequest) -> PageResult {
    let query = body::parse_query(&state, &request)?;
    ok_page(&SignInPage {
        layout: Layout::signed_out("Sign in"),
        to: query.text("to").unwrap_or_default().to_owned(),
        name: String::new(),
        problem: String::new(),
    })
}

/// `POST /genesys/1/admin/ui/sign-in`
pub(super) async fn sign_in(
    state: Data<AppState>,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    let form = Form::read_public(&state, &request, payload).await?;
    let (name, to) = (form.text("name").to_owned(), form.text("to").to_owned());
    let credentials = BasicCredentials(Some((
        name.clone(),
        form.text("password").to_owned().into(),
    )));
    let address = client_address(&request, &state.trusted_proxies);
    let token = admin_api::admin_service(&state)?
        .sign_in(&credentials, address)
        .await;
    let token = match token.map_err(ApiError::from) {
        Ok(token) => token,
        Err(error) => return sign_in_failed_page(&error, name, to),
    };
    let mut response = redirect_see_other(if is_safe_redirect(&to) { &to } else { HOME });
    let cookie = session_cookie(&request, token.expose_secret()).to_string();
    add_cookie(&mut response, &cookie)?;
    Ok(response)
}

/// `POST /genesys/1/admin/ui/sign-out`
pub(super) async fn sign_out(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    Form::read(&state, &session, &request, payload).await?;
    if let Some(token) = session_token(&request) {
        admin_api::admin_service(&state)?.sign_out(&token).await?;
    }
    let mut response = redirect_see_other(SIGN_IN_PATH);
    let mut cookie = session_cookie(&request, "");
    cookie.make_removal();
    add_cookie(&mut response, &cookie.to_string())?;
    Ok(response)
}

/// The sign-in page with an error.
fn sign_in_failed_page(error: &ApiError, name: String, to: String) -> PageResult {
    let problem = match error {
        ApiError::Unauthorized(_) => "Incorrect user name or password.".to_owned(),
        other => other.to_string(),
    };
    let page = SignInPage {
        layout: Layout::signed_out("Sign in"),
        to,
        name,
        problem,
    };
    let mut response = render(error.status_code(), &page)?;
    copy_error_headers(&mut response, &error.error_response());
    Ok(response)
}

/// The session cookie: limited to the console, `HttpOnly`, and `SameSite=Lax` so that forms and scripts of other sites
/// do not send it.
fn session_cookie<'a>(request: &HttpRequest, token: &'a str) -> Cookie<'a> {
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

fn add_cookie(response: &mut HttpResponse, cookie: &str) -> Result<(), PageError> {
    let value = cookie.parse().map_err(|_error| ApiError::Internal)?;
    response.headers_mut().insert(SET_COOKIE, value);
    Ok(())
}

/// Whether the target is a page of the console. Prevents open redirects.
fn is_safe_redirect(target: &str) -> bool {
    let plain = target
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let path = target.split('?').next().unwrap_or_default();
    let dots = path.to_ascii_lowercase().replace("%2e", ".");
    let dots = dots.split('/').any(|part| matches!(part, "." | ".."));
    plain && !dots && is_navigable(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sign_in_redirects_only_to_own_pages() {
        for (target, expected) in [
            ("/genesys/1/admin/ui", true),
            ("/genesys/1/admin/ui/services/a%20b?x=1", true),
            ("/genesys/1/admin/ui?x=../..", true),
            ("/genesys/1/admin/ui/../../service/store", false),
            ("/genesys/1/admin/ui/.%2E/x", false),
            ("/genesys/1/admin/uix", false),
            ("//elsewhere/genesys/1/admin/ui", false),
            ("https://elsewhere/genesys/1/admin/ui", false),
            ("/genesys/1/admin/ui/\\elsewhere", false),
            ("/genesys/1/admin/ui\r\nSet-Cookie: a=b", false),
            ("", false),
            // Not pages: form targets and the event stream.
            ("/genesys/1/admin/ui/sign-out", false),
            ("/genesys/1/admin/ui/services/store/delete", false),
            ("/genesys/1/admin/ui/overview/events", false),
            ("/genesys/1/admin/ui/no/such/page", false),
        ] {
            assert_eq!(is_safe_redirect(target), expected, "{target:?}");
        }
    }
}
