//! Sign-in and sign-out.

use actix_web::{
    HttpRequest,
    web::{Data, Payload},
};
use secrecy::ExposeSecret;

use super::{
    PageResult,
    form::Form,
    ok_page, redirect_see_other,
    redirect_targets::{SIGN_IN_PATH, after_sign_in},
    session_cookie::{redirect_with_cookie, remove_cookie, session_cookie, session_token},
    sign_in_page::SignInPage,
    signed_in::SignedIn,
};
use crate::{
    http::{ApiError, AppState, admin_api, body, middleware::real_ip::client_address},
    service::{Admin, BasicCredentials, SingleSignOn},
};

/// `GET /genesys/1/admin/ui/sign-in`
pub(super) async fn show_sign_in(state: Data<AppState>, request: HttpRequest) -> PageResult {
    let query = body::parse_query(&state, &request)?;
    let admin = admin_api::admin_service(&state)?;
    let page = SignInPage::new(admin, query.text("to").unwrap_or_default());
    ok_page(&match query.text("message") {
        // The sign-out has removed the cookie. Any page can link here.
        Some("signed_out") if has_provider_sign_out(admin) && session_token(&request).is_none() => {
            page.with_provider_sign_out()
        }
        _ => page,
    })
}

/// `POST /genesys/1/admin/ui/sign-in`
pub(super) async fn sign_in(
    state: Data<AppState>,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    let form = Form::read_public(&state, &request, payload).await?;
    let (name, to) = (form.text("name"), form.text("to"));
    let password = form.text("password").to_owned().into();
    let credentials = BasicCredentials(Some((name.to_owned(), password)));
    let address = client_address(&request, &state.trusted_proxies);
    let admin = admin_api::admin_service(&state)?;
    match admin.sign_in(&credentials, address).await {
        Ok((token, role)) => {
            let cookie = session_cookie(&request, token.expose_secret());
            redirect_with_cookie(after_sign_in(role, to), &cookie)
        }
        Err(error) => sign_in_failed_page(&error.into(), SignInPage::new(admin, to), name),
    }
}

/// `POST /genesys/1/admin/ui/sign-out`
pub(super) async fn sign_out(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    Form::read(&state, &session, &request, payload).await?;
    let admin = admin_api::admin_service(&state)?;
    if let Some(token) = session_token(&request) {
        admin.sign_out(&token).await?;
    }
    let mut response = if session.is_single_sign_on() && has_provider_sign_out(admin) {
        redirect_see_other(&format!("{SIGN_IN_PATH}?message=signed_out"))
    } else {
        redirect_see_other(SIGN_IN_PATH)
    };
    remove_cookie(&mut response, session_cookie(&request, ""))?;
    Ok(response)
}

/// Whether users of single sign-on can sign out at the identity provider too.
fn has_provider_sign_out(admin: &Admin) -> bool {
    let single_sign_on = admin.single_sign_on();
    single_sign_on.is_some_and(SingleSignOn::has_provider_sign_out)
}

/// The sign-in page with an error.
fn sign_in_failed_page(error: &ApiError, page: SignInPage, name: &str) -> PageResult {
    let problem = match error {
        ApiError::Unauthorized(_) => "Incorrect user name or password.".to_owned(),
        other => other.to_string(),
    };
    page.with_problem(problem, name.to_owned())
        .error_response(error)
}
