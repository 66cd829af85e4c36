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
    /// The hints of its 404.
    hints: NotFoundHints,
}

pub(super) fn route(path: &'static str) -> Endpoint {
    Endpoint {
        name: path,
        resource: web::resource(path),
        allowed_methods: Vec::new(),
        is_probe: false,
        is_page: false,
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

    pub(super) fn method(mut self, method: Method, route: Route) -> Self {
        self.resource = self.resource.route(route);
        self.allowed_methods.push(method);
        self
    }

    /// Handles GET and HEAD. `handler` must be safe: it changes nothing.
    pub(super) fn get<F, Args>(mut self, handler: F) -> Self
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

    pub(super) fn into_resource(self) -> Resource {
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
