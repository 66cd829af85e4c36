//! Readiness: whether this replica should receive requests, and why not.
//!
//! The store reports the [`Finding`]s of each check ([`Readiness::assess`]); background checks set and clear lasting
//! conditions ([`Readiness::set`], [`Readiness::clear`]). A finding with a blocking [`Reason`] makes the replica not
//! ready. Other findings are only displayed.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use jiff::Timestamp;
use tracing::{info, warn};

/// Declares the reasons in order of severity. The first that applies is the main reason.
macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident($name:literal, $blocking:literal, $message:literal),)*) => {
        /// Why a replica is not ready, or is ready with restrictions.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Reason {
            $($(#[$doc])* $variant),*
        }

        impl Reason {
            /// All reasons, the most severe first.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The stable name in metrics and responses.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),*
                }
            }

            /// Whether the replica must not receive requests.
            #[must_use]
            pub fn is_blocking(self) -> bool {
                match self {
                    $(Self::$variant => $blocking),*
                }
            }

            /// The description of the reason. It is public: it contains names of settings, but no hosts.
            #[must_use]
            pub fn message(self) -> &'static str {
                match self {
                    $(Self::$variant => $message),*
                }
            }
        }
    };
}

reasons! {
    /// The process is shutting down.
    Draining("draining", true, "the replica is shutting down"),
    /// An operator set the replica OFFLINE.
    Offline("offline", true, "an operator set the replica offline"),
    /// `redis.mode` does not match the server behind `redis.url`.
    WrongMode("wrong_mode", true, "redis.mode does not match the server at redis.url"),
    /// The server has no database with the number in `redis.url`.
    NoSuchDatabase(
        "no_such_database",
        true,
        "redis.url names a database that the Redis server does not have: use a lower number, or raise `databases` \
         of the server (16 by default: 0 to 15)"
    ),
    /// Redis refuses the credentials.
    AuthFailed("auth_failed", true, "Redis refuses the user name or password: redis.username, redis.password or those in redis.url"),
    /// The Redis user lacks permissions that every request needs.
    MissingRights(
        "missing_rights",
        true,
        "the Redis user lacks required permissions; the log lists them"
    ),
    /// The clocks of this replica and of Redis differ too much.
    ClockSkew(
        "clock_skew",
        true,
        "the clock skew between this replica and Redis exceeds the limit"
    ),
    /// No part of the Cluster serves requests.
    ClusterDown("cluster_down", true, "the Redis Cluster is down"),
    /// No sentinel returns the address of a primary.
    NoPrimary("no_primary", true, "no Redis primary is available"),
    /// Redis loads its data set.
    StoreLoading("store_loading", true, "Redis is loading its data set"),
    /// A script or module blocks Redis.
    StoreBusy("store_busy", true, "Redis is blocked by a long-running script"),
    /// Redis does not respond.
    StoreUnreachable("store_unreachable", true, "Redis is unreachable or does not respond in time"),
    /// The replica has not yet read the stored entries of the catalog.
    Starting("starting", true, "the replica is starting: the stored catalog is not loaded yet"),
    /// The Redis user lacks permissions that some requests need.
    RightsIncomplete(
        "rights_incomplete",
        false,
        "the Redis user lacks permissions: some requests fail"
    ),
    /// A part of the Redis Cluster does not serve requests.
    ClusterPartlyDown(
        "cluster_partly_down",
        false,
        "a part of the Redis Cluster is down: requests for its keys fail"
    ),
    /// This replica sends more requests to Redis than it may at once.
    Overloaded(
        "overloaded",
        false,
        "the replica has redis.max_in_flight operations in flight: further requests fail with 503"
    ),
    /// The primary works, but no sentinel is reachable.
    SentinelsUnreachable(
        "sentinels_unreachable",
        false,
        "the Redis primary responds, but no sentinel names it: failovers may go undetected"
    ),
    /// Redis is a replica: reads work, writes are refused.
    ReadOnly(
        "read_only",
        false,
        "Redis is a read-only replica: reads work, writes are refused; set redis.url to the primary, \
         or to the sentinels with redis.mode = sentinel"
    ),
    /// Redis has no memory left: reads work, writes are refused.
    StoreFull(
        "store_full",
        false,
        "Redis has no memory left (maxmemory): reads work, writes are refused"
    ),
    /// Redis cannot write its snapshot (`MISCONF`): reads work, writes are refused.
    SnapshotFailing(
        "snapshot_failing",
        false,
        "Redis cannot save its data to disk (MISCONF): reads work, writes are refused; see the log of Redis"
    ),
    /// Redis has too few replicas (`min-replicas-to-write`): reads work, writes are refused.
    TooFewReplicas(
        "too_few_replicas",
        false,
        "Redis has fewer replicas than min-replicas-to-write: reads work, writes are refused"
    ),
    /// Redis refuses writes for another reason.
    WritesRefused("writes_refused", false, "Redis refuses writes: reads work; see the log for the error"),
}

