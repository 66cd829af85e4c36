//! Sign-in by single sign-on: the redirect to the identity provider, and the callback.

use actix_web::{HttpRequest, http::StatusCode, web::Data};
use secrecy::ExposeSecret;

use super::{
    PageResult, redirect_see_other,
    redirect_targets::{after_sign_in, is_safe_redirect},
    render,
    session_cookie::{
        pending_cookie, pending_sign_in, redirect_with_cookie, remove_cookie, session_cookie,
    },
    sign_in_page::SignInPage,
};
use crate::{
    http::{ApiError, AppState, admin_api, body, middleware::real_ip::client_address},
    service::{
        Admin, FormData, SignInCallback, SingleSignOn, SingleSignOnError, SingleSignOnSession,
    },
};

/// `GET /genesys/1/admin/ui/sign-in/single-sign-on`
pub(super) async fn begin_sign_in(state: Data<AppState>, request: HttpRequest) -> PageResult {
    let (admin, single_sign_on) = enabled(&state, &request)?;
    let query = body::parse_query(&state, &request)?;
    let target = query.text("to").filter(|target| is_safe_redirect(target));
    let target = target.unwrap_or_default();
    match admin.begin_single_sign_on(single_sign_on, target).await {
        Ok(begun) => {
            let cookie = pending_cookie(single_sign_on, &begun.cookie);
            redirect_with_cookie(&begun.authorization_url, &cookie)
        }
        Err(error) => failed_page(admin, target, error),
    }
}

/// `GET /genesys/1/admin/ui/sign-in/callback`
pub(super) async fn complete_sign_in(state: Data<AppState>, request: HttpRequest) -> PageResult {
    let (admin, single_sign_on) = enabled(&state, &request)?;
    let callback = callback(&body::parse_query(&state, &request)?);
    let cookie = pending_sign_in(&request);
    let address = client_address(&request, &state.trusted_proxies);
    let completed = admin
        .complete_single_sign_on(single_sign_on, cookie.as_deref(), callback, address)
        .await;
    let mut response = match completed {
        Ok(session) => signed_in_response(&request, single_sign_on, &session)?,
        Err(error) => failed_page(admin, "", error)?,
    };
    remove_cookie(&mut response, pending_cookie(single_sign_on, ""))?;
    Ok(response)
}

/// `GET /genesys/1/admin/ui/sign-in/provider-sign-out`: a link, because forms can only lead to this site.
pub(super) async fn sign_out_at_provider(
    state: Data<AppState>,
    request: HttpRequest,
) -> PageResult {
    let (admin, single_sign_on) = enabled(&state, &request)?;
    if !single_sign_on.has_provider_sign_out() {
        return Err(ApiError::NotFound(request.path().to_owned()).into());
    }
    match admin.provider_sign_out_url(single_sign_on).await {
        Ok(url) => Ok(redirect_see_other(&url)),
        Err(error) => failed_page(admin, "", error),
    }
}

/// Single sign-on. Its routes do not exist if it is disabled.
fn enabled<'a>(
    state: &'a AppState,
    request: &HttpRequest,
) -> Result<(&'a Admin, &'a SingleSignOn), ApiError> {
    let admin = admin_api::admin_service(state)?;
    let single_sign_on = admin.single_sign_on();
    let single_sign_on =
        single_sign_on.ok_or_else(|| ApiError::NotFound(request.path().to_owned()))?;
    Ok((admin, single_sign_on))
}

/// The redirect to the page that the user requested, with the session.
fn signed_in_response(
    request: &HttpRequest,
    single_sign_on: &SingleSignOn,
    session: &SingleSignOnSession,
) -> PageResult {
    let mut cookie = session_cookie(request, session.token.expose_secret());
    // A proxy may not say that browsers use https.
    if single_sign_on.has_encrypted_url() {
        cookie.set_secure(true);
    }
    redirect_with_cookie(after_sign_in(session.role, &session.target), &cookie)
}

fn callback(query: &FormData) -> SignInCallback {
    let text = |name: &str| query.text(name).map(str::to_owned);
    SignInCallback {
        state: text("state").unwrap_or_default(),
        code: text("code"),
        error: text("error"),
        error_description: text("error_description"),
        issuer: text("iss"),
    }
}

/// The sign-in page with an error.
fn failed_page(admin: &Admin, to: &str, error: SingleSignOnError) -> PageResult {
    let page = SignInPage::new(admin, to).with_problem(error.message(), String::new());
    let status = match error {
        SingleSignOnError::Unavailable(_)
        | SingleSignOnError::InvalidResponse(_)
        | SingleSignOnError::NoSignOut => StatusCode::BAD_GATEWAY,
        SingleSignOnError::UnexpectedCallback(_) | SingleSignOnError::Rejected { .. } => {
            StatusCode::UNAUTHORIZED
        }
        SingleSignOnError::NotPermitted(_) => StatusCode::FORBIDDEN,
        SingleSignOnError::Service(error) => return page.error_response(&error.into()),
    };
    render(status, &page)
}
