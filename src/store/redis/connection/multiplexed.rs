//! The multiplexed connection of one worker to one server. All small requests of the worker are
//! pipelined through it.
//!
//! Its [`ConnectionState`] is *connecting* (requests wait, at most for the connect timeout), *up*, or
//! *failed* (requests fail immediately). A background task checks an idle connection once a second,
//! reconnects as soon as a request or a check fails, and retries while the server is unreachable.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use redis::{
    Cmd, ConnectionAddr, Pipeline, RedisError, RedisResult, Value,
    aio::{ConnectionLike, MultiplexedConnection},
};
use tokio::{
    sync::{Mutex, Notify, watch},
    task::JoinHandle,
    time,
};
use tracing::{info, warn};

use super::{
    clock::{ServerClock, measure},
    connector::{Connector, load_scripts},
    driver::DrivenConnection,
    errors::{is_lost, is_noscript, is_readonly_replica, store_error},
};
use crate::{
    model::{StoreError, readiness::Finding},
    telemetry::metrics::{REDIS_CONNECTIONS, REDIS_DISCONNECTS},
};

/// The interval of health checks of an idle connection.
const HEALTH_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// The minimum age of a connection to a replica before it is reopened.
const MIN_REPLICA_CONNECTION_AGE: Duration = Duration::from_secs(1);
/// The pause before a reconnect after a failed attempt: initial and maximum.
const RECONNECT_BACKOFF: (Duration, Duration) =
    (Duration::from_millis(50), Duration::from_millis(400));

/// The state of a connection.
enum ConnectionState {
    Connecting,
    Up(Connected),
    Failed(Finding),
}

#[derive(Clone)]
struct Connected {
    driven: DrivenConnection,
    /// Distinguishes this connection from earlier and later ones.
    generation: u64,
    opened_at: time::Instant,
    barrier: Arc<ReplicationBarrier>,
}

/// Whether a change must only be executed, or also be acknowledged by the configured number of replicas.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    Local,
    Replicated,
}

/// Tracks the changes over one connection and their replication. One `WAIT` covers all changes before
/// it, so of several concurrent callers only one sends it.
#[derive(Default)]
struct ReplicationBarrier {
    writes: AtomicU64,
    /// The last change that a `WAIT` covered, and whether enough replicas acknowledged it.
    last_wait: Mutex<(u64, bool)>,
}

/// A multiplexed connection that a task on the runtime of its creator keeps open.
pub(super) struct SharedConnection {
    state: watch::Receiver<ConnectionState>,
    /// Wakes the task: the current connection is unusable.
    broken: Arc<Notify>,
    connect_timeout: Duration,
    /// The number of replicas that must acknowledge a change, and the timeout.
    wait_replicas: Option<(usize, Duration)>,
    task: JoinHandle<()>,
}

impl Drop for SharedConnection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl SharedConnection {
    /// Starts connecting to `address`. The connection measures the clock of the server for all of
    /// `clocks`.
    pub(super) fn open(
        connector: Connector,
        address: ConnectionAddr,
        clocks: [Arc<ServerClock>; 2],
    ) -> Self {
        let (sender, state) = watch::channel(ConnectionState::Connecting);
        let broken = Arc::new(Notify::new());
        Self {
            state,
            broken: Arc::clone(&broken),
            connect_timeout: connector.connect_timeout(),
            wait_replicas: connector.wait_replicas(),
            task: tokio::spawn(reconnect_loop(connector, address, clocks, sender, broken)),
        }
    }

    /// Waits until the connection is open or has failed.
    pub(super) async fn wait_until_ready(&self) {
        let mut state = self.state.clone();
        let ready = state.wait_for(|state| !matches!(state, ConnectionState::Connecting));
        // A timeout is ignored: the next request fails in the same way and reports it.
        drop(time::timeout(self.connect_timeout, ready).await);
    }

    /// Whether requests can be sent.
    pub(super) fn is_connected(&self) -> bool {
        matches!(&*self.state.borrow(), ConnectionState::Up(_))
    }

    /// Returns why no requests can be sent; `None` if the connection is up or in progress.
    pub(super) fn failure(&self) -> Option<Finding> {
        match &*self.state.borrow() {
            ConnectionState::Failed(finding) => Some(finding.clone()),
            ConnectionState::Connecting | ConnectionState::Up(_) => None,
        }
    }

