//! Authentication and CORS middleware of the routes of clients and of the admin API.
//!
//! The routes of clients are wrapped only if the listener requires credentials or API keys, or allows origins
//! (see [`ListenerConfig`](crate::http::ListenerConfig)); the routes of the admin API always are.

use actix_web::{
    Error, HttpResponse,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
    web::Data,
};

use super::{cors, security_headers::add_security_headers};
use crate::http::{ApiError, AppState, auth};

/// Authenticates clients and applies CORS.
pub(in crate::http) async fn authenticate_client<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, Error> {
    let state = request.app_data::<Data<AppState>>().cloned();
    let Some(state) = state else {
        tracing::error!("request reached a route without worker state");
        let response = HttpResponse::from_error(ApiError::Internal);
        return Ok(request.into_response(response).map_into_left_body());
    };
    let origin = cors::allowed_origin(&state.cors, request.request());
    if cors::is_preflight(request.request())
        && let Some(origin) = origin
    {
        let response = cors::preflight_response(origin);
        return Ok(request.into_response(response).map_into_left_body());
    }
    let mut response = match auth::authorize(&state, request.request()).await {
        Ok(()) => next.call(request).await?.map_into_right_body(),
        Err(error) => {
            let response = HttpResponse::from_error(error);
            request.into_response(response).map_into_left_body()
        }
    };
    if !state.cors.allowed_origins.is_empty() {
        cors::add_headers(response.headers_mut(), origin);
    }
    Ok(response)
}

/// Applies CORS without authentication.
pub(in crate::http) async fn apply_cors<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, Error> {
    let state = request.app_data::<Data<AppState>>().cloned();
    let Some(state) = state.filter(|state| !state.cors.allowed_origins.is_empty()) else {
        return Ok(next.call(request).await?.map_into_right_body());
    };
    let origin = cors::allowed_origin(&state.cors, request.request());
    if cors::is_preflight(request.request())
        && let Some(origin) = origin
    {
        let response = cors::preflight_response(origin);
        return Ok(request.into_response(response).map_into_left_body());
    }
    let mut response = next.call(request).await?.map_into_right_body();
    cors::add_headers(response.headers_mut(), origin);
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
    let mut response = match result {
        Ok(()) => next.call(request).await?.map_into_right_body(),
        Err(error) => {
            let response = HttpResponse::from_error(error);
            request.into_response(response).map_into_left_body()
        }
    };
    add_security_headers(response.headers_mut());
    Ok(response)
}
