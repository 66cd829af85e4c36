//! Metrics about all replicas, exported by the cleanup leader only, so that both the sum and the maximum
//! over all replicas are correct. Unknown values are not exported.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::encode::TextEncoder;

static DEPLOYMENT_METRICS: Mutex<DeploymentMetrics> = Mutex::new(DeploymentMetrics {
    active_services: None,
    cleanup_lag: None,
    groups: Vec::new(),
});

/// The known values.
#[derive(Debug, Default, Clone)]
pub struct DeploymentMetrics {
    /// Active services.
    pub active_services: Option<u64>,
    /// The time since the end of the oldest service that awaits cleanup.
    pub cleanup_lag: Option<Duration>,
    /// Per resource group: name, booked numbers, and free numbers if a number is booked only once.
    pub groups: Vec<(String, u64, Option<u64>)>,
}

/// Replaces the values.
pub fn set_deployment_metrics(metrics: DeploymentMetrics) {
    *DEPLOYMENT_METRICS
        .lock()
        .unwrap_or_else(PoisonError::into_inner) = metrics;
}

/// The current values.
#[must_use]
pub fn deployment_metrics() -> DeploymentMetrics {
    DEPLOYMENT_METRICS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

pub(super) fn write(text: &mut TextEncoder) {
    let DeploymentMetrics {
        active_services: services,
        cleanup_lag: lag,
        groups,
    } = deployment_metrics();
    if let Some(services) = services {
        let help = "Active services. Exported by the cleanup leader only.";
        text.gauge("services_active", help).value(services);
    }
    if let Some(lag) = lag {
        let help = "Seconds since the end of the oldest service that awaits cleanup. Exported by the cleanup \
                    leader only.";
        text.gauge("cleanup_lag_seconds", help)
            .value(lag.as_secs_f64());
    }
    if groups.is_empty() {
        return;
    }
    let help = "Booked access numbers, by resource group. Exported by the cleanup leader only.";
    let mut family = text.gauge("access_numbers_booked", help);
    for (group, booked, _) in &groups {
        family.sample(&[("group", group)], booked);
    }
    let help =
        "Free access numbers, by exclusive resource group. Exported by the cleanup leader only.";
    let mut family = text.gauge("access_numbers_free", help);
    for (group, _, free) in &groups {
        if let Some(free) = free {
            family.sample(&[("group", group)], free);
        }
    }
}
