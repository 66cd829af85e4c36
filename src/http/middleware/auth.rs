//! Authentication middleware of the routes of clients and of the admin API.
//!
//! Requests of clients bypass it while no credentials or API keys are required (see
//! [`ListenerConfig`](crate::http::ListenerConfig)).

use actix_web::{
    Error, HttpResponse,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
    web::Data,
};

use super::security_headers::add_security_headers;
use crate::http::{ApiError, AppState, auth};

/// Authenticates clients.
pub(in crate::http) async fn authenticate_client<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, Error> {
    let result = match request.app_data::<Data<AppState>>() {
        Some(state) => auth::authorize(state, request.request()).await,
        None => Err(ApiError::Internal),
    };
    call_if_authorized(request, next, result).await
}

/// Checks the API key. The handlers of the Storage API check credentials, because only they know which storage a request
/// means.
pub(in crate::http) async fn check_api_key<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, Error> {
    let result = match request.app_data::<Data<AppState>>() {
        Some(state) => auth::api_key::check_api_key(state, request.request()).await,
        None => Err(ApiError::Internal),
    };
    call_if_authorized(request, next, result).await
}

/// Authenticates agents and rejects cross-site requests.
pub(in crate::http) async fn authenticate_agent<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, Error> {
    let result = match request.app_data::<Data<AppState>>() {
        Some(state) => auth::agent::authorize(state, request.request()).await,
        None => Err(ApiError::Internal),
    };
    let mut response = call_if_authorized(request, next, result).await?;
    add_security_headers(response.headers_mut());
    Ok(response)
}

/// Authenticates operators and rejects cross-site requests.
pub(in crate::http) async fn authenticate_admin<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, Error> {
    let result = match request.app_data::<Data<AppState>>() {
        Some(state) => auth::admin::authorize(state, request.request()).await,
        None => Err(ApiError::Internal),
    };
    let mut response = call_if_authorized(request, next, result).await?;
    add_security_headers(response.headers_mut());
    Ok(response)
}

async fn call_if_authorized<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
    result: Result<(), ApiError>,
) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, Error> {
    match result {
        Ok(()) => Ok(next.call(request).await?.map_into_right_body()),
        Err(error) => {
            let response = HttpResponse::from_error(error);
            Ok(request.into_response(response).map_into_left_body())
        }
    }
}
