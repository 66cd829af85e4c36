//! The route table.

use actix_web::{
    Error, Resource,
    body::MessageBody,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    guard::fn_guard,
    http::Method,
    middleware::from_fn,
    web::{self, ServiceConfig, delete, get, post, put},
};

use super::{
    admin_api::{
        self, active_services, audit_log, bookings, catalog_entries, import_export, replicas,
        restore,
    },
    admin_ui::{self, session_middleware},
    client_api::{binaries, service_requests, services, storage},
    endpoint::{Endpoint, route, unknown_route},
    health,
    hints::NotFoundHints,
    metrics,
    middleware::{
        auth::{authenticate_admin, authenticate_client},
        cors::ListedOrigins,
        telemetry::TelemetryConfig,
    },
    openapi,
};
use crate::{
    service::CurrentCatalog,
    settings::{Cors, RouteGroups},
};

/// The configuration of a listener.
#[derive(Clone)]
pub struct ListenerConfig {
    /// The route groups that it serves.
    pub groups: RouteGroups,
    /// Whether API keys are configured, so that every client request is checked.
    pub requires_api_key: bool,
    /// The current catalog. While none of its configured services requires credentials, and
    /// `requires_api_key` is false, client requests bypass the authentication middleware.
    pub catalog: CurrentCatalog,
    /// The origins whose pages can call the API.
    pub cors: Cors,
    /// Whether the admin API is enabled.
    pub admin_enabled: bool,
    /// Telemetry of requests.
    pub telemetry: TelemetryConfig,
    /// Whether it serves TLS.
    pub tls: bool,
}

/// Registers all routes. actix-web tries them in this order, so the most frequent ones come first. The two
/// routes with a tail pattern must come last.
pub fn routes(config: &mut ServiceConfig, listener: &ListenerConfig) {
    let client = || {
        [
            route("/genesys/1/service/{id}/storage/{key}")
                .get(storage::read)
                .method(Method::DELETE, delete().to(storage::delete_key)),
            route("/genesys/1/service/{id}/storage")
                .get(storage::read_all)
                .method(Method::POST, post().to(storage::write))
                .method(Method::DELETE, delete().to(storage::clear)),
            route("/genesys/1/service/{service}")
                .method(Method::POST, post().to(services::create))
                .get(services::create_or_describe)
                .method(Method::PUT, put().to(services::set_end))
                .method(Method::DELETE, delete().to(services::delete)),
            route("/genesys/1/service/{id}/storage/binary/{key}").get(binaries::read_binary),
            route("/genesys/1/cs/services/{id}").method(Method::PUT, put().to(services::set_end)),
            // Deeper paths do not exist; without this route they would match as service requests.
            route("/genesys/1/service/{id}/storage/{rest:.*}"),
            route("/genesys/1/service/{id}/{request:.+}")
                .method(Method::POST, post().to(service_requests::send_request))
                .method(Method::GET, get().to(service_requests::send_request)),
        ]
    };
    // The catalog as this listener sees it determines which configured services it creates.
    let matching = || {
        [route("/genesys/1/service/{service}")
            .method(Method::POST, post().to(services::create))
            .method(Method::GET, get().to(services::create))]
    };
    let status = [route("/genesys/1/admin/node/status")
        .get(admin_api::get_node_status)
        .probe()];
    let admin = [
        route("/genesys/1/admin/services").get(catalog_entries::list_entries),
        entry_endpoint("/genesys/1/admin/services/{name}"),
        route("/genesys/1/admin/groups").get(catalog_entries::list_entries),
        entry_endpoint("/genesys/1/admin/groups/{name}"),
        route("/genesys/1/admin/groups/{group}/bookings").get(bookings::list_bookings),
        route("/genesys/1/admin/groups/{group}/bookings/{booking}")
            .method(Method::DELETE, delete().to(bookings::release_number)),
        route("/genesys/1/admin/catalog")
            .get(import_export::export_catalog)
            .method(Method::PUT, put().to(import_export::import_catalog))
            .method(Method::POST, post().to(import_export::import_catalog)),
        route("/genesys/1/admin/catalog/lost").get(restore::list_lost_entries),
        route("/genesys/1/admin/catalog/restore")
            .method(Method::POST, post().to(restore::restore_catalog)),
        route("/genesys/1/admin/active-services").get(active_services::list_services),
        route("/genesys/1/admin/active-services/{id}")
            .get(active_services::get_service)
            .method(Method::PUT, put().to(active_services::set_service_end))
            .method(Method::DELETE, delete().to(active_services::delete_service)),
        route("/genesys/1/admin/audit-log").get(audit_log::list_audit_log),
        route("/genesys/1/admin/replicas").get(replicas::list_replicas),
    ];
    let health = || {
        [
            route("/livez").get(health::get_liveness).probe(),
            route("/readyz").get(health::get_readiness).probe(),
            route("/openapi.json").get(openapi::get_openapi),
            Endpoint::not_found(NotFoundHints::new(listener)),
        ]
    };
    let public = |resource: Resource| resource;
    let metrics = [route("/metrics").get(metrics::get_metrics)];
    let groups = listener.groups;
    let origins = ListedOrigins::from_settings(&listener.cors);
    if groups.client {
        register_client_routes(config, client, listener, origins.as_ref());
    } else if groups.matching {
        register_client_routes(config, matching, listener, origins.as_ref());
    }
    if groups.admin {
        register(config, status, listener, public);
    }
    if groups.admin && listener.telemetry.has_metrics() {
        register(config, metrics, listener, public);
    }
    if groups.admin && listener.admin_enabled {
        let wrap = |resource: Resource| resource.wrap(from_fn(authenticate_admin));
        register(config, admin, listener, wrap);
        register_admin_ui(config, listener);
    }
    if let Some(origins) = &origins {
        register(config, health(), listener, |resource| {
            origins.apply(resource)
        });
    }
    register(config, health(), listener, public);
    config.default_service(web::to(unknown_route));
}

/// The endpoint of one configured service or resource group.
fn entry_endpoint(path: &'static str) -> Endpoint {
    route(path)
        .get(catalog_entries::read_entry)
        .method(Method::PUT, put().to(catalog_entries::put_entry))
        .method(Method::DELETE, delete().to(catalog_entries::delete_entry))
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

/// Registers the pages of the console.
fn register_admin_ui(config: &mut ServiceConfig, listener: &ListenerConfig) {
    let (public, streams, pages) = (
        admin_ui::public_routes(),
        admin_ui::stream_routes(),
        admin_ui::routes(),
    );
    let public_page = |page: Resource| page.wrap(from_fn(session_middleware::public_page));
    register(config, public.map(Endpoint::page), listener, public_page);
    let stream = |page: Resource| page.wrap(from_fn(session_middleware::require_stream_session));
    register(config, streams.map(Endpoint::page), listener, stream);
    let page = |page: Resource| page.wrap(from_fn(session_middleware::require_session));
    register(config, pages.map(Endpoint::page), listener, page);
}
