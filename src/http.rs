//! The wire: routes, bodies, answers and errors.
//!
//! [`routes`] is the whole list. A handler reads what it needs of the request, calls the service
//! layer, and shapes the answer; it decides nothing else. Whatever fails becomes an [`ApiError`].

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
    admin_ui::PageError,
    hints::NotFoundHints,
    middleware::{
        auth::{apply_cors, authenticate_admin, authenticate_client},
        security_headers::SecurityHeaders,
        telemetry::{self, RouteTelemetry},
    },
};
pub use self::{
    error::ApiError, middleware::telemetry::TelemetryConfig, openapi::Document, refusal::Refusal,
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
mod binaries;
mod body;
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
mod refusal;
mod response;
mod response_body;
mod service_requests;
mod services;
mod storage;

/// What the handlers of one worker share.
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
    /// Handlers' view of `services` and, if there is one, the administration, as `settings` have it; made
    /// on the worker's own thread.
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

/// What a listener serves.
#[derive(Clone)]
pub struct ListenerConfig {
    /// Which groups of routes.
    pub groups: RouteGroups,
    /// Whether API keys or origins are asked of all callers of services.
    pub client_checks_enabled: bool,
    /// Tells whether credentials are asked of some of them. While nothing is asked, nobody is looked at on
    /// the way to a route.
    pub catalog: CurrentCatalog,
    /// Whether there is an administration.
    pub admin_enabled: bool,
    /// What is told of requests.
    pub telemetry: TelemetryConfig,
    /// Whether it takes TLS only.
    pub tls: bool,
}

/// Passes a request on to [`routes`], and completes the response: for the whole of a listener.
pub fn serve_request<S, B>(
    request: ServiceRequest,
    routes: &S,
    exposure: &ListenerConfig,
) -> impl Future<Output = Result<ServiceResponse<B>, Error>> + use<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    middleware::apply(request, routes, SecurityHeaders { tls: exposure.tls })
}

/// All routes. They are tried in this order, so those asked most come first; only the two that take
/// any rest of a path have to stand behind the others.
pub fn routes(config: &mut ServiceConfig, exposure: &ListenerConfig) {
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
            // What lies deeper is nothing, and no request either.
            route("/genesys/1/service/{id}/storage/{rest:.*}"),
            route("/genesys/1/service/{id}/{request:.+}")
                .method(Method::POST, post().to(service_requests::send_request))
                .method(Method::GET, get().to(service_requests::send_request)),
        ]
    };
    // Which of the configured services may be created is told by what a listener sees of the catalogue.
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
    // What anybody may ask.
    let ungated = |resource: Resource| resource;
    let telling = [route("/metrics").get(metrics::get_metrics)];
    let groups = exposure.groups;
    if groups.client {
        register_client_routes(config, client, exposure);
    } else if groups.matching {
        register_client_routes(config, matching, exposure);
    }
    if groups.admin {
        register(config, status, exposure, ungated);
    }
    if groups.admin && exposure.telemetry.has_metrics() {
        register(config, telling, exposure, ungated);
    }
    if groups.admin && exposure.admin_enabled {
        let gated = |resource: Resource| resource.wrap(from_fn(authenticate_admin));
        register(config, admin, exposure, gated);
        register_admin_ui(config, exposure);
    }
    let shared = |resource: Resource| resource.wrap(from_fn(apply_cors));
    register(config, health, exposure, shared);
    let hints = NotFoundHints::new(exposure);
    register(config, [Endpoint::not_found(hints)], exposure, shared);
    config.default_service(web::to(unknown_route));
}

/// One configured service or resource group.
fn entry_endpoint(path: &'static str) -> Endpoint {
    route(path)
        .get(catalog_entries::read_entry)
        .method(Method::PUT, put().to(catalog_entries::put_entry))
        .method(Method::DELETE, delete().to(catalog_entries::delete_entry))
}

