//! The current problems of the installation, with what to do about each.

use std::collections::BTreeMap;

use super::{
    replica::Replica,
    replica_problems::{ProblemKind, ReplicaProblem},
    used_groups::{MostUsedGroups, UsedGroup, is_recent},
};
use crate::model::{StoreError, Timestamp, readiness::Reason};

/// The clock skew in seconds above which a clock has a problem, as in the alert.
const MAX_SKEW_SECONDS: f64 = 1.0;
/// The cleanup lag in seconds above which the cleanup has a problem, as in the alert.
const MAX_CLEANUP_LAG_SECONDS: f64 = 60.0;
/// The section of the runbook on resource groups.
const GROUP_RUNBOOK: &str = "switchboardnumberslow";
/// The maximum number of problems of groups; one problem counts the others.
const MAX_GROUP_PROBLEMS: usize = 50;
/// Failed checks that endanger data or requests at once.
const CRITICAL_CHECKS: [&str; 3] = ["role", "mode", "eviction"];
/// Reasons with which a replica is ready although requests fail.
const CRITICAL_RESTRICTIONS: [Reason; 6] = [
    Reason::ClusterPartlyDown,
    Reason::ReadOnly,
    Reason::StoreFull,
    Reason::SnapshotFailing,
    Reason::TooFewReplicas,
    Reason::WritesRefused,
];

/// The severity of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Requests fail, or data may be lost.
    Critical,
    /// Something does not work as configured.
    Warning,
}

impl Severity {
    /// The name in responses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
        }
    }
}

/// Where an operator continues.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemTarget {
    /// A replica.
    Replica(String),
    /// A resource group.
    Group(String),
    /// A webhook.
    Webhook(String),
    /// The service definitions.
    Services,
    /// Import and export.
    Catalog,
}

/// A problem and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The severity.
    pub severity: Severity,
    /// The problem.
    pub message: String,
    /// What to do.
    pub action: String,
    /// Where to do it in the console.
    pub target: Option<ProblemTarget>,
    /// The section of `docs/runbook.md`.
    pub runbook: &'static str,
    /// The affected replicas, by host and address; empty if the problem does not belong to replicas.
    pub replicas: Vec<String>,
}

impl Problem {
    fn new(severity: Severity, runbook: &'static str, message: String, action: &str) -> Self {
        Self {
            severity,
            message,
            action: action.to_owned(),
            target: None,
            runbook,
            replicas: Vec::new(),
        }
    }

    fn at(self, target: ProblemTarget) -> Self {
        Self {
            target: Some(target),
            ..self
        }
    }

    fn of_replica(replica: &Replica, found: &ReplicaProblem) -> Self {
        use Severity::{Critical, Warning};
        let ReplicaProblem {
            kind,
            subject,
            detail,
            action,
        } = found;
        match kind {
            ProblemKind::NotReady if subject == Reason::Offline.name() => {
                let message = "Replica is OFFLINE".to_owned();
                let action = "Set it online when the maintenance is over.";
                Self::new(Warning, "switchboardreplicaoffline", message, action)
                    .at(ProblemTarget::Replica(replica.id.clone()))
            }
            ProblemKind::NotReady => {
                let message = format!("Replica is not ready ({subject}): {detail}");
                let action = "Load balancers send it no requests. Correct the cause; it then becomes ready by itself.";
                Self::new(Critical, "switchboardnoreplicaready", message, action)
            }
            ProblemKind::Restricted => Self::restriction(subject, detail),
            ProblemKind::RedisCheck => {
                let is_critical = CRITICAL_CHECKS.contains(&subject.as_str());
                let severity = if is_critical { Critical } else { Warning };
                let message = format!("Redis fails the check {subject}: {detail}");
                let action = sentence(action);
                Self::new(severity, "switchboardredischeckfailed", message, &action)
            }
            ProblemKind::CircuitOpen => {
                let message = format!("Backend {subject} does not respond");
                let action = "Check the backend and the network. Until it responds, only one request per interval is sent to it.";
                Self::new(Warning, "switchboardbackendsfailing", message, action)
                    .at(ProblemTarget::Services)
            }
            ProblemKind::WebhookStopped => {
                let message = format!("Webhook {subject} is stopped: {detail}");
                let action =
                    "Its receiver responded 410. Resume it when the receiver accepts events again.";
                Self::new(Warning, "switchboardwebhooklag", message, action)
                    .at(ProblemTarget::Webhook(subject.clone()))
            }
            ProblemKind::WebhookLag => {
                let message = format!("Webhook {subject} lags: {detail}");
                let action = "Look up the last error of the webhook, and correct its receiver.";
                Self::new(Warning, "switchboardwebhooklag", message, action)
                    .at(ProblemTarget::Webhook(subject.clone()))
            }
            ProblemKind::UnusableEntry => {
                let message = format!("Catalog entry {subject} is not in effect: {detail}");
                let action = "Correct the entry, or upgrade the replica.";
                Self::new(Warning, "switchboarddegraded", message, action)
                    .at(ProblemTarget::Catalog)
            }
            ProblemKind::Unknown => {
                let message = format!("{subject}: {detail}");
                let action =
                    "A replica of a later version reports it; its documentation describes it.";
                Self::new(Warning, "switchboarddegraded", message, action)
            }
        }
    }

