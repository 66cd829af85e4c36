//! The HTTP layer: routes, request bodies, responses and errors.
//!
//! [`routes()`] lists all routes. A handler reads the request, calls the service layer and builds the response; it
//! makes no other decisions. Every failure becomes an [`ApiError`].

use actix_web::{
    Error,
    dev::{Service, ServiceRequest, ServiceResponse},
};

use self::middleware::security_headers::SecurityHeaders;
pub use self::{
    error::ApiError,
    listener::ListenerConfig,
    middleware::telemetry::TelemetryConfig,
    openapi::Document,
    register::{describe_routes, routes},
    rejection::Rejection,
    state::AppState,
};

mod accept;
mod admin_api;
mod admin_ui;
mod agent_api;
mod auth;
mod body;
mod client_api;
mod comet;
mod endpoint;
mod error;
mod etag;
mod event_stream;
mod fetch_metadata;
mod health;
mod hints;
mod idempotency;
mod listener;
mod metrics;
mod middleware;
mod openapi;
mod path;
mod propagation;
mod public_address;
mod register;
mod rejection;
mod response;
mod response_body;
mod response_headers;
mod root;
mod routes;
mod state;

/// Passes a request to [`routes()`] through the middleware that applies to a whole listener.
pub fn serve_request<S, B>(
    request: ServiceRequest,
    routes: &S,
    listener: &ListenerConfig,
) -> impl Future<Output = Result<ServiceResponse<B>, Error>> + use<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    let headers = SecurityHeaders { tls: listener.tls };
    let has_cors = !listener.cors.allowed_origins.is_empty();
    middleware::apply(request, routes, headers, has_cors)
}
