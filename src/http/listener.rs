//! The configuration of a listener.

use super::middleware::telemetry::TelemetryConfig;
use crate::{
    service::CurrentCatalog,
    settings::{Cors, RouteGroups},
};

/// The configuration of a listener.
#[derive(Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are independent of each other"
)]
pub struct ListenerConfig {
    /// The route groups that it serves.
    pub groups: RouteGroups,
    /// Whether API keys are configured, so that every client request is checked.
    pub requires_api_key: bool,
    /// The current catalog. While none of its configured services requires credentials, and
    /// `requires_api_key` is false, client requests bypass the authentication middleware.
    pub catalog: CurrentCatalog,
    /// The origins whose pages can call the API.
    pub cors: Cors,
    /// Whether the admin API is enabled.
    pub admin_enabled: bool,
    /// Whether agents are configured.
    pub agents_enabled: bool,
    /// Telemetry of requests.
    pub telemetry: TelemetryConfig,
    /// Whether it serves TLS.
    pub tls: bool,
}
