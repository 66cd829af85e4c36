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
    admin::{bookings, catalog, entries, history, live, restore},
    hints::Hints,
    middleware::security_headers::SecurityHeaders,
    pages::PageError,
    watch::Watch,
};
pub use self::{error::ApiError, openapi::Document, refusal::Refusal, watch::Watching};
use crate::{
    model::readiness::Readiness,
    service::{Admin, InForce, Services},
    settings::{Cors, Groups, Limits, Settings},
};

mod accept;
mod admin;
mod binaries;
mod body;
mod caller;
mod cors;
mod error;
mod etag;
mod fetch_metadata;
mod gate;
mod health;
mod hints;
mod metrics;
mod middleware;
mod openapi;
mod operators;
mod pages;
mod path;
mod refusal;
mod reply;
mod requests;
mod response_body;
mod services;
mod storage;
mod trail;
mod watch;

/// What the handlers of one worker share.
pub struct Api {
    services: Services,
    admin: Option<Admin>,
    limits: Arc<Limits>,
    readiness: Readiness,
    body_stall: Duration,
    unreadable_json_status: u16,
    keys: Vec<SecretString>,
    trusted_proxies: Vec<IpNet>,
    cors: Cors,
    board: pages::Board,
}

impl Api {
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
        reply::work_for(&readiness, &services.memory().responses);
        Self {
            services,
            admin,
            limits,
            readiness,
            body_stall: settings.server.body_stall,
            unreadable_json_status: settings.api.unreadable_json_status,
            keys: settings.auth.api_keys.clone(),
            trusted_proxies: settings.server.trusted_proxies.clone(),
            cors: settings.cors.clone(),
            board: pages::Board::default(),
        }
    }
}

/// What a listener serves.
#[derive(Clone)]
pub struct Exposure {
    /// Which groups of routes.
    pub groups: Groups,
    /// Whether API keys or origins are asked of all callers of services.
    pub gated: bool,
    /// Tells whether credentials are asked of some of them. While nothing is asked, nobody is looked at on
    /// the way to a route.
    pub catalog: InForce,
    /// Whether there is an administration.
    pub administered: bool,
    /// What is told of requests.
    pub watching: Watching,
    /// Whether it takes TLS only.
    pub tls: bool,
}

/// Passes a request on to [`routes`], and completes the response: for the whole of a listener.
pub fn serve_request<S, B>(
    request: ServiceRequest,
    routes: &S,
    exposure: &Exposure,
) -> impl Future<Output = Result<ServiceResponse<B>, Error>> + use<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    middleware::apply(request, routes, SecurityHeaders { tls: exposure.tls })
}

/// All routes. They are tried in this order, so those asked most come first; only the two that take
/// any rest of a path have to stand behind the others.
pub fn routes(config: &mut ServiceConfig, exposure: &Exposure) {
    let client = || {
        [
            at("/genesys/1/service/{id}/storage/{key}")
                .shows(storage::read)
                .on(Method::DELETE, delete().to(storage::delete_key)),
            at("/genesys/1/service/{id}/storage")
                .shows(storage::read_all)
                .on(Method::POST, post().to(storage::write))
                .on(Method::DELETE, delete().to(storage::clear)),
            at("/genesys/1/service/{service}")
                .on(Method::POST, post().to(services::create))
                .shows(services::create_or_describe)
                .on(Method::PUT, put().to(services::set_end))
                .on(Method::DELETE, delete().to(services::delete)),
            at("/genesys/1/service/{id}/storage/binary/{key}").shows(binaries::read),
            at("/genesys/1/cs/services/{id}").on(Method::PUT, put().to(services::set_end)),
            // What lies deeper is nothing, and no request either.
            at("/genesys/1/service/{id}/storage/{rest:.*}"),
            at("/genesys/1/service/{id}/{request:.+}")
                .on(Method::POST, post().to(requests::ask))
                .on(Method::GET, get().to(requests::ask)),
        ]
    };
    // Which of the configured services may be created is told by what a listener sees of the catalogue.
    let matching = || {
        [at("/genesys/1/service/{service}")
            .on(Method::POST, post().to(services::create))
            .on(Method::GET, get().to(services::create))]
    };
    let status = [at("/genesys/1/admin/node/status")
        .shows(admin::node_status)
        .probe()];
    let admin = [
        at("/genesys/1/admin/services").shows(entries::list),
        entry("/genesys/1/admin/services/{name}"),
        at("/genesys/1/admin/groups").shows(entries::list),
        entry("/genesys/1/admin/groups/{name}"),
        at("/genesys/1/admin/groups/{group}/bookings").shows(bookings::list),
        at("/genesys/1/admin/groups/{group}/bookings/{booking}")
            .on(Method::DELETE, delete().to(bookings::release)),
        at("/genesys/1/admin/catalog")
            .shows(catalog::export)
            .on(Method::PUT, put().to(catalog::import))
            .on(Method::POST, post().to(catalog::import)),
        at("/genesys/1/admin/catalog/lost").shows(restore::lost),
        at("/genesys/1/admin/catalog/restore").on(Method::POST, post().to(restore::restore)),
        at("/genesys/1/admin/live").shows(live::list),
        at("/genesys/1/admin/live/{id}")
            .shows(live::look_up)
            .on(Method::PUT, put().to(live::extend))
            .on(Method::DELETE, delete().to(live::end)),
        at("/genesys/1/admin/history").shows(history::list),
        at("/genesys/1/admin/replicas").shows(history::replicas),
    ];
    let health = [
        at("/livez").shows(health::live).probe(),
        at("/readyz").shows(health::ready).probe(),
        at("/openapi.json").shows(openapi::tell),
    ];
    // What anybody may ask.
    let ungated = |resource: Resource| resource;
    let telling = [at("/metrics").shows(metrics::tell)];
    let groups = exposure.groups;
    if groups.client {
        serve_callers(config, client, exposure);
    } else if groups.matching {
        serve_callers(config, matching, exposure);
    }
    if groups.admin {
        serve(config, status, exposure, ungated);
    }
    if groups.admin && exposure.watching.counts() {
        serve(config, telling, exposure, ungated);
    }
    if groups.admin && exposure.administered {
        let gated = |resource: Resource| resource.wrap(from_fn(gate::pass_operator));
        serve(config, admin, exposure, gated);
        serve_pages(config, exposure);
    }
    let shared = |resource: Resource| resource.wrap(from_fn(gate::pass_everyone));
    serve(config, health, exposure, shared);
    let hints = Hints::new(exposure);
    serve(config, [Endpoint::nowhere(hints)], exposure, shared);
    config.default_service(web::to(no_route));
}

