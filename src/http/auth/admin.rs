//! Authentication of operators, and what their roles permit.

use actix_web::{HttpMessage, HttpRequest};

use super::basic::basic_credentials;
use crate::{
    http::{
        ApiError, AppState, admin_api,
        endpoint::RoutePermissions,
        middleware::{csrf::check_site, real_ip::client_address},
    },
    model::{Permission, Role},
    service::Actor,
};

/// Authorizes a request by HTTP Basic, unless a page of another site caused it, and adds the operator to it.
///
/// # Errors
/// [`ApiError::Forbidden`], also if the role of the operator does not permit the request; [`ApiError::Unauthorized`];
/// [`ApiError::TooManyRequests`] after too many failed attempts from the same address.
pub(in crate::http) async fn authorize(
    state: &AppState,
    request: &HttpRequest,
) -> Result<(), ApiError> {
    check_site(request)?;
    let address = client_address(request, &state.trusted_proxies);
    let credentials = basic_credentials(request);
    let role = admin_api::admin_service(state)?
        .authorize(&credentials, address)
        .await?;
    check_role(request, role)?;
    let name = credentials.0.map(|(name, _)| name).unwrap_or_default();
    request.extensions_mut().insert(Actor { name, address });
    Ok(())
}

/// Checks that a role permits what the route of a request requires.
///
/// # Errors
/// [`ApiError::Forbidden`].
pub(in crate::http) fn check_role(request: &HttpRequest, role: Role) -> Result<(), ApiError> {
    let checked = match request.app_data::<RoutePermissions>() {
        Some(permissions) => permissions.check(role, request.method()),
        // Fails closed: every route that authenticates operators is registered as restricted.
        None => Err(Permission::Configure),
    };
    checked.map_err(|required| ApiError::Forbidden(required.missing_for(role)))
}
