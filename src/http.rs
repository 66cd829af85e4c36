//! The wire: routes, bodies, answers and errors.
//!
//! [`routes`] is the whole list. A handler reads what it needs of the request, calls the service
//! layer, and shapes the answer; it decides nothing else. Whatever fails becomes an [`ApiError`].

use std::{sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, Resource, Route,
    http::Method,
    middleware::from_fn,
    web::{self, ServiceConfig, delete, get, head, post, put},
};

use ipnet::IpNet;
use secrecy::SecretString;

pub use self::{error::ApiError, watch::Watching};
use crate::{
    service::Services,
    settings::{Cors, Groups, Limits, Settings},
    shutdown::Readiness,
};

mod admin;
mod binaries;
mod body;
mod caller;
mod cors;
mod error;
mod gate;
mod health;
mod metrics;
mod path;
mod reply;
mod requests;
mod services;
mod storage;
mod trail;
mod watch;

/// What the handlers of one worker share.
pub struct Api {
    services: Services,
    limits: Arc<Limits>,
    readiness: Readiness,
    body_stall: Duration,
    unreadable_json_status: u16,
    keys: Vec<SecretString>,
    trusted_proxies: Vec<IpNet>,
    cors: Cors,
}

impl Api {
    /// Handlers' view of `services`, as `settings` have it; made on the worker's own thread.
    #[must_use]
    pub fn new(
        services: Services,
        limits: Arc<Limits>,
        readiness: Readiness,
        settings: &Settings,
    ) -> Self {
        reply::work_for(&readiness);
        Self {
            services,
            limits,
            readiness,
            body_stall: settings.server.body_stall,
            unreadable_json_status: settings.api.unreadable_json_status,
            keys: settings.auth.api_keys.clone(),
            trusted_proxies: settings.server.trusted_proxies.clone(),
            cors: settings.cors.clone(),
        }
    }
}

/// What a listener serves.
#[derive(Debug, Clone, Copy)]
pub struct Exposure {
    /// Which groups of routes.
    pub groups: Groups,
    /// Whether anything is asked of the callers of services: credentials, API keys, origins. If not,
    /// nobody is looked at on the way to a route.
    pub gated: bool,
    /// What is told of requests.
    pub watching: Watching,
}

/// All routes. They are tried in this order, so those asked most come first; only the two that take
/// any rest of a path have to stand behind the others.
pub fn routes(config: &mut ServiceConfig, exposure: Exposure) {
    let Exposure {
        groups, watching, ..
    } = exposure;
    let client = [
        at("/genesys/1/service/{id}/storage/{key}")
            .on(Method::GET, get().to(storage::read))
            .on(Method::DELETE, delete().to(storage::delete_key)),
        at("/genesys/1/service/{id}/storage")
            .on(Method::GET, get().to(storage::read_all))
            .on(Method::POST, post().to(storage::write))
            .on(Method::DELETE, delete().to(storage::clear)),
        at("/genesys/1/service/{service}")
            .on(Method::POST, post().to(services::create))
            .on(Method::GET, get().to(services::create_or_describe))
            .on(Method::PUT, put().to(services::set_end))
            .on(Method::DELETE, delete().to(services::delete)),
        at("/genesys/1/service/{id}/storage/binary/{key}")
            .on(Method::GET, get().to(binaries::read))
            .on(Method::HEAD, head().to(binaries::read)),
        at("/genesys/1/cs/services/{id}").on(Method::PUT, put().to(services::set_end)),
        // What lies deeper is nothing, and no request either.
        at("/genesys/1/service/{id}/storage/{rest:.*}"),
        at("/genesys/1/service/{id}/{request:.+}")
            .on(Method::POST, post().to(requests::ask))
            .on(Method::GET, get().to(requests::ask)),
    ];
    // Which of the configured services may be created is told by the catalogue that a listener sees.
    let matching = [at("/genesys/1/service/{service}")
        .on(Method::POST, post().to(services::create))
        .on(Method::GET, get().to(services::create))];
    let admin = [at("/genesys/1/admin/node/status")
        .on(Method::GET, get().to(admin::node_status))
        .probe()];
    let health = [
        at("/livez").on(Method::GET, get().to(health::live)).probe(),
        at("/readyz")
            .on(Method::GET, get().to(health::ready))
            .probe(),
    ];
    let telling = [at("/metrics").on(Method::GET, get().to(metrics::tell))];
    let open = Exposure {
        gated: false,
        ..exposure
    };
    if groups.client {
        serve(config, client, exposure);
    } else if groups.matching {
        serve(config, matching, exposure);
    }
    if groups.admin {
        serve(config, admin, open);
    }
    if groups.admin && watching.counts() {
        serve(config, telling, open);
    }
    serve(config, health, open);
    serve(config, [Endpoint::nowhere()], open);
    config.default_service(web::to(no_route));
}

fn serve<const N: usize>(config: &mut ServiceConfig, endpoints: [Endpoint; N], exposure: Exposure) {
    for endpoint in endpoints {
        let watching = exposure.watching;
        let watch = if endpoint.is_probe {
            watching.of_probes().at(endpoint.name)
        } else {
            watching.at(endpoint.name)
        };
        let resource = endpoint.resource();
        match (watch, exposure.gated) {
            (None, false) => config.service(resource),
            (None, true) => config.service(resource.wrap(from_fn(gate::pass))),
            (Some(watch), false) => {
                let watched = move |request, next: &_| watch.pass(request, next);
                config.service(resource.wrap_fn(watched))
            }
            (Some(watch), true) => {
                let watched = move |request, next: &_| watch.pass(request, next);
                let gated = resource.wrap(from_fn(gate::pass));
                config.service(gated.wrap_fn(watched))
            }
        };
    }
}

/// One path and what it answers to.
struct Endpoint {
    /// What it is called where requests are told of: its path.
    name: &'static str,
    resource: Resource,
    allowed: Vec<Method>,
    /// It is asked again and again how the service is. What it answers then is no failure.
    is_probe: bool,
}

fn at(path: &'static str) -> Endpoint {
    Endpoint {
        name: path,
        resource: web::resource(path),
        allowed: Vec::new(),
        is_probe: false,
    }
}

impl Endpoint {
    /// Every path that is not somebody's before it.
    fn nowhere() -> Self {
        Self {
            name: watch::NOWHERE,
            ..at("/{nowhere:.*}")
        }
    }

    fn on(mut self, method: Method, route: Route) -> Self {
        self.resource = self.resource.route(route);
        self.allowed.push(method);
        self
    }

    fn probe(mut self) -> Self {
        self.is_probe = true;
        self
    }

    fn resource(self) -> Resource {
        if self.allowed.is_empty() {
            return self.resource.default_service(web::to(no_route));
        }
        let allowed: Vec<&str> = self.allowed.iter().map(Method::as_str).collect();
        let allow = allowed.join(", ");
        let refuse = move |request: HttpRequest| {
            let error = ApiError::MethodNotAllowed {
                method: request.method().to_string(),
                allow: allow.clone(),
            };
            async move { Err::<&str, ApiError>(error) }
        };
        self.resource.default_service(web::to(refuse))
    }
}

async fn no_route(request: HttpRequest) -> Result<&'static str, ApiError> {
    Err(ApiError::NotFound(request.path().to_owned()))
}
