//! What all replicas have in common, told by the one that cleans up: so both the sum and the highest
//! over all replicas are right. Where nobody knows it, it is not told.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::encode::TextEncoder;

static CLUSTER_METRICS: Mutex<ClusterMetrics> = Mutex::new(ClusterMetrics {
    active_services: None,
    cleanup_lag: None,
    groups: Vec::new(),
});

/// What is known of it.
#[derive(Debug, Default, Clone)]
pub struct ClusterMetrics {
    /// Services that live.
    pub active_services: Option<u64>,
    /// For how long the oldest ended service waits to be given back.
    pub cleanup_lag: Option<Duration>,
    /// Of each resource group: its name, numbers held and numbers free.
    pub groups: Vec<(String, u64, u64)>,
}

/// From now on this is told.
pub fn set_cluster_metrics(shared: ClusterMetrics) {
    *CLUSTER_METRICS
        .lock()
        .unwrap_or_else(PoisonError::into_inner) = shared;
}

/// What is told.
#[must_use]
pub fn cluster_metrics() -> ClusterMetrics {
    CLUSTER_METRICS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

pub(super) fn write(text: &mut TextEncoder) {
    let ClusterMetrics {
        active_services: services,
        cleanup_lag: lag,
        groups,
    } = cluster_metrics();
    if let Some(services) = services {
        let help = "Services that live. Only from the replica that cleans up.";
        text.gauge("services_active", help).value(services);
    }
    if let Some(lag) = lag {
        let help = "How long the oldest ended service waits to be given back. Only from the \
                    replica that cleans up.";
        text.gauge("cleanup_lag_seconds", help)
            .value(lag.as_secs_f64());
    }
    if groups.is_empty() {
        return;
    }
    let help = "Access numbers held, by resource group. Only from the replica that cleans up.";
    let mut family = text.gauge("access_numbers_booked", help);
    for (group, held, _) in &groups {
        family.sample(&[("group", group)], held);
    }
    let help = "Access numbers free, by resource group. Only from the replica that cleans up.";
    let mut family = text.gauge("access_numbers_free", help);
    for (group, _, free) in &groups {
        family.sample(&[("group", group)], free);
    }
}