    /// Returns the sequence number of the current connection; `None` if there is none.
    pub(super) fn generation(&self) -> Option<u64> {
        match &*self.state.borrow() {
            ConnectionState::Up(connected) => Some(connected.generation),
            ConnectionState::Connecting | ConnectionState::Failed(_) => None,
        }
    }

    fn current(&self) -> Result<Option<Connected>, StoreError> {
        match &*self.state.borrow() {
            ConnectionState::Connecting => Ok(None),
            ConnectionState::Up(connected) => Ok(Some(connected.clone())),
            ConnectionState::Failed(finding) => {
                Err(StoreError::Unavailable(finding.detail.clone()))
            }
        }
    }

    async fn connected(&self) -> Result<Connected, StoreError> {
        if let Some(connected) = self.current()? {
            return Ok(connected);
        }
        self.wait_until_ready().await;
        let timeout = || StoreError::Unavailable("connection timeout".to_owned());
        self.current()?.ok_or_else(timeout)
    }

    /// Sends one command in one round trip, plus a `WAIT` for replicated changes.
    ///
    /// # Errors
    /// Outer: the command was not sent, or it was executed but not replicated. Inner: the error of Redis
    /// or of the connection.
    pub(super) async fn send(
        &self,
        command: &Cmd,
        durability: Durability,
    ) -> Result<RedisResult<Value>, StoreError> {
        let mut connected = self.connected().await?;
        let mut reply = command.query_async(&mut connected.driven.connection).await;
        if is_noscript_reply(&reply) && load_scripts(&mut connected.driven.connection).await.is_ok()
        {
            reply = command.query_async(&mut connected.driven.connection).await;
        }
        if reply.is_ok() {
            self.wait_for_replicas(durability, &mut connected).await?;
        }
        Ok(self.check_result(reply, &connected))
    }

    /// Sends several commands in order in one round trip; each has its own reply. If one of them calls a
    /// script that is not loaded, all are sent again, so they must be idempotent.
    ///
    /// # Errors
    /// See [`SharedConnection::send`].
    pub(super) async fn send_all(
        &self,
        commands: &Pipeline,
        durability: Durability,
    ) -> Result<RedisResult<Vec<RedisResult<Value>>>, StoreError> {
        let mut connected = self.connected().await?;
        let mut replies = send_pipeline(commands, &mut connected.driven.connection).await;
        if let Ok(all) = &replies
            && all.iter().any(is_noscript_reply)
            && load_scripts(&mut connected.driven.connection).await.is_ok()
        {
            replies = send_pipeline(commands, &mut connected.driven.connection).await;
        }
        if let Ok(all) = &replies {
            let failed = all.iter().filter_map(|reply| reply.as_ref().err());
            failed.for_each(|error| self.note_failure(error, &connected));
            self.wait_for_replicas(durability, &mut connected).await?;
        }
        Ok(self.check_result(replies, &connected))
    }

    /// Sends commands of a health check. If the server is a replica, this does not trigger a reconnect,
    /// because nothing was to be changed.
    ///
    /// # Errors
    /// See [`SharedConnection::send`].
    pub(super) async fn probe(
        &self,
        commands: &Pipeline,
    ) -> Result<RedisResult<Vec<RedisResult<Value>>>, StoreError> {
        let mut connected = self.connected().await?;
        let replies = send_pipeline(commands, &mut connected.driven.connection).await;
        Ok(self.check_result(replies, &connected))
    }

    /// Waits until enough replicas have acknowledged the changes over this connection.
    async fn wait_for_replicas(
        &self,
        durability: Durability,
        connected: &mut Connected,
    ) -> Result<(), StoreError> {
        let (Durability::Replicated, Some((replicas, wait_timeout))) =
            (durability, self.wait_replicas)
        else {
            return Ok(());
        };
        let own_write = connected.barrier.writes.fetch_add(1, Relaxed) + 1;
        let mut last_wait = connected.barrier.last_wait.lock().await;
        if last_wait.0 < own_write {
            let last_write = connected.barrier.writes.load(Relaxed);
            let mut wait = redis::cmd("WAIT");
            wait.arg(replicas).arg(wait_timeout.as_millis().to_string());
            let acknowledged: RedisResult<usize> =
                wait.query_async(&mut connected.driven.connection).await;
            let acknowledged = self
                .check_result(acknowledged, connected)
                .map_err(|error| store_error(&error))?;
            *last_wait = (last_write, acknowledged >= replicas);
        }
        if last_wait.1 {
            return Ok(());
        }
        let detail = format!("fewer than {replicas} replicas acknowledged a change in time");
        Err(StoreError::Unknown(detail))
    }

