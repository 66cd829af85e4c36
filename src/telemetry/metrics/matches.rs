//! Metrics of matches.

use prometheus_client::{metrics::counter::Counter, registry::Registry};

use super::handles::LabeledCounters;
use crate::model::MatchFailure;

/// Matches. Clones share the values.
#[derive(Debug, Clone)]
pub struct MatchMetrics {
    failures: LabeledCounters,
    by_reason: [Counter; MatchFailure::ALL.len()],
}

impl Default for MatchMetrics {
    fn default() -> Self {
        let failures = LabeledCounters::default();
        let counter =
            |failure: MatchFailure| failures.get_or_create_owned(&[("reason", failure.name())]);
        Self {
            by_reason: MatchFailure::ALL.map(counter),
            failures,
        }
    }
}

impl MatchMetrics {
    /// Counts a failed match.
    pub fn count_failure(&self, failure: MatchFailure) {
        if let Some(counter) = self.by_reason.get(failure as usize) {
            counter.inc();
        }
    }

    /// The number of failed matches with this reason.
    #[must_use]
    pub fn failures(&self, failure: MatchFailure) -> u64 {
        let counter = self.by_reason.get(failure as usize);
        counter.map_or(0, Counter::get)
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Calls that matched no booking, by reason";
        registry.register("failed_matches", help, self.failures.clone());
    }
}
