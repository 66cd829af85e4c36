//! Authentication of clients, agents and administrators.

use actix_web::{HttpRequest, http::Method};

use self::{api_key::check_api_key, basic::basic_credentials};
use super::{ApiError, AppState, middleware::real_ip::client_address, path};

pub(super) mod admin;
pub(super) mod agent;
pub(super) mod api_key;
pub(super) mod basic;

/// Authorizes a client request: by API key if any are configured, and by the credentials of the configured service
/// that the service in the path was created from. A create checks its credentials itself.
///
/// # Errors
/// [`ApiError::ApiKeyRequired`], [`ApiError::Unauthorized`].
pub(super) async fn authorize(state: &AppState, request: &HttpRequest) -> Result<(), ApiError> {
    check_api_key(state, request).await?;
    if !state.services.requires_auth() {
        return Ok(());
    }
    if let Some(name) = path::bare_service_name(request)? {
        let creates = match *request.method() {
            Method::POST => true,
            // The handler rejects HEAD.
            Method::GET | Method::HEAD => state.services.is_configured(&name),
            _ => false,
        };
        if creates {
            return Ok(());
        }
    }
    let id = path::service_id(request)?;
    Ok(state
        .services
        .authorize(
            &id,
            &basic_credentials(request),
            client_address(request, &state.trusted_proxies),
        )
        .await?)
}
