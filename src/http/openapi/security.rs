//! Security schemes and requirements.
//!
//! Operations of clients declare `security((), ("basic" = []))`: whether a service has credentials depends on the
//! catalog.

use super::{path_items::operations_of_mut, surface::ApiSurface};
use utoipa::openapi::{
    Components, OpenApi, SecurityRequirement,
    path::Operation,
    security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
};

const ADMIN: &str = "admin";
const AGENT: &str = "agent";
/// The schemes of the two headers for API keys of agents.
const AGENT_KEYS: [&str; 2] = ["agentKey", "agentKeyShort"];
const BASIC: &str = "basic";
/// The schemes of the two headers for API keys.
const API_KEYS: [&str; 2] = ["apiKey", "apiKeyShort"];

/// Adds the security schemes of `surface`.
pub(super) fn add_schemes(components: &mut Components, surface: &ApiSurface) {
    let client = basic_scheme(
        "Required by configured services that have a user name and a password, and by the services created from them",
    );
    components.add_security_scheme(BASIC, client);
    let keys = [
        (
            "x-api-key",
            "Required by all requests of clients if API keys are configured",
        ),
        ("apikey", "Alternative header for the API key"),
    ];
    for (scheme, (header, description)) in API_KEYS.into_iter().zip(keys) {
        components.add_security_scheme(scheme, key_scheme(header, description));
    }
    if surface.agents_enabled {
        let agent =
            basic_scheme("The name and the password of an agent, of the setting `agents.users`");
        components.add_security_scheme(AGENT, agent);
        let description =
            "The API key of a program that acts as an agent, of the setting `agents.api_keys`";
        for (scheme, header) in AGENT_KEYS.into_iter().zip(["x-api-key", "apikey"]) {
            components.add_security_scheme(scheme, key_scheme(header, description));
        }
    }
    if surface.admin_enabled {
        let admin = basic_scheme(
            "The settings `admin.username` and `admin.password`, with the role admin, or an operator of the setting \
             `operators.users`. The role viewer permits to read, operator also to act on services, bookings, replicas \
             and webhooks, admin also to change the catalog; other requests are rejected with `Forbidden`",
        );
        components.add_security_scheme(ADMIN, admin);
    }
}

fn key_scheme(header: &str, description: &str) -> SecurityScheme {
    let key = ApiKeyValue::with_description(header, description);
    SecurityScheme::ApiKey(ApiKey::Header(key))
}

fn basic_scheme(description: &str) -> SecurityScheme {
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Basic);
    SecurityScheme::Http(scheme.description(Some(description)).build())
}

/// Whether an operation requires the credentials of an operator.
pub(super) fn is_admin(operation: &Operation) -> bool {
    operation.security == Some(vec![requirement([ADMIN])])
}

/// Whether an operation requires the credentials of an agent.
pub(super) fn is_agent(operation: &Operation) -> bool {
    let mut requirements = operation.security.iter().flatten();
    requirements.any(|security| *security == requirement([AGENT]))
}

/// Requires an API key in one of the two headers for an operation of clients, and optionally the credentials of the
/// configured service.
pub(super) fn require_api_key(operation: &mut Operation) {
    if operation.security.is_some() && !is_admin(operation) && !is_agent(operation) {
        let alone = API_KEYS.map(|key| requirement([key]));
        let with_credentials = API_KEYS.map(|key| requirement([key, BASIC]));
        operation.security = Some(alone.into_iter().chain(with_credentials).collect());
    }
}

/// Declares operations without a security requirement as public, those of webhooks included: requests to receivers have
/// a signature instead of credentials.
pub(super) fn declare_public(document: &mut OpenApi) {
    let webhooks = document.webhooks.iter_mut();
    let webhooks = webhooks.flat_map(|section| section.paths.values_mut());
    for item in document.paths.paths.values_mut().chain(webhooks) {
        for operation in operations_of_mut(item) {
            operation.security.get_or_insert_default();
        }
    }
}

fn requirement<const N: usize>(schemes: [&str; N]) -> SecurityRequirement {
    let none = SecurityRequirement::default();
    schemes
        .into_iter()
        .fold(none, |requirement, scheme| requirement.add(scheme, [""; 0]))
}
