//! Endpoints of the route table.

use std::rc::Rc;

use actix_web::{
    Error, FromRequest, Handler, HttpRequest, Resource, Responder, Route, guard,
    http::{Method, header::UPGRADE},
    web,
};

use super::{
    ApiError,
    admin_ui::PageError,
    hints::NotFoundHints,
    listener::ListenerConfig,
    middleware::telemetry::{self, RouteTelemetry},
};
use crate::model::{Permission, Role};

/// One path with its methods.
pub(super) struct Endpoint {
    /// The name of the route in telemetry: its path.
    pub(super) name: &'static str,
    resource: Resource,
    pub(super) allowed_methods: Vec<Method>,
    /// A health probe: an unhealthy status is not logged as a failure.
    is_probe: bool,
    /// A page of the console: errors are rendered as HTML.
    is_page: bool,
    /// Whether the role of the user must permit its methods.
    is_restricted: bool,
    /// What its methods require of the role of the user.
    permissions: RoutePermissions,
    /// The hints of its 404.
    hints: NotFoundHints,
}

/// What the methods of a route of the admin API or the console require of the role of the user.
#[derive(Clone, Default)]
pub(super) struct RoutePermissions(Vec<(Vec<Method>, Permission)>);

impl RoutePermissions {
    /// Checks that `role` permits `method`. A method that the route does not have needs a role that permits another one,
    /// or to read: the response is 404 or 405.
    ///
    /// # Errors
    /// The permission that the role does not have.
    pub(super) fn check(&self, role: Role, method: &Method) -> Result<(), Permission> {
        let mut permissions = self.0.iter();
        let has_method = |(methods, _): &&(Vec<Method>, _)| methods.contains(method);
        let required = match permissions.find(has_method) {
            Some((_, required)) => *required,
            None if self.0.iter().any(|(_, other)| role.permits(*other)) => return Ok(()),
            None => Permission::Read,
        };
        if role.permits(required) {
            return Ok(());
        }
        Err(required)
    }
}

pub(super) fn route(path: &'static str) -> Endpoint {
    Endpoint {
        name: path,
        resource: web::resource(path),
        allowed_methods: Vec::new(),
        is_probe: false,
        is_page: false,
        is_restricted: false,
        permissions: RoutePermissions::default(),
        hints: NotFoundHints::default(),
    }
}

/// A path and all paths below it.
pub(super) fn tree(path: &'static str) -> Endpoint {
    let below = [path, "/{below:.*}"].concat();
    Endpoint {
        resource: web::resource([path.to_owned(), below]),
        ..route(path)
    }
}

impl Endpoint {
    /// The endpoint of all paths that no other route matches.
    pub(super) fn not_found(hints: NotFoundHints) -> Self {
        Self {
            name: telemetry::NO_ROUTE,
            hints,
            ..route("/{path:.*}")
        }
    }

    /// Handles a method. In the admin API and the console it requires [`Permission::Configure`], unless
    /// [`Endpoint::requires`] follows.
    pub(super) fn method(mut self, method: Method, route: Route) -> Self {
        self.resource = self.resource.route(route);
        let required = (vec![method.clone()], Permission::Configure);
        self.permissions.0.push(required);
        self.allowed_methods.push(method);
        self
    }

    /// Sets what the methods of the last call of [`Endpoint::get`] or [`Endpoint::method`] require of the role of the user.
    pub(super) fn requires(mut self, permission: Permission) -> Self {
        if let Some((_, required)) = self.permissions.0.last_mut() {
            *required = permission;
        }
        self
    }

    /// Rejects requests of users whose role does not permit them. The middleware that authenticates the users does it.
    pub(super) fn restricted(mut self) -> Self {
        self.is_restricted = true;
        self
    }

    /// Handles GET and HEAD. `handler` must be safe: it changes nothing. In the admin API and the console they require
    /// [`Permission::Read`], unless [`Endpoint::requires`] follows.
    pub(super) fn get<F, Args>(mut self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let route = web::route().guard(guard::Any(guard::Get()).or(guard::Head()));
        let methods = [Method::GET, Method::HEAD];
        self.permissions
            .0
            .push((methods.to_vec(), Permission::Read));
        self.allowed_methods.extend(methods);
        self.resource = self.resource.route(route.to(handler));
        self
    }

    /// Handles handshakes of WebSocket connections. They are no method of the path.
    pub(super) fn websocket<F, Args>(mut self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let is_websocket = guard::fn_guard(|request| {
            let upgrade = request.head().headers().get(UPGRADE);
            upgrade.is_some_and(|upgrade| upgrade.as_bytes().eq_ignore_ascii_case(b"websocket"))
        });
        let route = web::get().guard(is_websocket);
        self.resource = self.resource.route(route.to(handler));
        self
    }

    pub(super) fn page(mut self) -> Self {
        self.is_page = true;
        self
    }

    pub(super) fn probe(mut self) -> Self {
        self.is_probe = true;
        self
    }

    /// The telemetry of its requests.
    pub(super) fn telemetry(&self, listener: &ListenerConfig) -> Rc<RouteTelemetry> {
        let mut config = listener.telemetry.clone();
        if self.is_probe {
            config = config.for_probes();
        }
        config.for_route(self.name)
    }

    pub(super) fn into_resource(mut self) -> Resource {
        if self.is_restricted {
            self.resource = self.resource.app_data(self.permissions);
        }
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

pub(super) async fn unknown_route(request: HttpRequest) -> Result<&'static str, ApiError> {
    Err(routing_error(&request, "", NotFoundHints::default()))
}