    fn restriction(reason: &str, detail: &str) -> Self {
        let mut critical = CRITICAL_RESTRICTIONS.iter();
        let is_critical = critical.any(|critical| critical.name() == reason);
        let severity = if is_critical {
            Severity::Critical
        } else {
            Severity::Warning
        };
        let runbook = if reason == Reason::StoreFull.name() {
            "switchboardstorefull"
        } else {
            "switchboarddegraded"
        };
        let message = format!("Ready with restrictions ({reason}): {detail}");
        let action = "Some requests fail until the cause is corrected.";
        Self::new(severity, runbook, message, action)
    }

    /// The error because of which the state of the installation is unknown.
    pub(super) fn of_store(error: &StoreError) -> Self {
        let (runbook, action) = match error {
            StoreError::Denied(_) => (
                "switchboardredischeckfailed",
                "Grant the user of Redis the missing rights. Until then only problems of this replica are listed.",
            ),
            StoreError::Corrupt(_) | StoreError::Bug(_) | StoreError::Conflict(_) => (
                "switchboardstorecorrupt",
                "See the log of the replica. Until it is solved only problems of this replica are listed.",
            ),
            StoreError::Full(_) => (
                "switchboardstorefull",
                "Raise maxmemory. Until then only problems of this replica are listed.",
            ),
            StoreError::Unavailable(_) | StoreError::Busy(_) | StoreError::Unknown(_) => (
                "switchboardstoreunavailable",
                "Requests fail until Redis responds. Until then only problems of this replica are listed.",
            ),
        };
        let message = format!("The state in Redis cannot be read: {error}");
        Self::new(Severity::Critical, runbook, message, action)
    }
}

/// The problems of these replicas and groups at `now`, the most severe first.
pub(super) fn current_problems(
    replicas: &[Replica],
    groups: &MostUsedGroups,
    now: Timestamp,
) -> Vec<Problem> {
    let mut problems = replica_problems(replicas);
    problems.extend(installation_problems(replicas));
    problems.extend(group_problems(groups, now));
    problems.sort();
    problems
}

/// The problems of these replicas, the most severe first. Problems that several replicas report are merged.
pub(super) fn replica_problems(replicas: &[Replica]) -> Vec<Problem> {
    let mut merged: BTreeMap<Problem, Vec<String>> = BTreeMap::new();
    for replica in replicas {
        let reported = replica.stats.problems.iter();
        let reported = reported.map(|found| Problem::of_replica(replica, found));
        for problem in reported.chain(observed_problems(replica)) {
            merged.entry(problem).or_default().push(replica.name());
        }
    }
    let problems = merged.into_iter();
    let problems = problems.map(|(problem, replicas)| Problem {
        replicas,
        ..problem
    });
    problems.collect()
}

/// Problems that follow from the statistics of a replica.
fn observed_problems(replica: &Replica) -> impl Iterator<Item = Problem> {
    let stats = &replica.stats;
    let skew = stats
        .clock_skew_seconds
        .filter(|skew| skew.abs() > MAX_SKEW_SECONDS);
    let skew = skew.map(|skew| {
        let message = format!("The clock differs from that of Redis by {skew:+.1} s");
        let action = "Synchronize the clocks of the machine and of Redis (NTP). Results use the time of Redis.";
        Problem::new(Severity::Warning, "switchboardclockskew", message, action)
    });
    let lag = stats
        .cleanup_lag_seconds
        .filter(|lag| *lag > MAX_CLEANUP_LAG_SECONDS);
    let lag = lag.map(|lag| {
        let message = format!("The cleanup of ended services lags {lag:.0} s");
        let action = "Numbers and sessions of ended services are released late. A backend may not terminate sessions.";
        Problem::new(Severity::Warning, "switchboardcleanuplag", message, action)
    });
    let lost = Some(stats.catalog_entries_lost).filter(|lost| *lost > 0);
    let lost = lost.map(|lost| {
        let message = format!("Redis has lost {lost} catalog entries that the replica can restore");
        let action = "Restore them on this page before the replica restarts.";
        let severity = Severity::Critical;
        Problem::new(severity, "switchboardcataloglost", message, action)
    });
    [skew, lag, lost].into_iter().flatten()
}

