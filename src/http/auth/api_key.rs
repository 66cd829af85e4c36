//! API keys.

use actix_web::HttpRequest;
use secrecy::ExposeSecret;
use subtle::{Choice, ConstantTimeEq};

use crate::{
    http::{ApiError, AppState, middleware::real_ip::client_address},
    service::ServiceError,
};

/// Checks the API key of a request. Compares it with all configured keys in constant time, so that the duration
/// reveals nothing about them.
///
/// # Errors
/// [`ApiError::ApiKeyRequired`].
pub(in crate::http) async fn check_api_key(
    state: &AppState,
    request: &HttpRequest,
) -> Result<(), ApiError> {
    if state.api_keys.is_empty() {
        return Ok(());
    }
    let key = api_key(request).ok_or(ApiError::ApiKeyRequired(
        "an API key is missing: expected the header x-api-key or apikey",
    ))?;
    let is_valid = state.api_keys.iter().fold(Choice::from(0), |valid, known| {
        valid | known.expose_secret().as_bytes().ct_eq(key)
    });
    let address = client_address(request, &state.trusted_proxies);
    let result =
        state
            .services
            .authorize_api_key(bool::from(is_valid), address, "there is no such API key");
    result.await.map_err(|error| match error {
        ServiceError::Unauthorized(reason) => ApiError::ApiKeyRequired(reason),
        other => other.into(),
    })
}

/// The API key of a request: the first nonempty `x-api-key` or `apikey` header.
pub(in crate::http) fn api_key(request: &HttpRequest) -> Option<&[u8]> {
    let headers = request.headers();
    let keys = headers
        .get_all("x-api-key")
        .chain(headers.get_all("apikey"));
    let mut keys = keys.map(|key| key.as_bytes().trim_ascii());
    keys.find(|key| !key.is_empty())
}
