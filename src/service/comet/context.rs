//! What requests of `CometD` on this replica share.

use crate::{model::readiness::Readiness, settings, telemetry::metrics::CometMetrics};

/// What requests of `CometD` on this replica share.
#[derive(Clone)]
pub struct CometContext {
    /// `[comet]`
    pub settings: settings::Comet,
    /// The readiness of the replica. Waiting connects end when it drains.
    pub readiness: Readiness,
    /// The metrics.
    pub metrics: CometMetrics,
}

impl CometContext {
    /// The context of a replica.
    #[must_use]
    pub fn new(settings: &settings::Comet, readiness: &Readiness, metrics: &CometMetrics) -> Self {
        Self {
            settings: settings.clone(),
            readiness: readiness.clone(),
            metrics: metrics.clone(),
        }
    }
}
