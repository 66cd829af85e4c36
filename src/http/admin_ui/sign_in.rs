//! Sign-in and sign-out.

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    http::header::SET_COOKIE,
    web::{Data, Payload},
};
use askama::Template;
use secrecy::ExposeSecret;

use super::{
    Layout, PageError, PageResult, copy_error_headers,
    form::Form,
    ok_page, redirect_see_other,
    redirect_targets::{SIGN_IN_PATH, after_sign_in},
    render,
    session_cookie::{session_cookie, session_token},
    signed_in::SignedIn,
};
use crate::{
    http::{ApiError, AppState, admin_api, body, middleware::real_ip::client_address},
    service::BasicCredentials,
};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    layout: Layout,
    to: String,
    name: String,
    problem: String,
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
    let signed_in = admin_api::admin_service(&state)?
        .sign_in(&credentials, address)
        .await;
    let (token, role) = match signed_in.map_err(ApiError::from) {
        Ok(signed_in) => signed_in,
        Err(error) => return sign_in_failed_page(&error, name, to),
    };
    let mut response = redirect_see_other(after_sign_in(role, &to));
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

fn add_cookie(response: &mut HttpResponse, cookie: &str) -> Result<(), PageError> {
    let value = cookie.parse().map_err(|_error| ApiError::Internal)?;
    response.headers_mut().insert(SET_COOKIE, value);
    Ok(())
}
