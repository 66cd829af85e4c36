//! The routes and settings that a document describes.

use std::{cell::RefCell, sync::Arc};

use crate::{
    http::listener::ListenerConfig,
    settings::{Limits, RouteGroups, Settings},
};

thread_local! {
    /// The surface whose document this thread creates. The traits of utoipa have no arguments.
    static CURRENT: RefCell<Option<ApiSurface>> = const { RefCell::new(None) };
}

/// The routes that a listener serves, and the settings that its document contains.
#[derive(Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are independent of each other"
)]
pub(in crate::http) struct ApiSurface {
    pub(in crate::http) groups: RouteGroups,
    pub(super) limits: Arc<Limits>,
    /// Whether it serves `/metrics`.
    pub(in crate::http) metrics_enabled: bool,
    /// Whether it serves the admin API.
    pub(in crate::http) admin_enabled: bool,
    /// Whether it serves the API for agents.
    pub(in crate::http) agents_enabled: bool,
    /// Whether clients need an API key.
    pub(super) has_api_keys: bool,
    /// The status of `UnreadableJson`.
    pub(super) unreadable_json_status: u16,
}

impl ApiSurface {
    /// The surface of a listener.
    pub(in crate::http) fn new(listener: &ListenerConfig, settings: &Settings) -> Self {
        Self {
            groups: listener.groups,
            limits: Arc::new(settings.limits.clone()),
            metrics_enabled: listener.groups.admin && listener.telemetry.has_metrics(),
            admin_enabled: listener.groups.admin && listener.admin_enabled,
            agents_enabled: listener.groups.agent && listener.agents_enabled,
            has_api_keys: !settings.auth.api_keys.is_empty(),
            unreadable_json_status: settings.api.unreadable_json_status,
        }
    }

    /// Calls `create` with this surface as the current one.
    pub(super) fn enter<T>(&self, create: impl FnOnce() -> T) -> T {
        CURRENT.replace(Some(self.clone()));
        let created = create();
        CURRENT.take();
        created
    }
}

/// Reads the surface of the document that this thread creates; the default value outside of [`ApiSurface::enter`].
pub(super) fn current<T: Default>(read: impl FnOnce(&ApiSurface) -> T) -> T {
    CURRENT.with_borrow(|current| current.as_ref().map(read).unwrap_or_default())
}

/// The maximum TTL of a service, in seconds.
pub(super) fn max_ttl_seconds() -> u64 {
    current(|surface| surface.limits.max_ttl.as_secs())
}

/// The example of a TTL, in seconds.
pub(in crate::http) fn example_ttl_seconds() -> u64 {
    max_ttl_seconds().min(3600)
}
