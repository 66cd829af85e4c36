//! The checks of each Redis server that has data: [`CHECKS`] is the table.
//!
//! Every replica checks a server when it connects, after each reconnect, and every hour, over a
//! dedicated connection; no request waits for it. While a check fails, or after Redis has refused a
//! command for lack of rights or because it cannot write its snapshot, the checks are repeated sooner.
//! Each failure is logged as one warning and exported as a 0 of the metric `redis_check`. The listener
//! (`keyspace_notifications`) continuously probes whether notifications arrive and reports that check.
//! `switchboard verify --redis` runs the whole table once.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::{Instant, timeout};
use tracing::{debug, info, warn};

use self::check::{Check, CheckOutcome, CheckTarget};
use super::{
    RedisStore,
    connection::{COMMAND_REFUSED, Node},
};
use crate::{
    model::{
        CheckResult, CheckRow, StoreError, StoreReport,
        readiness::{self, Readiness, Reason},
    },
    telemetry::metrics::RedisMetrics,
};

mod check;
mod notifications;
mod rights;
mod server;

/// The name of the check that the notification listener also reports.
const NOTIFICATIONS: &str = "notifications";

const RIGHTS: &str = "rights";

/// The interval of checks of a server that passed.
const CHECK_INTERVAL: Duration = Duration::from_secs(3_600);
/// The interval of checks of a server that failed or was unreachable.
const RECHECK_INTERVAL: Duration = Duration::from_secs(10);
/// The interval at which the list of servers is compared.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// The delay between a command that Redis refused and the repetition of the checks.
const REFUSED_RECHECK_DELAY: Duration = Duration::from_secs(2);
/// The timeout of all checks of one server.
const CHECK_TIMEOUT: Duration = Duration::from_secs(30);

/// The action if notifications do not arrive.
const NOTIFICATIONS_ACTION: &str = "set notify-keyspace-events to \"Egxe\" (or more) and permit the channels __keyevent@<database>__:*; until then only \
     the sweep releases resources of ended services";

/// All checks, in display order.
const CHECKS: [Check; 8] = [
    Check {
        name: "role",
        action: "connect to the primary: set redis.mode = \"sentinel\" with the URLs of the sentinels, or \
                 correct redis.url",
        run: |target| Box::pin(server::role(target)),
    },
    Check {
        name: "mode",
        action: "set redis.mode to the mode of the server: \"single\", \"cluster\", or \"sentinel\" for the \
                 URLs of sentinels",
        run: |target| Box::pin(server::mode(target)),
    },
    Check {
        name: "version",
        action: "upgrade to Redis 6.2 or newer, or Valkey",
        run: |target| Box::pin(server::version(target)),
    },
    Check {
        name: "eviction",
        action: "set maxmemory-policy to noeviction: with any other policy Redis discards active services \
                 and bookings when its memory is full",
        run: |target| Box::pin(server::eviction(target)),
    },
    Check {
        name: RIGHTS,
        action: "grant the missing rights to the user of redis.url (docs/operations.md lists all of them)",
        run: |target| Box::pin(rights::check(target)),
    },
    Check {
        name: NOTIFICATIONS,
        action: NOTIFICATIONS_ACTION,
        run: |target| Box::pin(notifications::check(target)),
    },
    Check {
        name: "persistence",
        action: "set appendonly yes, and resolve write errors of Redis: otherwise a restart loses \
                 data",
        run: |target| Box::pin(server::persistence(target)),
    },
    Check {
        name: "clock",
        action: "synchronize the clocks of this machine and of Redis (NTP)",
        run: |target| Box::pin(server::clock(target)),
    },
];

/// The result of the check of notifications, which the listener to `server` reports.
pub(super) fn notifications_row(server: &str, result: CheckResult, detail: &str) -> CheckRow {
    CheckRow {
        server: server.to_owned(),
        check: NOTIFICATIONS,
        result,
        detail: detail.to_owned(),
        action: NOTIFICATIONS_ACTION,
        is_blocking: false,
    }
}

/// The state of the checks of one server.
struct ServerState {
    generation: Option<u64>,
    next_check: Instant,
    rows: Vec<CheckRow>,
}

impl RedisStore {
    /// Runs all checks of all servers once.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if no server responds, or the topology is unknown.
    pub async fn check_servers(&self) -> Result<StoreReport, StoreError> {
        let nodes = self.redis.nodes();
        if nodes.is_empty() {
            let found = self.redis.check_health(&self.keys).await?;
            let detail = found.into_iter().next().map(|finding| finding.detail);
            return Err(StoreError::Unavailable(detail.unwrap_or_default()));
        }
        let (mut report, mut unreachable) = (StoreReport::default(), Vec::new());
        for node in &nodes {
            let checked = async { CheckTarget::new(self, node).await?.run(CHECKS.iter()).await };
            let checked = timeout(CHECK_TIMEOUT, checked).await;
            let slow = |_| Err(StoreError::Unknown("no response in time".to_owned()));
            match checked.unwrap_or_else(slow) {
                Ok(rows) => report.rows.extend(rows),
                Err(error) => unreachable.push((node.name(), error)),
            }
        }
        if report.rows.is_empty()
            && let Some((server, error)) = unreachable.pop()
        {
            return Err(StoreError::Unavailable(format!("{server}: {error}")));
        }
        let row = |(server, error): (String, StoreError)| CheckRow {
            server,
            check: "connection",
            result: CheckResult::Fail,
            detail: error.to_string(),
            action: "start the server, or correct the network between it and this machine",
            is_blocking: false,
        };
        report.rows.extend(unreachable.into_iter().map(row));
        Ok(report)
    }

