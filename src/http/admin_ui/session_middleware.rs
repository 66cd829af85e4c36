//! Middleware of the console: session check, redirect to the sign-in page, security headers.

use std::sync::LazyLock;

use actix_web::{
    Error, HttpMessage, HttpRequest, HttpResponse, ResponseError,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{
            CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
            X_FRAME_OPTIONS,
        },
    },
    middleware::Next,
    web::{Data, Payload},
};

use askama::Template;

use super::{
    Layout, PageError, assets,
    event_stream::session_expired_response,
    form::Form,
    redirect_see_other,
    redirect_targets::{previous_page, sign_in_url, sign_in_url_of_form},
    rejected_form::RejectedInput,
    render,
    session_cookie::session_token,
    signed_in::SignedIn,
};
use crate::http::{
    ApiError, AppState, admin_api,
    auth::admin::check_role,
    health,
    middleware::{
        csrf::{check_site, is_from_own_page},
        security_headers,
    },
};

/// Allows only resources of this origin, and no embedding in frames. Clients can store arbitrary files at this origin, so
/// scripts are allowed by digest, which the script elements repeat as `integrity`.
static PAGE_CSP: LazyLock<HeaderValue> = LazyLock::new(|| {
    let scripts: Vec<_> = assets::script_digests()
        .map(|digest| format!("'{digest}'"))
        .collect();
    let scripts = scripts.join(" ");
    let policy = format!(
        "default-src 'none'; style-src 'self'; script-src {scripts}; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    let deny_all = HeaderValue::from_static("default-src 'none'");
    HeaderValue::try_from(policy).unwrap_or(deny_all)
});

/// Requires a session whose role permits the request; redirects to the sign-in page without a session.
pub(in crate::http) async fn require_session<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, Error> {
    let session = load_session(request.request(), SessionRefresh::Extend).await;
    run_with_session(request, next, session, redirect_to_sign_in).await
}

/// As [`require_session`], for an event stream. Streams do not extend the session; without one, the response is the event
/// `session-expired`.
pub(in crate::http) async fn require_stream_session<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, Error> {
    if request.method() != Method::GET {
        // The method is not allowed, with or without a session.
        return public_page(request, next).await;
    }
    let session = load_session(request.request(), SessionRefresh::Peek).await;
    run_with_session(request, next, session, async |_| session_expired_response()).await
}

/// The page with the error of a user whose role does not permit a request.
fn reject_role(
    request: &HttpRequest,
    session: &SignedIn,
    error: ApiError,
) -> Result<HttpResponse, PageError> {
    let error = PageError::from(error);
    let layout = Layout::new(session, "", error.title());
    let page = error.page(layout, previous_page(request));
    render(error.status_code(), &page)
}

async fn run_with_session<B: MessageBody>(
    mut request: ServiceRequest,
    next: Next<B>,
    session: Result<Option<SignedIn>, ApiError>,
    without_session: impl AsyncFnOnce(&mut ServiceRequest) -> HttpResponse,
) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, Error> {
    let mut response = match session {
        Ok(Some(session)) => match check_role(request.request(), session.role) {
            Ok(()) => {
                request.extensions_mut().insert(session.clone());
                render_error_in_layout(next.call(request).await?, &session)
            }
            Err(error) => {
                let response = reject_role(request.request(), &session, error)?;
                request.into_response(response).map_into_left_body()
            }
        },
        Ok(None) => {
            let response = without_session(&mut request).await;
            request.into_response(response).map_into_left_body()
        }
        Err(error) => {
            let response = HttpResponse::from_error(PageError::from(error));
            request.into_response(response).map_into_left_body()
        }
    };
    add_security_headers(response.headers_mut());
    Ok(response)
}

/// Renders an error page with the menu of the session.
fn render_error_in_layout<B: MessageBody>(
    response: ServiceResponse<B>,
    session: &SignedIn,
) -> ServiceResponse<EitherBody<BoxBody, B>> {
    let error = response
        .response()
        .error()
        .and_then(Error::as_error::<PageError>);
    let page = error.map(|error| {
        let layout = Layout::new(session, "", error.title());
        let back = previous_page(response.request());
        error.page(layout, back).render()
    });
    match page {
        Some(Ok(text)) => response.map_body(|_, _| EitherBody::left(BoxBody::new(text))),
        _ => response.map_into_right_body(),
    }
}

/// Allows requests without a session, except cross-site requests.
pub(in crate::http) async fn public_page<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, Error> {
    let mut response = match check_site(request.request()) {
        Ok(()) => next.call(request).await?.map_into_right_body(),
        Err(error) => {
            let response = HttpResponse::from_error(PageError::from(error));
            request.into_response(response).map_into_left_body()
        }
    };
    add_security_headers(response.headers_mut());
    Ok(response)
}

/// How a request affects the session.
pub(super) enum SessionRefresh {
    Extend,
    /// An open page requests updates; the operator may be idle.
    Peek,
}

/// The session of the cookie; `None` if it has ended.
///
/// # Errors
/// [`ApiError::Forbidden`] for cross-site requests; errors of the store.
pub(super) async fn load_session(
    request: &HttpRequest,
    refresh: SessionRefresh,
) -> Result<Option<SignedIn>, ApiError> {
    check_site(request)?;
    let Some(token) = session_token(request) else {
        return Ok(None);
    };
    let state = request
        .app_data::<Data<AppState>>()
        .ok_or(ApiError::Internal)?;
    let admin = admin_api::admin_service(state)?;
    let session = match refresh {
        SessionRefresh::Extend => admin.touch_session(&token).await?,
        SessionRefresh::Peek => admin.peek_session(&token).await?,
    };
    let Some(session) = session else {
        return Ok(None);
    };
    let readiness = match session.outage {
        Some(_) => Some(health::readiness_within_timeout(state).await),
        None => None,
    };
    Ok(Some(SignedIn::new(session, readiness)))
}

/// The response without a session: a redirect for GET and HEAD, an error for a submitted form, with its fields.
async fn redirect_to_sign_in(request: &mut ServiceRequest) -> HttpResponse {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return redirect_see_other(&sign_in_url(request.uri()));
    }
    let error = PageError::from(ApiError::Forbidden(
        "your session has expired; no changes were made",
    ));
    let input = read_rejected_input(request).await;
    let error = error.with_sign_in(sign_in_url_of_form(request.request()));
    HttpResponse::from_error(error.with_input(input))
}

/// The input of a request without a session. Only that of a page of the console is read.
async fn read_rejected_input(request: &mut ServiceRequest) -> RejectedInput {
    let Some(state) = request.app_data::<Data<AppState>>().cloned() else {
        return RejectedInput::None;
    };
    match request.extract::<Payload>().await {
        Ok(payload) if is_from_own_page(request.request()) => {
            Form::read_rejected(&state, request.request(), payload).await
        }
        _ => RejectedInput::None,
    }
}

/// The headers of all responses of the console. Downloads have a stricter policy of their own.
pub(super) fn add_security_headers(headers: &mut HeaderMap) {
    let stricter = headers.get(CONTENT_SECURITY_POLICY).cloned();
    security_headers::add_security_headers(headers);
    let policy = stricter.unwrap_or_else(|| PAGE_CSP.clone());
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    let mut set = |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
    set(X_FRAME_OPTIONS, "DENY");
    // With `no-referrer`, browsers send `Origin: null` with forms, which the cross-site check rejects.
    set(REFERRER_POLICY, "same-origin");
    set(
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
}