/// Problems of all replicas together.
fn installation_problems(replicas: &[Replica]) -> impl Iterator<Item = Problem> {
    let has_leader = replicas.iter().any(|replica| replica.stats.cleanup_leader);
    let no_leader = (!has_leader && !replicas.is_empty()).then(|| {
        let message = "No replica is the cleanup leader".to_owned();
        let action = "Numbers of ended services are not released. A replica takes over within seconds unless Redis refuses it.";
        Problem::new(Severity::Warning, "switchboardnocleanupleader", message, action)
    });
    let mut versions = replicas
        .iter()
        .filter_map(|replica| replica.catalog_version.as_ref());
    let first = versions.next();
    let differs = versions.any(|version| Some(version) != first).then(|| {
        let message = "Replicas have different versions of the catalog".to_owned();
        let action = "A change takes effect within seconds. If the versions still differ, see the log of the replica with the older one.";
        Problem::new(Severity::Warning, "switchboarddegraded", message, action)
    });
    [no_leader, differs].into_iter().flatten()
}

/// The problems of these groups at `now`, the most severe first. The last one counts those beyond [`MAX_GROUP_PROBLEMS`].
fn group_problems(groups: &MostUsedGroups, now: Timestamp) -> Vec<Problem> {
    let examined = groups.usage.iter().chain(&groups.others);
    let problems = examined.filter_map(|group| {
        let problem = match group.exhausted_at.filter(|at| is_recent(*at, now)) {
            Some(at) => failed_booking(group, at),
            None if group.has_no_free_number() => no_free_number(group),
            None => return None,
        };
        Some(problem.at(ProblemTarget::Group(group.name.clone())))
    });
    let mut problems: Vec<Problem> = problems.collect();
    problems.sort();
    let rest = problems.split_off(MAX_GROUP_PROBLEMS.min(problems.len()));
    if let Some(first) = rest.first() {
        let message = format!("{} more resource groups have no number to book", rest.len());
        let action = "Sort the resource groups by their usage.";
        problems.push(Problem::new(first.severity, GROUP_RUNBOOK, message, action));
    }
    problems
}

fn failed_booking(group: &UsedGroup, at: Timestamp) -> Problem {
    let (name, quarantined) = (&group.name, group.usage.quarantined);
    let mut message =
        format!("Resource group {name} has no number to book: the last create failed at {at}");
    if quarantined > 0 {
        message += &format!("; {quarantined} quarantined");
    }
    let action = "Creates that need a number fail with NoAccessNumber. Add numbers, shorten bookings, end quarantines, or \
                  release numbers that are no longer needed.";
    Problem::new(Severity::Critical, GROUP_RUNBOOK, message, action)
}

fn no_free_number(group: &UsedGroup) -> Problem {
    let name = &group.name;
    let message = match (group.usage.used(), group.usage.quarantined) {
        (all, 0) => format!("All numbers of resource group {name} are booked: {all}"),
        (0, all) => format!("All numbers of resource group {name} are quarantined: {all}"),
        (booked, quarantined) => format!(
            "Resource group {name} has no free number: {booked} booked, {quarantined} quarantined"
        ),
    };
    let action = if group.has_backup {
        "Bookings get the backup number of the group. Add numbers, shorten bookings, or end quarantines."
    } else {
        "The next create that needs a number fails. Add numbers, shorten bookings, end quarantines, or set a backup number."
    };
    Problem::new(Severity::Warning, GROUP_RUNBOOK, message, action)
}

/// The text with a capital letter and a period.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().into_iter();
    let first: String = first.flat_map(char::to_uppercase).collect();
    format!("{first}{}.", characters.as_str().trim_end_matches('.'))
}

#[cfg(test)]
mod tests;