    /// Checks servers when they appear and periodically, until the future is dropped.
    pub(super) async fn monitor_servers(&self, readiness: &Readiness) {
        let mut states: HashMap<String, ServerState> = HashMap::new();
        loop {
            let nodes = self.redis.nodes();
            let names: Vec<String> = nodes.iter().map(|node| node.name()).collect();
            states.retain(|name, _| names.contains(name));
            self.metrics.retain_servers(&names);
            for (node, name) in nodes.iter().zip(&names) {
                let previous = states.remove(name);
                states.insert(name.clone(), self.check_server_if_due(node, previous).await);
            }
            report_rights(readiness, states.values());
            if timeout(POLL_INTERVAL, COMMAND_REFUSED.notified())
                .await
                .is_ok()
            {
                let soon = Instant::now() + REFUSED_RECHECK_DELAY;
                let fails = |row: &CheckRow| row.result == CheckResult::Fail;
                // A check that fails is repeated soon anyway.
                for state in states
                    .values_mut()
                    .filter(|state| !state.rows.iter().any(fails))
                {
                    state.next_check = state.next_check.min(soon);
                }
            }
        }
    }

    async fn check_server_if_due(
        &self,
        node: &Arc<Node>,
        previous: Option<ServerState>,
    ) -> ServerState {
        let (generation, now) = (node.generation(), Instant::now());
        let reconnected =
            |state: &ServerState| generation.is_some() && state.generation != generation;
        let rows = match previous {
            Some(state) if now < state.next_check && !reconnected(&state) => return state,
            Some(state) => state.rows,
            None => Vec::new(),
        };
        let is_not_probed = |check: &&Check| check.name != NOTIFICATIONS;
        let checked = async {
            let mut target = CheckTarget::new(self, node).await?;
            target.run(CHECKS.iter().filter(is_not_probed)).await
        };
        let checked = timeout(CHECK_TIMEOUT, checked).await;
        let (rows, recheck_delay) = match checked {
            Ok(Ok(checked)) => {
                let fails = |row: &CheckRow| row.result == CheckResult::Fail;
                let fails = checked.iter().any(fails);
                report(&checked, &rows, &self.metrics);
                (
                    checked,
                    if fails {
                        RECHECK_INTERVAL
                    } else {
                        CHECK_INTERVAL
                    },
                )
            }
            Ok(Err(error)) => {
                debug!(server = node.name(), %error, "redis server not checked");
                (rows, RECHECK_INTERVAL)
            }
            Err(_elapsed) => (rows, RECHECK_INTERVAL),
        };
        ServerState {
            generation,
            next_check: Instant::now() + recheck_delay,
            rows,
        }
    }
}

/// Reports missing rights to the readiness.
fn report_rights<'a>(readiness: &Readiness, servers: impl Iterator<Item = &'a ServerState>) {
    let (mut blocking, mut partial) = (None, None);
    for row in servers.flat_map(|state| &state.rows) {
        if row.check == RIGHTS && row.result == CheckResult::Fail {
            let missing = if row.is_blocking {
                &mut blocking
            } else {
                &mut partial
            };
            *missing = Some(row.detail.clone());
        }
    }
    for (reason, found) in [
        (Reason::MissingRights, blocking),
        (Reason::RightsIncomplete, partial),
    ] {
        match found {
            Some(detail) => readiness.set(readiness::Finding::with_message(
                reason,
                format!("{}: {detail}", reason.message()),
                detail,
            )),
            None => readiness.clear(reason),
        }
    }
}

/// Exports the results of one server, and logs changes.
fn report(rows: &[CheckRow], previous: &[CheckRow], metrics: &RedisMetrics) {
    for row in rows {
        metrics.record_check(row);
        let last = previous.iter().find(|last| last.check == row.check);
        let CheckRow {
            server,
            check,
            detail,
            action,
            ..
        } = row;
        match (row.result, last.map(|last| last.result)) {
            (CheckResult::Fail, Some(CheckResult::Fail))
                if last.is_some_and(|last| last.detail == row.detail) => {}
            (CheckResult::Fail, _) => warn!(server, check, detail, action, "redis check failed"),
            (CheckResult::Pass, Some(CheckResult::Fail)) => {
                info!(server, check, detail, "redis check recovered");
            }
            _ => debug!(server, check, detail, result = %row.result, "redis check"),
        }
    }
}
