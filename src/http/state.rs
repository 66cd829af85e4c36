//! State that handlers share.

use std::{sync::Arc, time::Duration};

use ipnet::IpNet;
use secrecy::SecretString;

use super::{admin_ui, response};
use crate::{
    model::readiness::Readiness,
    service::{Admin, Agents, Services},
    settings::{Cors, Limits, Settings},
    telemetry::metrics::{Exporter, HttpMetrics},
};

/// State that the handlers of one worker share.
pub struct AppState {
    pub(super) services: Services,
    pub(super) admin: Option<Admin>,
    pub(super) agents: Option<Agents>,
    pub(super) limits: Arc<Limits>,
    pub(super) readiness: Readiness,
    pub(super) body_idle_timeout: Duration,
    pub(super) unreadable_json_status: u16,
    pub(super) api_keys: Vec<SecretString>,
    pub(super) trusted_proxies: Vec<IpNet>,
    pub(super) cors: Cors,
    pub(super) http_metrics: HttpMetrics,
    pub(super) exporter: Arc<Exporter>,
    pub(super) overview_cache: admin_ui::OverviewCache,
}

impl AppState {
    /// Creates the state of a worker, on its thread. `admin` is `None` if the admin API is disabled, `agents` if also
    /// no agents are configured.
    #[must_use]
    pub fn new(
        services: Services,
        admin: Option<Admin>,
        agents: Option<Agents>,
        readiness: Readiness,
        settings: &Settings,
        http_metrics: HttpMetrics,
        exporter: Arc<Exporter>,
    ) -> Self {
        let limits = services.limits();
        response::init_worker(&readiness, &services.memory().responses);
        Self {
            services,
            admin,
            agents,
            limits,
            readiness,
            body_idle_timeout: settings.server.body_idle_timeout,
            unreadable_json_status: settings.api.unreadable_json_status,
            api_keys: settings.auth.api_keys.clone(),
            trusted_proxies: settings.server.trusted_proxies.clone(),
            cors: settings.cors.clone(),
            http_metrics,
            exporter,
            overview_cache: admin_ui::OverviewCache::default(),
        }
    }
}