    fn check_result<T>(&self, result: RedisResult<T>, used: &Connected) -> RedisResult<T> {
        if let Err(error) = &result {
            self.note_failure(error, used);
        }
        result
    }

    /// Triggers a reconnect if the connection is unusable after this error. This includes a primary that
    /// has become a replica: its name or address may lead to the new primary, but only for new
    /// connections.
    fn note_failure(&self, error: &RedisError, used: &Connected) {
        let is_demoted =
            || is_readonly_replica(error) && used.opened_at.elapsed() >= MIN_REPLICA_CONNECTION_AGE;
        if !is_lost(error) && !is_demoted() {
            return;
        }
        let state = self.state.borrow();
        if matches!(&*state, ConnectionState::Up(connected) if connected.generation == used.generation)
        {
            self.broken.notify_one();
        }
    }
}

fn is_noscript_reply(reply: &RedisResult<Value>) -> bool {
    reply.as_ref().err().is_some_and(is_noscript)
}

async fn send_pipeline(
    commands: &Pipeline,
    connection: &mut MultiplexedConnection,
) -> RedisResult<Vec<RedisResult<Value>>> {
    let count = commands.len();
    let replies = connection.req_packed_commands(commands, 0, count).await?;
    Ok(replies.into_iter().map(Value::extract_error).collect())
}

/// Keeps the connection open until the task is aborted.
async fn reconnect_loop(
    connector: Connector,
    address: ConnectionAddr,
    clocks: [Arc<ServerClock>; 2],
    state: watch::Sender<ConnectionState>,
    broken: Arc<Notify>,
) {
    let mut generation = 0;
    let mut pause = RECONNECT_BACKOFF.0;
    loop {
        match connector.connect(&address).await {
            Ok((driven, time)) => {
                for clock in &clocks {
                    clock.reset(time);
                }
                generation += 1;
                pause = RECONNECT_BACKOFF.0;
                info!(server = %address, generation, "redis connection opened");
                let connection = driven.connection.clone();
                let connected = Connected {
                    driven,
                    generation,
                    opened_at: time::Instant::now(),
                    barrier: Arc::default(),
                };
                state.send_replace(ConnectionState::Up(connected));
                let gauge_guard = REDIS_CONNECTIONS.track();
                let reason = wait_until_broken(connection, &clocks, &broken).await;
                drop(gauge_guard);
                REDIS_DISCONNECTS.add(1);
                warn!(server = %address, generation, reason, "redis connection lost");
                state.send_replace(ConnectionState::Connecting);
            }
            Err(finding) => {
                if !matches!(&*state.borrow(), ConnectionState::Failed(_)) {
                    warn!(
                        server = %address,
                        reason = finding.reason.name(), detail = finding.detail,
                        "redis connection failed"
                    );
                }
                state.send_replace(ConnectionState::Failed(finding));
                time::sleep(pause).await;
                pause = (pause * 2).min(RECONNECT_BACKOFF.1);
            }
        }
    }
}

/// Returns the reason when the connection is no longer usable.
///
/// The health check is a `TIME` command, which also updates the measured clock of the server.
async fn wait_until_broken(
    mut connection: MultiplexedConnection,
    clocks: &[Arc<ServerClock>; 2],
    broken: &Notify,
) -> String {
    loop {
        tokio::select! {
            () = broken.notified() => return "a request failed".to_owned(),
            () = time::sleep(HEALTH_CHECK_INTERVAL) => {}
        }
        match measure(&mut connection).await {
            Ok(time) => {
                for clock in clocks {
                    clock.update(time);
                }
            }
            Err(error) if is_lost(&error) => return error.to_string(),
            Err(_) => {}
        }
    }
}