/// The name of the state without findings.
pub const READY: &str = "ready";

/// One reason that applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The reason.
    pub reason: Reason,
    /// The public description, without hosts or credentials.
    pub message: Cow<'static, str>,
    /// The underlying error, for the log only.
    pub detail: String,
}

impl Finding {
    /// A finding with the standard message of `reason`. `detail` goes to the log only.
    #[must_use]
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self::with_message(reason, reason.message(), detail)
    }

    /// A finding with a message of its own.
    #[must_use]
    pub fn with_message(
        reason: Reason,
        message: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            reason,
            message: message.into(),
            detail: detail.into(),
        }
    }
}

/// The readiness of a replica at one time.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// All reasons that apply, the most severe first, each with the time at which it was first found.
    pub findings: Vec<(Finding, Timestamp)>,
    /// The time since which the main reason applies, or since which none applies.
    pub since: Timestamp,
}

impl Status {
    /// Whether the replica should receive requests.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.main_reason().is_some_and(Reason::is_blocking)
    }

    /// The most severe reason.
    #[must_use]
    pub fn main_reason(&self) -> Option<Reason> {
        self.findings.first().map(|(finding, _)| finding.reason)
    }

    /// Whether `reason` applies.
    #[must_use]
    pub fn has(&self, reason: Reason) -> bool {
        self.findings
            .iter()
            .any(|(finding, _)| finding.reason == reason)
    }

    /// The reasons and their messages on one line.
    #[must_use]
    pub fn describe(&self) -> String {
        let each = self.findings.iter().map(|(finding, _)| {
            let name = finding.reason.name();
            format!("{name}: {}", finding.message)
        });
        each.collect::<Vec<_>>().join("; ")
    }

    fn reasons(&self) -> impl Iterator<Item = Reason> {
        self.findings.iter().map(|(finding, _)| finding.reason)
    }
}

/// The readiness of this replica, shared by all its workers and background tasks.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    draining: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    conditions: BTreeMap<Reason, Finding>,
    last: Option<Status>,
}

impl Readiness {
    /// Whether the process is shutting down.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.0.draining.load(Relaxed)
    }

    /// Marks the process as shutting down.
    pub fn drain(&self) {
        self.0.draining.store(true, Relaxed);
    }

    /// Sets a condition, which lasts until it is cleared: for checks at connect and periodic checks.
    pub fn set(&self, finding: Finding) {
        self.state().conditions.insert(finding.reason, finding);
    }

    /// Clears a condition.
    pub fn clear(&self, reason: Reason) {
        self.state().conditions.remove(&reason);
    }

    /// Computes the readiness from the conditions and the current findings, and logs each change.
    #[must_use]
    pub fn assess(&self, current: Vec<Finding>) -> Status {
        let now = Timestamp::now();
        let mut state = self.state();
        let mut all = state.conditions.clone();
        all.extend(current.into_iter().map(|finding| (finding.reason, finding)));
        if self.is_draining() {
            all.insert(Reason::Draining, Finding::new(Reason::Draining, ""));
        }
        let before = state.last.take();
        let previous = before.iter().flat_map(|status| &status.findings);
        let previous: BTreeMap<Reason, Timestamp> = previous
            .map(|(finding, since)| (finding.reason, *since))
            .collect();
        let since = |reason| previous.get(&reason).copied().unwrap_or(now);
        let findings: Vec<(Finding, Timestamp)> = all
            .into_iter()
            .map(|(reason, finding)| (finding, since(reason)))
            .collect();
        let mut status = Status {
            findings,
            since: now,
        };
        if let Some(before) = &before
            && before.main_reason() == status.main_reason()
        {
            status.since = before.since;
        }
        if !before.is_some_and(|before| before.reasons().eq(status.reasons())) {
            log_change(&status);
        }
        state.last = Some(status.clone());
        status
    }

    /// The last assessment.
    #[must_use]
    pub fn last(&self) -> Option<Status> {
        self.state().last.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn log_change(status: &Status) {
    let reasons: Vec<&str> = status.reasons().map(Reason::name).collect();
    let reasons = reasons.join(",");
    let details = status
        .findings
        .iter()
        .map(|(finding, _)| finding.detail.as_str());
    let details: Vec<&str> = details.filter(|detail| !detail.is_empty()).collect();
    let (explanation, detail) = (status.describe(), details.join("; "));
    match (status.is_ready(), status.main_reason()) {
        (true, None) => info!(reason = READY, "replica is ready"),
        (true, Some(_)) => warn!(
            reasons,
            explanation, detail, "replica is ready with restrictions"
        ),
        // The shutdown itself is logged elsewhere.
        (false, Some(Reason::Draining)) => {
            info!(reasons, explanation, detail, "replica is not ready");
        }
        (false, _) => warn!(reasons, explanation, detail, "replica is not ready"),
    }
}

#[cfg(test)]
mod tests;
