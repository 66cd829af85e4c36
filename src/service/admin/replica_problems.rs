//! Problems that a replica detects, published with its heartbeat.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    backend::Backends,
    model::{
        CheckRow,
        readiness::{Readiness, Reason},
    },
    service::{CurrentCatalog, WebhookStatistics},
    telemetry::metrics::{EndpointGauges, RedisMetrics},
};

/// Maximum number of problems in a heartbeat.
const MAX_PROBLEMS: usize = 20;
/// Maximum number of characters of each text of a problem.
const MAX_TEXT: usize = 250;
/// The age of the oldest undelivered event above which a webhook has a problem, as in the alert.
const MAX_WEBHOOK_LAG: Duration = Duration::from_secs(900);
/// The check whose failure is reported with the readiness.
const RIGHTS_CHECK: &str = "rights";

/// The kind of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// The replica is not ready; the subject is the reason.
    NotReady,
    /// The replica is ready with restrictions; the subject is the reason.
    Restricted,
    /// A Redis server fails a check; the subject is the check.
    RedisCheck,
    /// The circuit of a backend is open; the subject is its URL.
    CircuitOpen,
    /// A webhook is stopped; the subject is its name.
    WebhookStopped,
    /// The oldest undelivered event of a webhook is old; the subject is its name.
    WebhookLag,
    /// A stored catalog entry is not in effect; the subject is its table and name.
    UnusableEntry,
    /// A kind of a later version.
    #[serde(other)]
    Unknown,
}

/// A problem that a replica has detected.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReplicaProblem {
    /// The kind.
    pub kind: ProblemKind,
    /// What has the problem.
    pub subject: String,
    /// The observed state.
    #[serde(default)]
    pub detail: String,
    /// The action to take, if it depends on more than the kind.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub action: String,
}

impl ReplicaProblem {
    fn new(kind: ProblemKind, subject: &str, detail: &str) -> Self {
        let text = |text: &str| text.chars().take(MAX_TEXT).collect();
        Self {
            kind,
            subject: text(subject),
            detail: text(detail),
            action: String::new(),
        }
    }

    fn from_check(row: &CheckRow) -> Self {
        let detail = format!("{} ({})", row.detail, row.server);
        Self {
            action: row.action.to_owned(),
            ..Self::new(ProblemKind::RedisCheck, row.check, &detail)
        }
    }

    fn from_webhook(webhook: &EndpointGauges) -> Option<Self> {
        let kind = if webhook.is_stopped {
            ProblemKind::WebhookStopped
        } else if webhook.lag > MAX_WEBHOOK_LAG {
            ProblemKind::WebhookLag
        } else {
            return None;
        };
        let detail = match (webhook.pending, webhook.lag.as_secs() / 60) {
            (0, _) => "no event pending".to_owned(),
            (1, 0) => "1 event pending for less than a minute".to_owned(),
            (1, minutes) => format!("1 event pending for {minutes} min"),
            (many, 0) => format!("{many} events pending, the oldest for less than a minute"),
            (many, minutes) => format!("{many} events pending, the oldest for {minutes} min"),
        };
        Some(Self::new(kind, &webhook.endpoint, &detail))
    }
}

/// The state in which a replica detects problems.
pub struct ProblemSources {
    /// The readiness of the replica.
    pub readiness: Readiness,
    /// The results of the checks of Redis.
    pub redis: RedisMetrics,
    /// The backends.
    pub backends: Arc<Backends>,
    /// The state of webhooks.
    pub webhooks: WebhookStatistics,
    /// The catalog.
    pub catalog: CurrentCatalog,
}

impl ProblemSources {
    /// The current problems; at most [`MAX_PROBLEMS`], the most severe first.
    pub(super) fn detect(&self) -> Vec<ReplicaProblem> {
        let mut problems = self.readiness_problems();
        let checks = self.redis.failed_checks();
        let checks = checks.iter().filter(|row| row.check != RIGHTS_CHECK);
        problems.extend(checks.map(ReplicaProblem::from_check));
        let open = self.backends.open_circuits();
        let open = open
            .iter()
            .map(|base| ReplicaProblem::new(ProblemKind::CircuitOpen, base, ""));
        problems.extend(open);
        let webhooks = self.webhooks.last();
        problems.extend(webhooks.iter().filter_map(ReplicaProblem::from_webhook));
        let catalog = self.catalog.load();
        let unusable = catalog.problems().iter().map(|((table, name), problem)| {
            let subject = format!("{}/{name}", table.name());
            ReplicaProblem::new(ProblemKind::UnusableEntry, &subject, &problem.to_string())
        });
        problems.extend(unusable);
        problems.truncate(MAX_PROBLEMS);
        problems
    }

    fn readiness_problems(&self) -> Vec<ReplicaProblem> {
        let status = self.readiness.last().unwrap_or_default();
        let findings = status.findings.iter().map(|(finding, _)| finding);
        // A restart is not a problem.
        let findings = findings.filter(|finding| finding.reason != Reason::Draining);
        let problems = findings.map(|finding| {
            let kind = if finding.reason.is_blocking() {
                ProblemKind::NotReady
            } else {
                ProblemKind::Restricted
            };
            ReplicaProblem::new(kind, finding.reason.name(), &finding.message)
        });
        problems.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CheckResult;

    #[test]
    fn a_webhook_has_a_problem_if_it_is_stopped_or_lags() {
        let webhook = |is_stopped, lag| EndpointGauges {
            endpoint: "services/chat".to_owned(),
            pending: 3,
            dead_letters: 0,
            lag: Duration::from_secs(lag),
            is_stopped,
        };
        let kind = |is_stopped, lag| {
            let problem = ReplicaProblem::from_webhook(&webhook(is_stopped, lag));
            problem.map(|problem| problem.kind)
        };
        assert_eq!(kind(false, 900), None);
        assert_eq!(kind(false, 901), Some(ProblemKind::WebhookLag));
        assert_eq!(kind(true, 0), Some(ProblemKind::WebhookStopped));
    }

    #[test]
    fn heartbeats_of_other_versions_are_parsed() {
        let check = ReplicaProblem::from_check(&CheckRow {
            server: "redis:6379".to_owned(),
            check: "eviction",
            result: CheckResult::Fail,
            detail: "allkeys-lru".to_owned(),
            action: "set maxmemory-policy",
            is_blocking: false,
        });
        assert_eq!(check.detail, "allkeys-lru (redis:6379)");
        let json = serde_json::to_string(&check).unwrap();
        assert_eq!(
            serde_json::from_str::<ReplicaProblem>(&json).unwrap(),
            check
        );
        let later = r#"{"kind": "too_hot", "subject": "CPU", "degrees": 99}"#;
        let parsed: ReplicaProblem = serde_json::from_str(later).unwrap();
        assert_eq!(parsed, ReplicaProblem::new(ProblemKind::Unknown, "CPU", ""));
    }

    #[test]
    fn texts_are_limited() {
        let long = "é".repeat(1_000);
        let problem = ReplicaProblem::new(ProblemKind::UnusableEntry, &long, &long);
        assert_eq!(problem.subject.chars().count(), MAX_TEXT);
        assert_eq!(problem.detail.chars().count(), MAX_TEXT);
    }
}
