//! Middleware of the API for agents in the console: the session of the console instead of credentials of agents.

use std::{future::poll_fn, time::Duration};

use actix_web::{
    Error, HttpMessage, HttpRequest, HttpResponse,
    body::{BodyStream, BoxBody, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, header::CONTENT_TYPE},
    middleware::Next,
    web::Data,
};
use futures_util::{StreamExt, stream};
use tokio::time;

use super::{
    session_cookie::session_token,
    session_middleware::{SessionRefresh, add_security_headers, load_session},
};
use crate::http::{ApiError, AppState, admin_api, auth::admin::check_role};

/// The header with the form token of the session. Scripts of other sites cannot send it.
const TOKEN_HEADER: &str = "x-form-token";
/// The interval in which an open event stream checks its session.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// Requires a session whose role permits the request, and with changes its form token. The user of the session is the
/// agent of the request. Requests that a page makes by itself do not extend the session.
pub(in crate::http) async fn require_session<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, Error> {
    let mut response = match authorize(request.request()).await {
        Ok(()) => end_with_session(next.call(request).await?),
        Err(error) => {
            let response = HttpResponse::from_error(error);
            request.into_response(response).map_into_left_body()
        }
    };
    add_security_headers(response.headers_mut());
    Ok(response)
}

/// Adds the user of the session to the request.
async fn authorize(request: &HttpRequest) -> Result<(), ApiError> {
    let refresh = match *request.method() {
        Method::POST => SessionRefresh::Extend,
        _ => SessionRefresh::Peek,
    };
    let session = load_session(request, refresh).await?;
    let session = session.ok_or(ApiError::Forbidden("your session has expired"))?;
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let token = request.headers().get(TOKEN_HEADER);
    let token = token.and_then(|token| token.to_str().ok());
    if !is_read && !session.verify_form_token(token.unwrap_or_default()) {
        return Err(ApiError::Forbidden(
            "the form token is invalid; no changes were made. Reload the page and try again",
        ));
    }
    check_role(request, session.role)?;
    let state = app_state(request)?;
    let actor = session.actor(state, request);
    request.extensions_mut().insert(actor);
    Ok(())
}

fn app_state(request: &HttpRequest) -> Result<&Data<AppState>, ApiError> {
    request.app_data().ok_or(ApiError::Internal)
}

/// Ends an event stream when its session ends. Other responses are unchanged.
fn end_with_session<B: MessageBody + 'static>(
    response: ServiceResponse<B>,
) -> ServiceResponse<EitherBody<BoxBody, B>> {
    let content_type = response.headers().get(CONTENT_TYPE);
    let is_stream = content_type.is_some_and(|value| value == "text/event-stream");
    let state = app_state(response.request()).cloned();
    let (true, Ok(state), Some(token)) = (is_stream, state, session_token(response.request()))
    else {
        return response.map_into_right_body();
    };
    response.map_body(|_, body| {
        let body = Box::pin(body);
        let chunks = stream::unfold(body, |mut body| async {
            let chunk = poll_fn(|context| body.as_mut().poll_next(context)).await?;
            Some((chunk.map_err(Into::into), body))
        });
        let chunks = chunks.take_until(Box::pin(session_end(state, token)));
        EitherBody::left(BoxBody::new(BodyStream::new(Box::pin(chunks))))
    })
}

/// Waits until the session has ended. While the store is unavailable it counts as active.
async fn session_end(state: Data<AppState>, token: String) {
    let Ok(admin) = admin_api::admin_service(&state) else {
        return;
    };
    loop {
        time::sleep(CHECK_INTERVAL).await;
        if matches!(admin.peek_session(&token).await, Ok(None)) {
            return;
        }
    }
}
