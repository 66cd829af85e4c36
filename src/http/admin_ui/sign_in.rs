//! Signing in and out.

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

/// The cookie that shows a visit.
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

/// Where to sign in on the way to that page, where it is one.
pub(super) fn sign_in_url(page: &Uri) -> String {
    let page = page.path_and_query().map_or(HOME, |page| page.as_str());
    if is_safe_redirect(page) {
        format!("{SIGN_IN_PATH}?to={}", percent_encode(page))
    } else {
        SIGN_IN_PATH.to_owned()
    }
}

/// What the browser shows of its visit.
pub(super) fn session_token(request: &HttpRequest) -> Option<String> {
    let cookie = request.cookie(SESSION_COOKIE)?;
    Some(cookie.value().to_owned())
}

/// `GET /genesys/1/admin/ui/sign-in`
pub(super) async fn show_sign_in(api: Data<AppState>, request: HttpRequest) -> PageResult {
    let query = body::parse_query(&api, &request)?;
    ok_page(&SignInPage {
        layout: Layout::signed_out("Sign in"),
        to: query.text("to").unwrap_or_default().to_owned(),
        name: String::new(),
        problem: String::new(),
    })
}

/// `POST /genesys/1/admin/ui/sign-in`
pub(super) async fn sign_in(
    api: Data<AppState>,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    let form = Form::read_public(&api, &request, payload).await?;
    let (name, to) = (form.text("name").to_owned(), form.text("to").to_owned());
    let shown = BasicCredentials(Some((
        name.clone(),
        form.text("password").to_owned().into(),
    )));
    let address = client_address(&request, &api.trusted_proxies);
    let begun = admin_api::admin_service(&api)?
        .sign_in(&shown, address)
        .await;
    let token = match begun.map_err(ApiError::from) {
        Ok(token) => token,
        Err(error) => return sign_in_failed_page(&error, name, to),
    };
    let mut answer = redirect_see_other(if is_safe_redirect(&to) { &to } else { HOME });
    let cookie = session_cookie(&request, token.expose_secret()).to_string();
    add_cookie(&mut answer, &cookie)?;
    Ok(answer)
}

/// `POST /genesys/1/admin/ui/sign-out`
pub(super) async fn sign_out(
    api: Data<AppState>,
    visitor: SignedIn,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    Form::read(&api, &visitor, &request, payload).await?;
    if let Some(token) = session_token(&request) {
        admin_api::admin_service(&api)?.sign_out(&token).await?;
    }
    let mut answer = redirect_see_other(SIGN_IN_PATH);
    let mut cookie = session_cookie(&request, "");
    cookie.make_removal();
    add_cookie(&mut answer, &cookie.to_string())?;
    Ok(answer)
}

/// The page once more, with what was wrong.
fn sign_in_failed_page(error: &ApiError, name: String, to: String) -> PageResult {
    let problem = match error {
        ApiError::Unauthorized(_) => {
            "This user name and password are not those of the administration.".to_owned()
        }
        other => other.to_string(),
    };
    let page = SignInPage {
        layout: Layout::signed_out("Sign in"),
        to,
        name,
        problem,
    };
    let mut answer = render(error.status_code(), &page)?;
    copy_error_headers(&mut answer, &error.error_response());
    Ok(answer)
}

/// It goes to the pages only, no script can read it, and no form or script of another site sends it.
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

fn add_cookie(answer: &mut HttpResponse, cookie: &str) -> Result<(), PageError> {
    let value = cookie.parse().map_err(|_wrong| ApiError::Internal)?;
    answer.headers_mut().insert(SET_COOKIE, value);
    Ok(())
}

/// Whether that is a page of ours, and not one that somebody wants an operator to be led to.
fn is_safe_redirect(place: &str) -> bool {
    let plain = place
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let path = place.split('?').next().unwrap_or_default();
    let dots = path.to_ascii_lowercase().replace("%2e", ".");
    let dots = dots.split('/').any(|part| matches!(part, "." | ".."));
    plain && !dots && is_navigable(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sign_in_redirects_only_to_own_pages() {
        for (place, expected) in [
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
            // What no browser gets: forms are sent there, and a page listens.
            ("/genesys/1/admin/ui/sign-out", false),
            ("/genesys/1/admin/ui/services/store/delete", false),
            ("/genesys/1/admin/ui/overview/events", false),
            ("/genesys/1/admin/ui/no/such/page", false),
        ] {
            assert_eq!(is_safe_redirect(place), expected, "{place:?}");
        }
    }
}