/// One configured service or resource group.
fn entry(path: &'static str) -> Endpoint {
    at(path)
        .shows(entries::read)
        .on(Method::PUT, put().to(entries::put))
        .on(Method::DELETE, delete().to(entries::delete))
}

/// Serves these, each as `gated` has it, with its watch around it where there is one.
fn serve<T, B>(
    config: &mut ServiceConfig,
    endpoints: impl IntoIterator<Item = Endpoint>,
    exposure: &Exposure,
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
        let watch = endpoint.watch(exposure);
        let resource = gated(endpoint.resource());
        match watch {
            None => config.service(resource),
            Some(watch) => {
                let watched = move |request, next: &_| watch.pass(request, next);
                config.service(resource.wrap_fn(watched))
            }
        };
    }
}

/// Serves callers: through the gate where anything is asked of them. Whether the catalogue asks for
/// anything may change while the service runs, so both ways are there, and the first one only while it
/// does not.
fn serve_callers<const N: usize>(
    config: &mut ServiceConfig,
    endpoints: impl Fn() -> [Endpoint; N],
    exposure: &Exposure,
) {
    if !exposure.gated {
        serve(config, endpoints(), exposure, |resource| {
            let catalog = exposure.catalog.clone();
            resource.guard(fn_guard(move |_| !catalog.is_guarded()))
        });
    }
    let gated = |resource: Resource| resource.wrap(from_fn(gate::pass));
    serve(config, endpoints(), exposure, gated);
}

/// Serves the pages of the administration.
fn serve_pages(config: &mut ServiceConfig, exposure: &Exposure) {
    let (open, streams, pages) = (pages::open_routes(), pages::streams(), pages::routes());
    let anybody = |page: Resource| page.wrap(from_fn(pages::gate::pass_anybody));
    serve(config, open.map(Endpoint::page), exposure, anybody);
    let stream = |page: Resource| page.wrap(from_fn(pages::gate::pass_stream));
    serve(config, streams.map(Endpoint::page), exposure, stream);
    let page = |page: Resource| page.wrap(from_fn(pages::gate::pass));
    serve(config, pages.map(Endpoint::page), exposure, page);
}

/// One path and what it answers to.
struct Endpoint {
    /// What it is called where requests are told of: its path.
    name: &'static str,
    resource: Resource,
    allowed: Vec<Method>,
    /// It is asked again and again how the service is. What it answers then is no failure.
    is_probe: bool,
    /// It is for people: what is wrong is told them on a page.
    is_page: bool,
    /// What is told where it answers to nothing.
    hints: Hints,
}

fn at(path: &'static str) -> Endpoint {
    Endpoint {
        name: path,
        resource: web::resource(path),
        allowed: Vec::new(),
        is_probe: false,
        is_page: false,
        hints: Hints::default(),
    }
}

impl Endpoint {
    /// Every path that is not somebody's before it.
    fn nowhere(hints: Hints) -> Self {
        Self {
            name: watch::NOWHERE,
            hints,
            ..at("/{nowhere:.*}")
        }
    }

    fn on(mut self, method: Method, route: Route) -> Self {
        self.resource = self.resource.route(route);
        self.allowed.push(method);
        self
    }

    /// Answers to GET, and to HEAD as to GET without the body. For what GET reads and never changes.
    fn shows<F, Args>(mut self, page: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let look = web::route().guard(guard::Any(guard::Get()).or(guard::Head()));
        self.allowed.extend([Method::GET, Method::HEAD]);
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
    fn watch(&self, exposure: &Exposure) -> Option<Rc<Watch>> {
        let watching = exposure.watching;
        let watching = if self.is_probe {
            watching.of_probes()
        } else {
            watching
        };
        watching.at(self.name)
    }

    fn resource(self) -> Resource {
        let allowed: Vec<&str> = self.allowed.iter().map(Method::as_str).collect();
        let (allow, is_page) = (allowed.join(", "), self.is_page);
        let hints = self.hints;
        let refuse = move |request: HttpRequest| {
            let error = refused(&request, &allow, hints);
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
fn refused(request: &HttpRequest, allow: &str, hints: Hints) -> ApiError {
    if allow.is_empty() {
        return hints.not_found(request.path());
    }
    ApiError::MethodNotAllowed {
        method: request.method().to_string(),
        allow: allow.to_owned(),
    }
}

async fn no_route(request: HttpRequest) -> Result<&'static str, ApiError> {
    Err(refused(&request, "", Hints::default()))
}
