//! What is checked of each Redis server that has data: [`CHECKS`] is the one table.
//!
//! Every replica checks a server when it connects, again after each reconnect, and then hourly, over a
//! connection of its own; no request waits for it. While a check fails, or after Redis has denied a
//! command, it is repeated sooner. Each failure is one warning and a 0 of the metric `redis_check`. Whether
//! notifications arrive is probed all the time by who listens to them (`events`), and reported there.
//! `switchboard verify --redis` runs the whole table once.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use redis::{Cmd, FromRedisValue, aio::MultiplexedConnection};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};
use tracing::{debug, info, warn};

use super::{
    RedisStore,
    connection::{Node, store_error},
};
use crate::{
    model::readiness::{self, Readiness, Reason},
    store::{CheckResult, CheckRow, StoreError, StoreReport},
    telemetry::metrics::{record_redis_check, retain_redis_servers},
};

mod notifications;
mod rights;
mod server;

/// Name of the check that is also reported by who listens to notifications.
pub(super) const NOTIFICATIONS: &str = "notifications";

const RIGHTS: &str = "rights";

/// How often a server is checked that passed.
const CHECK_INTERVAL: Duration = Duration::from_secs(3_600);
/// How often one is checked that did not, or that could not be asked.
const RECHECK_INTERVAL: Duration = Duration::from_secs(10);
/// How often it is compared which servers there are.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How soon a denied command may have everything checked again.
const DENIED_RECHECK_DELAY: Duration = Duration::from_secs(2);
/// How long all checks of one server may take.
const CHECK_TIMEOUT: Duration = Duration::from_secs(30);

/// Redis has denied a command to some worker of this process.
static COMMAND_DENIED: Notify = Notify::const_new();

/// One check.
struct Check {
    name: &'static str,
    /// What to do if it fails.
    action: &'static str,
    run: for<'a> fn(&'a mut CheckTarget<'_>) -> BoxFuture<'a, Result<CheckOutcome, StoreError>>,
}

/// All checks, in the order in which they are shown.
const CHECKS: [Check; 8] = [
    Check {
        name: "role",
        action: "connect to the primary: set redis.mode = \"sentinel\" with the URLs of the sentinels, or \
                 correct redis.url",
        run: |target| Box::pin(server::role(target)),
    },
    Check {
        name: "mode",
        action: "set redis.mode to what the server is: \"single\", \"cluster\", or \"sentinel\" for the \
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
        action: "grant the user of redis.url what is missing (docs/operations.md lists all rights)",
        run: |target| Box::pin(rights::check(target)),
    },
    Check {
        name: NOTIFICATIONS,
        action: "set notify-keyspace-events to \"Egxe\" (or more) and permit the channels \
                 __keyevent@<database>__:*; until then the sweep releases what ended services held",
        run: |target| Box::pin(notifications::check(target)),
    },
    Check {
        name: "persistence",
        action: "set appendonly yes, and correct what keeps Redis from writing: otherwise a restart loses \
                 data",
        run: |target| Box::pin(server::persistence(target)),
    },
    Check {
        name: "clock",
        action: "synchronize the clocks of this machine and of Redis (NTP)",
        run: |target| Box::pin(server::clock(target)),
    },
];

/// What a check found.
struct CheckOutcome {
    result: CheckResult,
    detail: String,
    is_blocking: bool,
}

impl CheckOutcome {
    fn new(passed: bool, seen: impl Into<String>) -> Self {
        let result = if passed {
            CheckResult::Pass
        } else {
            CheckResult::Fail
        };
        Self {
            result,
            detail: seen.into(),
            is_blocking: false,
        }
    }

    fn unknown(denied: &str) -> Self {
        Self {
            result: CheckResult::Unknown,
            detail: format!("Redis does not permit {denied}"),
            is_blocking: false,
        }
    }
}

/// A server that is checked.
struct CheckTarget<'a> {
    store: &'a RedisStore,
    node: &'a Node,
    connection: MultiplexedConnection,
    /// What the server says of itself.
    server_info: Option<server::ServerInfo>,
}

impl<'a> CheckTarget<'a> {
    async fn new(store: &'a RedisStore, node: &'a Node) -> Result<Self, StoreError> {
        Ok(Self {
            store,
            node,
            connection: node.dedicated_connection().await?,
            server_info: None,
        })
    }

    /// Asks the server; `None` where it refuses to answer.
    ///
    /// # Errors
    /// Where the server is away.
    async fn query<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<Option<T>, StoreError> {
        let reply = command.query_async(&mut self.connection).await;
        match reply.map_err(|error| store_error(&error)) {
            Ok(value) => Ok(Some(value)),
            Err(error @ StoreError::Unknown(_)) => Err(error),
            Err(_refused) => Ok(None),
        }
    }

    /// Runs these checks.
    async fn run(
        &mut self,
        checks: impl Iterator<Item = &Check>,
    ) -> Result<Vec<CheckRow>, StoreError> {
        let mut rows = Vec::with_capacity(CHECKS.len());
        for Check { name, action, run } in checks {
            let CheckOutcome {
                result,
                detail: seen,
                is_blocking,
            } = run(self).await?;
            rows.push(CheckRow {
                server: self.node.name(),
                check: name,
                result,
                detail: seen,
                action,
                is_blocking,
            });
        }
        Ok(rows)
    }
}

