//! Cross-origin resource sharing (the CORS protocol of the Fetch standard), by actix-cors.
//!
//! Only requests of listed origins reach the middleware. All others are served as without CORS: browsers withhold the
//! responses from the page, because they have no CORS headers. The API uses no cookies, so credentials are not allowed,
//! except for `CometD`, whose clients send them.
//! See `docs/adr/0030-cors-by-actix-cors.md`.

use std::rc::Rc;

use actix_cors::{Cors, CorsError};
use actix_web::{
    Error, Resource,
    body::{EitherBody, MessageBody},
    dev::{RequestHead, ServiceFactory, ServiceRequest, ServiceResponse},
    guard::fn_guard,
    http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, HeaderMap, HeaderValue, ORIGIN, VARY},
    middleware::{Next, from_fn},
};

use crate::{http::ApiError, settings};

/// Request headers that pages may send in addition to the safelisted ones.
const ALLOWED_HEADERS: [&str; 16] = [
    "gms_user",
    "content-type",
    "authorization",
    "x-api-key",
    "apikey",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "if-range",
    "range",
    "last-event-id",
    "traceparent",
    "tracestate",
    "baggage",
    "x-request-id",
    "x-requested-with",
];
const ALLOWED_METHODS: [&str; 5] = ["GET", "HEAD", "POST", "PUT", "DELETE"];
/// Response headers that pages may read in addition to the safelisted ones.
const EXPOSED_HEADERS: [&str; 9] = [
    "accept-ranges",
    "allow",
    "content-disposition",
    "content-range",
    "etag",
    "idempotent-replayed",
    "retry-after",
    "warning",
    "www-authenticate",
];
/// Seconds for which a browser may cache a preflight response.
const MAX_AGE: usize = 3600;

/// The listed origins of a listener, and the middleware of their requests.
#[derive(Clone)]
pub(in crate::http) struct ListedOrigins {
    origins: Rc<settings::Cors>,
    middleware: Rc<Cors>,
}

impl ListedOrigins {
    /// The origins of `cors.allowed_origins`; `None` if it is empty.
    pub(in crate::http) fn from_settings(cors: &settings::Cors) -> Option<Self> {
        Self::with(cors, Cors::default())
    }

    /// The same for requests with credentials.
    pub(in crate::http) fn with_credentials(cors: &settings::Cors) -> Option<Self> {
        Self::with(cors, Cors::default().supports_credentials())
    }

    fn with(cors: &settings::Cors, middleware: Cors) -> Option<Self> {
        let middleware = middleware
            .allowed_origin_fn(|_, _| true)
            .allowed_methods(ALLOWED_METHODS)
            .allowed_headers(ALLOWED_HEADERS)
            .expose_headers(EXPOSED_HEADERS)
            .max_age(MAX_AGE);
        (!cors.allowed_origins.is_empty()).then(|| Self {
            origins: Rc::new(cors.clone()),
            middleware: Rc::new(middleware),
        })
    }

    /// Restricts `resource` to requests of listed origins, answers their preflights and adds the CORS headers to all
    /// other responses.
    pub(in crate::http) fn apply<T, B>(
        &self,
        resource: Resource<T>,
    ) -> Resource<
        impl ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<EitherBody<EitherBody<B>>>,
            Error = Error,
            InitError = (),
        > + use<T, B>,
    >
    where
        T: ServiceFactory<
                ServiceRequest,
                Config = (),
                Response = ServiceResponse<B>,
                Error = Error,
                InitError = (),
            > + 'static,
        B: MessageBody + 'static,
    {
        let origins = Rc::clone(&self.origins);
        resource
            .guard(fn_guard(move |request| {
                allowed_origin(&origins, request.head()).is_some()
            }))
            .wrap(Rc::clone(&self.middleware))
            .wrap(from_fn(convert_error))
    }
}

/// Replaces the text of actix-cors about a rejected preflight by an error of the API.
async fn convert_error<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let response = next.call(request).await?;
    let error = response.response().error();
    let rejected = error.and_then(Error::as_error::<CorsError>);
    match rejected.map(|error| ApiError::InvalidParameter(error.to_string())) {
        None => Ok(response.map_into_left_body()),
        Some(error) => Ok(response.error_response(error).map_into_right_body()),
    }
}

/// Adds the `Vary` of a response without CORS headers to a listener with listed origins. Caches must not serve it to
/// those.
pub(in crate::http) fn add_vary(headers: &mut HeaderMap) {
    if !headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
}

/// The origin of a request, if `cors.allowed_origins` lists it.
pub(in crate::http) fn allowed_origin<'a>(
    cors: &settings::Cors,
    request: &'a RequestHead,
) -> Option<&'a HeaderValue> {
    let origin = request.headers().get(ORIGIN)?;
    is_allowed_origin(cors, origin.to_str().ok()?).then_some(origin)
}

/// Whether `cors.allowed_origins` lists an origin.
pub(in crate::http) fn is_allowed_origin(cors: &settings::Cors, origin: &str) -> bool {
    let mut origins = cors.allowed_origins.iter();
    origins.any(|allowed| allowed.eq_ignore_ascii_case(origin))
}
