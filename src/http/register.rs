//! The routes of a listener: their registration and their description.

use actix_web::{
    Error, Resource,
    body::MessageBody,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    guard::fn_guard,
    middleware::from_fn,
    web::{self, ServiceConfig},
};

use super::{
    admin_ui::{self, chat_session, session_middleware},
    endpoint::{Endpoint, unknown_route},
    hints::NotFoundHints,
    listener::ListenerConfig,
    middleware::{
        auth::{authenticate_admin, authenticate_agent, authenticate_client, check_api_key},
        cors::ListedOrigins,
    },
    openapi::{Document, surface::ApiSurface},
    routes::{
        admin_routes, agent_routes, client_key_route, client_routes, comet_routes,
        console_agent_routes, documents, health_routes, match_routes, metrics_route, status_routes,
        storage_key_route, storage_routes,
    },
};
use crate::settings::Settings;

/// Registers all routes. actix-web tries them in this order, so the most frequent ones come first.
pub fn routes(config: &mut ServiceConfig, listener: &ListenerConfig) {
    let public = |resource: Resource| resource;
    let groups = listener.groups;
    let origins = ListedOrigins::from_settings(&listener.cors);
    // Reads of one key are the most frequent requests.
    if groups.client {
        register_client_routes(config, client_key_route, listener, origins.as_ref());
    }
    if groups.storage {
        register_routes_with_api_key(config, storage_key_route, listener, origins.as_ref());
    }
    if groups.client {
        register_client_routes(config, client_routes, listener, origins.as_ref());
        let origins = ListedOrigins::with_credentials(&listener.cors);
        register_routes_with_api_key(config, comet_routes, listener, origins.as_ref());
    } else if groups.matching {
        register_client_routes(config, match_routes, listener, origins.as_ref());
    }
    if groups.storage {
        register_routes_with_api_key(config, storage_routes, listener, origins.as_ref());
    }
    if groups.agent && listener.agents_enabled {
        let wrap = |resource: Resource| resource.wrap(from_fn(authenticate_agent));
        register(config, agent_routes(), listener, wrap);
    }
    if groups.admin {
        register(config, status_routes(), listener, public);
    }
    if groups.admin && listener.telemetry.has_metrics() {
        register(config, [metrics_route()], listener, public);
    }
    if groups.admin && listener.admin_enabled {
        let wrap = |resource: Resource| resource.wrap(from_fn(authenticate_admin));
        register(
            config,
            admin_routes().map(Endpoint::restricted),
            listener,
            wrap,
        );
        register_admin_ui(config, listener);
    }
    let not_found = || [Endpoint::not_found(NotFoundHints::new(listener))];
    if let Some(origins) = &origins {
        let with_cors = |resource: Resource| origins.apply(resource);
        register(config, health_routes(), listener, with_cors);
        register(config, not_found(), listener, with_cors);
    }
    register(config, health_routes(), listener, public);
    register(config, not_found(), listener, public);
    config.default_service(web::to(unknown_route));
}

/// The OpenAPI document of `listener`.
#[must_use]
pub fn describe_routes(listener: &ListenerConfig, settings: &Settings) -> Document {
    Document::new(ApiSurface::new(listener, settings), documents)
}

/// Registers endpoints, each wrapped by `wrap` and by its telemetry.
fn register<T, B>(
    config: &mut ServiceConfig,
    endpoints: impl IntoIterator<Item = Endpoint>,
    listener: &ListenerConfig,
    wrap: impl Fn(Resource) -> Resource<T>,
) where
    T: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<B>,
            Error = Error,
            InitError = (),
        > + 'static,
    B: MessageBody + 'static,
{
    for endpoint in endpoints {
        let telemetry = endpoint.telemetry(listener);
        let resource = wrap(endpoint.into_resource());
        let instrument = move |request, next: &_| telemetry.instrument(request, next);
        config.service(resource.wrap_fn(instrument));
    }
}

/// Registers the routes of clients: with CORS for requests of listed origins, without authentication while the catalog
/// requires none, which it can change at run time, and with authentication.
fn register_client_routes<const N: usize>(
    config: &mut ServiceConfig,
    endpoints: impl Fn() -> [Endpoint; N],
    listener: &ListenerConfig,
    origins: Option<&ListedOrigins>,
) {
    let authenticated = |resource: Resource| resource.wrap(from_fn(authenticate_client));
    if let Some(origins) = origins {
        register(config, endpoints(), listener, |resource| {
            origins.apply(authenticated(resource))
        });
    }
    if !listener.requires_api_key {
        register(config, endpoints(), listener, |resource| {
            let catalog = listener.catalog.clone();
            resource.guard(fn_guard(move |_| !catalog.requires_auth()))
        });
    }
    register(config, endpoints(), listener, authenticated);
}

/// Registers routes that check the API key only: with CORS for requests of listed origins, and without it. The handlers
/// of the Storage API check credentials, and the clients of `CometD` have none.
fn register_routes_with_api_key<const N: usize>(
    config: &mut ServiceConfig,
    endpoints: impl Fn() -> [Endpoint; N],
    listener: &ListenerConfig,
    origins: Option<&ListedOrigins>,
) {
    let wrap = |resource: Resource| resource.wrap(from_fn(check_api_key));
    if let Some(origins) = origins {
        register(config, endpoints(), listener, |resource| {
            origins.apply(wrap(resource))
        });
    }
    if listener.requires_api_key {
        register(config, endpoints(), listener, wrap);
    } else {
        register(config, endpoints(), listener, |resource: Resource| resource);
    }
}

/// Registers the pages of the console.
fn register_admin_ui(config: &mut ServiceConfig, listener: &ListenerConfig) {
    let agent = |resource: Resource| resource.wrap(from_fn(chat_session::require_session));
    let agent_routes = console_agent_routes().map(Endpoint::restricted);
    register(config, agent_routes, listener, agent);
    let public_page = |page: Resource| page.wrap(from_fn(session_middleware::public_page));
    let public = admin_ui::public_routes().map(Endpoint::page);
    register(config, public, listener, public_page);
    let restricted = |page: Endpoint| page.page().restricted();
    let stream = |page: Resource| page.wrap(from_fn(session_middleware::require_stream_session));
    let streams = admin_ui::stream_routes().map(restricted);
    register(config, streams, listener, stream);
    let page = |page: Resource| page.wrap(from_fn(session_middleware::require_session));
    register(config, admin_ui::routes().map(restricted), listener, page);
}