/// Has the rights checked soon: Redis has denied a command.
pub(super) fn request_recheck() {
    COMMAND_DENIED.notify_one();
}

/// What is known of a server.
struct ServerState {
    generation: Option<u64>,
    next_check: Instant,
    rows: Vec<CheckRow>,
}

impl RedisStore {
    /// Runs all checks of all servers once.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where no server answers, or it is not known who has the data.
    pub async fn check_servers(&self) -> Result<StoreReport, StoreError> {
        let nodes = self.redis.nodes();
        if nodes.is_empty() {
            let found = self.redis.check_health(&self.keys).await?;
            let detail = found.into_iter().next().map(|finding| finding.detail);
            return Err(StoreError::Unavailable(detail.unwrap_or_default()));
        }
        let (mut report, mut away) = (StoreReport::default(), Vec::new());
        for node in &nodes {
            let checked = async { CheckTarget::new(self, node).await?.run(CHECKS.iter()).await };
            let checked = timeout(CHECK_TIMEOUT, checked).await;
            let slow = |_| Err(StoreError::Unknown("no answer in time".to_owned()));
            match checked.unwrap_or_else(slow) {
                Ok(rows) => report.rows.extend(rows),
                Err(error) => away.push((node.name(), error)),
            }
        }
        if report.rows.is_empty()
            && let Some((server, error)) = away.pop()
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
        report.rows.extend(away.into_iter().map(row));
        Ok(report)
    }

    /// Checks servers as they come and from time to time, for as long as it is polled.
    pub(super) async fn monitor_servers(&self, readiness: &Readiness) {
        let mut known: HashMap<String, ServerState> = HashMap::new();
        loop {
            let nodes = self.redis.nodes();
            let names: Vec<String> = nodes.iter().map(|node| node.name()).collect();
            known.retain(|name, _| names.contains(name));
            retain_redis_servers(&names);
            for (node, name) in nodes.iter().zip(&names) {
                let before = known.remove(name);
                known.insert(name.clone(), self.check_server_if_due(node, before).await);
            }
            report_rights(readiness, known.values());
            if timeout(POLL_INTERVAL, COMMAND_DENIED.notified())
                .await
                .is_ok()
            {
                let soon = Instant::now() + DENIED_RECHECK_DELAY;
                for known in known.values_mut() {
                    known.next_check = known.next_check.min(soon);
                }
            }
        }
    }

    async fn check_server_if_due(
        &self,
        node: &Arc<Node>,
        before: Option<ServerState>,
    ) -> ServerState {
        let (generation, now) = (node.generation(), Instant::now());
        let reconnected =
            |known: &ServerState| generation.is_some() && known.generation != generation;
        let rows = match before {
            Some(known) if now < known.next_check && !reconnected(&known) => return known,
            Some(known) => known.rows,
            None => Vec::new(),
        };
        let probed_elsewhere = |check: &&Check| check.name != NOTIFICATIONS;
        let checked = async {
            let mut target = CheckTarget::new(self, node).await?;
            target.run(CHECKS.iter().filter(probed_elsewhere)).await
        };
        let checked = timeout(CHECK_TIMEOUT, checked).await;
        let (rows, again) = match checked {
            Ok(Ok(checked)) => {
                let fails = |row: &CheckRow| row.result == CheckResult::Fail;
                let fails = checked.iter().any(fails);
                report(&checked, &rows);
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
            next_check: Instant::now() + again,
            rows,
        }
    }
}

/// Has the readiness say which rights are missing.
fn report_rights<'a>(readiness: &Readiness, servers: impl Iterator<Item = &'a ServerState>) {
    let (mut blocking, mut partial) = (None, None);
    for row in servers.flat_map(|known| &known.rows) {
        if row.check == RIGHTS && row.result == CheckResult::Fail {
            let place = if row.is_blocking {
                &mut blocking
            } else {
                &mut partial
            };
            *place = Some(row.detail.clone());
        }
    }
    for (reason, found) in [
        (Reason::MissingRights, blocking),
        (Reason::RightsIncomplete, partial),
    ] {
        match found {
            Some(seen) => readiness.set(readiness::Finding::with_message(
                reason,
                format!("{}: {seen}", reason.message()),
                seen,
            )),
            None => readiness.clear(reason),
        }
    }
}

/// Exports the results of one server, and logs what has changed.
fn report(rows: &[CheckRow], before: &[CheckRow]) {
    for row in rows {
        record_redis_check(row.check, &row.server, row.result.passed());
        let last = before.iter().find(|last| last.check == row.check);
        let CheckRow {
            server,
            check,
            detail: seen,
            action,
            ..
        } = row;
        match (row.result, last.map(|last| last.result)) {
            (CheckResult::Fail, Some(CheckResult::Fail))
                if last.is_some_and(|last| last.detail == row.detail) => {}
            (CheckResult::Fail, _) => warn!(server, check, seen, action, "redis check failed"),
            (CheckResult::Pass, Some(CheckResult::Fail)) => {
                info!(server, check, seen, "redis check passes again");
            }
            _ => debug!(server, check, seen, result = %row.result, "redis check"),
        }
    }
}
