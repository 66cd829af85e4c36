//! Authentication of administrators.

use actix_web::HttpRequest;

use super::basic::basic_credentials;
use crate::http::{
    ApiError, AppState, admin_api,
    middleware::{csrf::check_site, real_ip::client_address},
};

/// Authorizes a request by HTTP Basic, unless a page of another site caused it.
///
/// # Errors
/// [`ApiError::Forbidden`], [`ApiError::Unauthorized`]; [`ApiError::TooManyRequests`] after too many failed attempts
/// from the same address.
pub(in crate::http) async fn authorize(
    state: &AppState,
    request: &HttpRequest,
) -> Result<(), ApiError> {
    check_site(request)?;
    let address = client_address(request, &state.trusted_proxies);
    let credentials = basic_credentials(request);
    Ok(admin_api::admin_service(state)?
        .authorize(&credentials, address)
        .await?)
}
