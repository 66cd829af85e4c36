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

/// Lets pass who may, and lets a page of an allowed origin see the answer.
pub(in crate::http) async fn authenticate_client<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, Error> {
    let api = request.app_data::<Data<AppState>>().cloned();
    let Some(api) = api else {
        tracing::error!("a route was reached before its worker was ready");
        let answer = HttpResponse::from_error(ApiError::Internal);
        return Ok(request.into_response(answer).map_into_left_body());
    };
    let origin = cors::allowed_origin(&api.cors, request.request());
    if cors::is_preflight(request.request())
        && let Some(origin) = origin
    {
        let answer = cors::preflight_response(origin);
        return Ok(request.into_response(answer).map_into_left_body());
    }
    let mut answer = match auth::authorize(&api, request.request()).await {
        Ok(()) => next.call(request).await?.map_into_right_body(),
        Err(error) => {
            let answer = HttpResponse::from_error(error);
            request.into_response(answer).map_into_left_body()
        }
    };
    if !api.cors.allowed_origins.is_empty() {
        cors::add_headers(answer.headers_mut(), origin);
    }
    Ok(answer)
}

/// Lets everyone pass, and lets a page of an allowed origin see the response.
pub(in crate::http) async fn apply_cors<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, Error> {
    let api = request.app_data::<Data<AppState>>().cloned();
    let Some(api) = api.filter(|api| !api.cors.allowed_origins.is_empty()) else {
        return Ok(next.call(request).await?.map_into_right_body());
    };
    let origin = cors::allowed_origin(&api.cors, request.request());
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

/// Lets operators pass, and no page of another origin that a browser lends its credentials.
pub(in crate::http) async fn authenticate_admin<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, Error> {
    let admitted = match request.app_data::<Data<AppState>>() {
        Some(api) => auth::admin::authorize(api, request.request()).await,
        None => Err(ApiError::Internal),
    };
    let mut answer = match admitted {
        Ok(()) => next.call(request).await?.map_into_right_body(),
        Err(error) => {
            let answer = HttpResponse::from_error(error);
            request.into_response(answer).map_into_left_body()
        }
    };
    add_security_headers(answer.headers_mut());
    Ok(answer)
}
