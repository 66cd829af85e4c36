//! Middleware.

pub(super) mod auth;
pub(super) mod cors;
pub(super) mod csrf;
pub(super) mod real_ip;
pub(super) mod security_headers;
pub(super) mod telemetry;
mod upgrade;

use actix_web::{
    Error,
    dev::{Service, ServiceRequest, ServiceResponse},
};

use self::security_headers::SecurityHeaders;

/// Applies the middleware of a whole listener, whatever the route of the request.
pub(super) fn apply<S, B>(
    mut request: ServiceRequest,
    routes: &S,
    headers: SecurityHeaders,
    has_cors: bool,
) -> impl Future<Output = Result<ServiceResponse<B>, Error>> + use<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    let upgrade = upgrade::strip_upgrade(&mut request);
    let response = routes.call(request);
    async move {
        let mut response = response.await?;
        headers.add(response.headers_mut());
        if has_cors {
            cors::add_vary(response.headers_mut());
        }
        if upgrade.is_requested() && !upgrade::is_accepted(&response) {
            upgrade::close_connection(&mut response);
        }
        Ok(response)
    }
}