/// Serves these, each as `gated` has it, with its watch around it where there is one.
fn register<T, B>(
    config: &mut ServiceConfig,
    endpoints: impl IntoIterator<Item = Endpoint>,
    exposure: &ListenerConfig,
    gated: impl Fn(Resource) -> Resource<T>,
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
        let watch = endpoint.telemetry(exposure);
        let resource = gated(endpoint.into_resource());
        match watch {
            None => config.service(resource),
            Some(watch) => {
                let watched = move |request, next: &_| watch.instrument(request, next);
                config.service(resource.wrap_fn(watched))
            }
        };
    }
}

/// Serves callers: through the gate where anything is asked of them. Whether the catalogue asks for
/// anything may change while the service runs, so both ways are there, and the first one only while it
/// does not.
fn register_client_routes<const N: usize>(
    config: &mut ServiceConfig,
    endpoints: impl Fn() -> [Endpoint; N],
    exposure: &ListenerConfig,
) {
    if !exposure.client_checks_enabled {
        register(config, endpoints(), exposure, |resource| {
            let catalog = exposure.catalog.clone();
            resource.guard(fn_guard(move |_| !catalog.requires_auth()))
        });
    }
    let gated = |resource: Resource| resource.wrap(from_fn(authenticate_client));
    register(config, endpoints(), exposure, gated);
}

/// Serves the pages of the administration.
fn register_admin_ui(config: &mut ServiceConfig, exposure: &ListenerConfig) {
    let (open, streams, pages) = (
        admin_ui::public_routes(),
        admin_ui::stream_routes(),
        admin_ui::routes(),
    );
    let anybody = |page: Resource| page.wrap(from_fn(admin_ui::session_middleware::public_page));
    register(config, open.map(Endpoint::page), exposure, anybody);
    let stream = |page: Resource| {
        page.wrap(from_fn(
            admin_ui::session_middleware::require_stream_session,
        ))
    };
    register(config, streams.map(Endpoint::page), exposure, stream);
    let page = |page: Resource| page.wrap(from_fn(admin_ui::session_middleware::require_session));
    register(config, pages.map(Endpoint::page), exposure, page);
}

/// One path and what it answers to.
struct Endpoint {
    /// What it is called where requests are told of: its path.
    name: &'static str,
    resource: Resource,
    allowed_methods: Vec<Method>,
    /// It is asked again and again how the service is. What it answers then is no failure.
    is_probe: bool,
    /// It is for people: what is wrong is told them on a page.
    is_page: bool,
    /// What is told where it answers to nothing.
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
    /// Every path that is not somebody's before it.
    fn not_found(hints: NotFoundHints) -> Self {
        Self {
            name: telemetry::NO_ROUTE,
            hints,
            ..route("/{nowhere:.*}")
        }
    }

    fn method(mut self, method: Method, route: Route) -> Self {
        self.resource = self.resource.route(route);
        self.allowed_methods.push(method);
        self
    }

    /// Answers to GET, and to HEAD as to GET without the body. For what GET reads and never changes.
    fn get<F, Args>(mut self, page: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let look = web::route().guard(guard::Any(guard::Get()).or(guard::Head()));
        self.allowed_methods.extend([Method::GET, Method::HEAD]);
        self.resource = self.resource.route(look.to(page));
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

    /// What is told of requests to it, if anything.
    fn telemetry(&self, exposure: &ListenerConfig) -> Option<Rc<RouteTelemetry>> {
        let watching = exposure.telemetry;
        let watching = if self.is_probe {
            watching.for_probes()
        } else {
            watching
        };
        watching.for_route(self.name)
    }

    fn into_resource(self) -> Resource {
        let allowed: Vec<&str> = self.allowed_methods.iter().map(Method::as_str).collect();
        let (allow, is_page) = (allowed.join(", "), self.is_page);
        let hints = self.hints;
        let refuse = move |request: HttpRequest| {
            let error = routing_error(&request, &allow, hints);
            let error = if is_page {
                PageError::from(error).into()
            } else {
                Error::from(error)
            };
            async move { Err::<&str, Error>(error) }
        };
        self.resource.default_service(web::to(refuse))
    }
}

/// What is answered where no route is: nothing is there, or it answers to other methods.
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
