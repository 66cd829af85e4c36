//! The HTTP layer: routes, request bodies, responses and errors.
//!
//! [`routes`] lists all routes. A handler reads the request, calls the service layer and builds the response; it
//! makes no other decisions. Every failure becomes an [`ApiError`].

use std::{rc::Rc, sync::Arc, time::Duration};

use actix_web::{
    Error, FromRequest, Handler, HttpRequest, Resource, Responder, Route,
    body::MessageBody,
    dev::{Service, ServiceFactory, ServiceRequest, ServiceResponse},
    guard::{self, fn_guard},
    http::Method,
    middleware::from_fn,
    web::{self, ServiceConfig, delete, get, post, put},
};

use ipnet::IpNet;
use secrecy::SecretString;

use self::{
    admin_api::{
        active_services, audit_log, bookings, catalog_entries, import_export, replicas, restore,
    },
    admin_ui::{PageError, session_middleware},
    client_api::{binaries, service_requests, services, storage},
    hints::NotFoundHints,
    middleware::{
        auth::{apply_cors, authenticate_admin, authenticate_client},
        security_headers::SecurityHeaders,
        telemetry::{self, RouteTelemetry},
    },
};
pub use self::{
    error::ApiError, middleware::telemetry::TelemetryConfig, openapi::Document,
    rejection::Rejection,
};
use crate::{
    model::readiness::Readiness,
    service::{Admin, CurrentCatalog, Services},
    settings::{Cors, Limits, RouteGroups, Settings},
};

mod accept;
mod admin_api;
mod admin_ui;
mod auth;
mod body;
mod client_api;
mod error;
mod etag;
mod fetch_metadata;
mod health;
mod hints;
mod idempotency;
mod metrics;
mod middleware;
mod openapi;
mod path;
mod propagation;
mod rejection;
mod response;
mod response_body;

/// State that the handlers of one worker share.
pub struct AppState {
    services: Services,
    admin: Option<Admin>,
    limits: Arc<Limits>,
    readiness: Readiness,
    body_idle_timeout: Duration,
    unreadable_json_status: u16,
    api_keys: Vec<SecretString>,
    trusted_proxies: Vec<IpNet>,
    cors: Cors,
    overview_cache: admin_ui::OverviewCache,
}

impl AppState {
    /// Creates the state of a worker, on its thread. `admin` is `None` if the admin API is disabled.
    #[must_use]
    pub fn new(
        services: Services,
        admin: Option<Admin>,
        limits: Arc<Limits>,
        readiness: Readiness,
        settings: &Settings,
    ) -> Self {
        response::init_worker(&readiness, &services.memory().responses);
        Self {
            services,
            admin,
            limits,
            readiness,
            body_idle_timeout: settings.server.body_idle_timeout,
            unreadable_json_status: settings.api.unreadable_json_status,
            api_keys: settings.auth.api_keys.clone(),
            trusted_proxies: settings.server.trusted_proxies.clone(),
            cors: settings.cors.clone(),
            overview_cache: admin_ui::OverviewCache::default(),
        }
    }
}

/// The configuration of a listener.
#[derive(Clone)]
pub struct ListenerConfig {
    /// The route groups that it serves.
    pub groups: RouteGroups,
    /// Whether API keys or allowed origins are configured, so that every client request is checked.
    pub client_checks_enabled: bool,
    /// The current catalog. While none of its configured services requires credentials, and
    /// `client_checks_enabled` is false, client requests bypass the authentication middleware.
    pub catalog: CurrentCatalog,
    /// Whether the admin API is enabled.
    pub admin_enabled: bool,
    /// Telemetry of requests.
    pub telemetry: TelemetryConfig,
    /// Whether it serves TLS.
    pub tls: bool,
}

/// Passes a request to [`routes`] through the middleware that applies to a whole listener.
pub fn serve_request<S, B>(
    request: ServiceRequest,
    routes: &S,
    listener: &ListenerConfig,
) -> impl Future<Output = Result<ServiceResponse<B>, Error>> + use<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    middleware::apply(request, routes, SecurityHeaders { tls: listener.tls })
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
    let health = [
        route("/livez").get(health::get_liveness).probe(),
        route("/readyz").get(health::get_readiness).probe(),
        route("/openapi.json").get(openapi::get_openapi),
    ];
    let public = |resource: Resource| resource;
    let metrics = [route("/metrics").get(metrics::get_metrics)];
    let groups = listener.groups;
    if groups.client {
        register_client_routes(config, client, listener);
    } else if groups.matching {
        register_client_routes(config, matching, listener);
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
    let with_cors = |resource: Resource| resource.wrap(from_fn(apply_cors));
    register(config, health, listener, with_cors);
    let hints = NotFoundHints::new(listener);
    register(config, [Endpoint::not_found(hints)], listener, with_cors);
    config.default_service(web::to(unknown_route));
}

