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

pub use self::{error::ApiError, openapi::Document};
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
mod openapi;
mod path;
mod reply;
mod requests;
mod services;
mod storage;
mod trail;

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
}

/// All routes. They are tried in this order, so those asked most come first; only the two that take
/// any rest of a path have to stand behind the others.
pub fn routes(config: &mut ServiceConfig, Exposure { groups, gated }: Exposure) {
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
    let admin = [at("/genesys/1/admin/node/status").on(Method::GET, get().to(admin::node_status))];
    let health = [
        at("/livez").on(Method::GET, get().to(health::live)),
        at("/readyz").on(Method::GET, get().to(health::ready)),
        at("/openapi.json").on(Method::GET, get().to(openapi::tell)),
    ];
    if groups.client {
        serve(config, client, gated);
    } else if groups.matching {
        serve(config, matching, gated);
    }
    if groups.admin {
        serve(config, admin, false);
    }
    serve(config, health, false);
    config.default_service(web::to(no_route));
}

fn serve<const N: usize>(config: &mut ServiceConfig, endpoints: [Endpoint; N], gated: bool) {
    for endpoint in endpoints {
        let resource = endpoint.resource();
        if gated {
            config.service(resource.wrap(from_fn(gate::pass)));
        } else {
            config.service(resource);
        }
    }
}

/// One path and what it answers to.
struct Endpoint {
    resource: Resource,
    allowed: Vec<Method>,
}

fn at(path: &str) -> Endpoint {
    Endpoint {
        resource: web::resource(path),
        allowed: Vec::new(),
    }
}

impl Endpoint {
    fn on(mut self, method: Method, route: Route) -> Self {
        self.resource = self.resource.route(route);
        self.allowed.push(method);
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
