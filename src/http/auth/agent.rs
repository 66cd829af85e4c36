//! Authentication of agents.

use actix_web::{HttpMessage, HttpRequest, http::header::AUTHORIZATION};

use super::{api_key::api_key, basic::basic_credentials};
use crate::{
    http::{
        ApiError, AppState, agent_api,
        middleware::{csrf::check_site, real_ip::client_address},
    },
    service::{Actor, AgentCredentials},
};

/// Authorizes a request by HTTP Basic or by the API key of an agent, unless a page of another site caused it. The agent is
/// added to the request.
///
/// # Errors
/// [`ApiError::Forbidden`], [`ApiError::Unauthorized`]; [`ApiError::TooManyRequests`] after too many failed attempts from
/// the same address; [`ApiError::Overloaded`].
pub(in crate::http) async fn authorize(
    state: &AppState,
    request: &HttpRequest,
) -> Result<(), ApiError> {
    check_site(request)?;
    let address = client_address(request, &state.trusted_proxies);
    let name = agent_api::agents(state)?
        .authorize(credentials(request), address)
        .await?;
    request.extensions_mut().insert(Actor { name, address });
    Ok(())
}

/// The credentials of a request. An API key counts only without `Authorization`.
fn credentials(request: &HttpRequest) -> AgentCredentials {
    if let Some((name, password)) = basic_credentials(request).0 {
        return AgentCredentials::Password(name, password);
    }
    match api_key(request) {
        Some(key) if !request.headers().contains_key(AUTHORIZATION) => {
            AgentCredentials::ApiKey(key.to_vec())
        }
        _ => AgentCredentials::Missing,
    }
}