/// The endpoint of one configured service or resource group.
fn entry_endpoint(path: &'static str) -> Endpoint {
    route(path)
        .get(catalog_entries::read_entry)
        .method(Method::PUT, put().to(catalog_entries::put_entry))
        .method(Method::DELETE, delete().to(catalog_entries::delete_entry))
}

/// Registers endpoints, each wrapped by `wrap` and, if telemetry is enabled, by its telemetry.
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
        match telemetry {
            None => config.service(resource),
            Some(telemetry) => {
                let instrument = move |request, next: &_| telemetry.instrument(request, next);
                config.service(resource.wrap_fn(instrument))
            }
        };
    }
}

/// Registers the routes of clients. The catalog can start or stop requiring credentials at run time, so each
/// route is registered twice: without authentication, used while the catalog requires none, and with it.
fn register_client_routes<const N: usize>(
    config: &mut ServiceConfig,
    endpoints: impl Fn() -> [Endpoint; N],
    listener: &ListenerConfig,
) {
    if !listener.client_checks_enabled {
        register(config, endpoints(), listener, |resource| {
            let catalog = listener.catalog.clone();
            resource.guard(fn_guard(move |_| !catalog.requires_auth()))
        });
    }
    let wrap = |resource: Resource| resource.wrap(from_fn(authenticate_client));
    register(config, endpoints(), listener, wrap);
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

/// One path with its methods.
struct Endpoint {
    /// The name of the route in telemetry: its path.
    name: &'static str,
    resource: Resource,
    allowed_methods: Vec<Method>,
    /// A health probe: an unhealthy status is not logged as a failure.
    is_probe: bool,
    /// A page of the console: errors are rendered as HTML.
    is_page: bool,
    /// The hints of its 404.
    hints: NotFoundHints,
}

fn route(path: &'static str) -> Endpoint {
    Endpoint {
        name: path,
        resource: web::resource(path),
        allowed_methods: Vec::new(),
        is_probe: false,
        is_page: false,
        hints: NotFoundHints::default(),
    }
}

impl Endpoint {
    /// The endpoint of all paths that no other route matches.
    fn not_found(hints: NotFoundHints) -> Self {
        Self {
            name: telemetry::NO_ROUTE,
            hints,
            ..route("/{path:.*}")
        }
    }

    fn method(mut self, method: Method, route: Route) -> Self {
        self.resource = self.resource.route(route);
        self.allowed_methods.push(method);
        self
    }

    /// Handles GET and HEAD. `handler` must be safe: it changes nothing.
    fn get<F, Args>(mut self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let route = web::route().guard(guard::Any(guard::Get()).or(guard::Head()));
        self.allowed_methods.extend([Method::GET, Method::HEAD]);
        self.resource = self.resource.route(route.to(handler));
        self
    }

    fn page(mut self) -> Self {
        self.is_page = true;
        self
    }

    fn probe(mut self) -> Self {
        self.is_probe = true;
        self
    }

    /// The telemetry of its requests, if any is enabled.
    fn telemetry(&self, listener: &ListenerConfig) -> Option<Rc<RouteTelemetry>> {
        let config = if self.is_probe {
            listener.telemetry.for_probes()
        } else {
            listener.telemetry
        };
        config.for_route(self.name)
    }

    fn into_resource(self) -> Resource {
        let methods: Vec<&str> = self.allowed_methods.iter().map(Method::as_str).collect();
        let (allow, is_page, hints) = (methods.join(", "), self.is_page, self.hints);
        let reject = move |request: HttpRequest| {
            let error = routing_error(&request, &allow, hints);
            let error = if is_page {
                PageError::from(error).into()
            } else {
                Error::from(error)
            };
            async move { Err::<&str, Error>(error) }
        };
        self.resource.default_service(web::to(reject))
    }
}

/// The error of a request that no route handles: 404, or 405 if the path has other methods.
fn routing_error(request: &HttpRequest, allow: &str, hints: NotFoundHints) -> ApiError {
    if allow.is_empty() {
        return hints.not_found(request.path());
    }
    ApiError::MethodNotAllowed {
        method: request.method().to_string(),
        allow: allow.to_owned(),
    }
}

async fn unknown_route(request: HttpRequest) -> Result<&'static str, ApiError> {
    Err(routing_error(&request, "", NotFoundHints::default()))
}
