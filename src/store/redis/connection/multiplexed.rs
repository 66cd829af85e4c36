//! The multiplexed connection of one worker to one server. All small requests of the worker are
//! pipelined through it.
//!
//! Its [`ConnectionState`] is *connecting* (requests wait, at most for the connect timeout), *up*, or
//! *failed* (requests fail immediately). A background task checks an idle connection once a second,
//! reconnects as soon as a request or a check fails, and retries while the server is unreachable.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use redis::{Cmd, ConnectionAddr, Pipeline, RedisError, RedisResult, Value};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{self, Instant},
};

use self::state::{Connected, ConnectionState};
use super::{
    clock::ServerClock,
    connector::{Connector, load_scripts},
    errors::{is_lost, is_noscript, is_readonly_replica, store_error},
    request::{Exchange, Request, exchange},
};
use crate::model::{StoreError, readiness::Finding};

/// The maximum number of closed connections that a request encounters before it fails.
const MAX_CLOSED_CONNECTIONS: usize = 3;
/// The minimum age of a connection to a replica before it is reopened.
const MIN_REPLICA_CONNECTION_AGE: Duration = Duration::from_secs(1);

mod reconnect;
mod state;

/// Whether a change must only be executed, or also be acknowledged by the configured number of replicas.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    Local,
    Replicated,
}

/// A multiplexed connection that a task on the runtime of its creator keeps open.
pub(super) struct SharedConnection {
    state: watch::Receiver<ConnectionState>,
    /// The generation of the last connection that a request found unusable. It wakes the task.
    broken: watch::Sender<u64>,
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
        let (broken, broken_generation) = watch::channel(0);
        Self {
            state,
            broken,
            connect_timeout: connector.connect_timeout(),
            wait_replicas: connector.wait_replicas(),
            task: tokio::spawn(reconnect::reconnect_loop(
                connector,
                address,
                clocks,
                sender,
                broken_generation,
            )),
        }
    }

    /// Waits until the connection is open or has failed.
    pub(super) async fn wait_until_ready(&self) {
        let deadline = Instant::now() + self.connect_timeout;
        self.wait_until_newer(0, deadline).await;
    }

    /// Waits until a connection that is newer than the generation `after` is open or has failed.
    async fn wait_until_newer(&self, after: u64, deadline: Instant) {
        let mut state = self.state.clone();
        let ready = state.wait_for(|state| match state {
            ConnectionState::Connecting => false,
            ConnectionState::Up(connected) => connected.is_usable(after),
            ConnectionState::Failed(_) => true,
        });
        // A timeout is ignored: the next request fails in the same way and reports it.
        drop(time::timeout_at(deadline, ready).await);
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

    /// Returns the connection if it is open and newer than the generation `after`.
    fn current(&self, after: u64) -> Result<Option<Connected>, StoreError> {
        match &*self.state.borrow() {
            ConnectionState::Up(connected) if connected.is_usable(after) => {
                Ok(Some(connected.clone()))
            }
            ConnectionState::Up(connected) => {
                self.report_broken(connected);
                Ok(None)
            }
            ConnectionState::Connecting => Ok(None),
            ConnectionState::Failed(finding) => {
                Err(StoreError::Unavailable(finding.detail.clone()))
            }
        }
    }

    /// Returns a connection that is newer than the generation `after`. If it waits for one, it sets `deadline` at the
    /// first time.
    async fn connected(
        &self,
        after: u64,
        deadline: &mut Option<Instant>,
    ) -> Result<Connected, StoreError> {
        if let Some(connected) = self.current(after)? {
            return Ok(connected);
        }
        let timeout_at = || Instant::now() + self.connect_timeout;
        let deadline = *deadline.get_or_insert_with(timeout_at);
        self.wait_until_newer(after, deadline).await;
        let timeout = || StoreError::Unavailable("connection timeout".to_owned());
        self.current(after)?.ok_or_else(timeout)
    }

    /// Sends a request over the current connection. If that is closed before anything of the request was
    /// written, it is sent over the next one. All waits for connections together last at most for the connect timeout.
    async fn exchange<R: Request>(
        &self,
        request: &R,
    ) -> Result<(Connected, RedisResult<R::Reply>), StoreError> {
        let mut deadline = None;
        let mut closed = 0;
        for _ in 0..MAX_CLOSED_CONNECTIONS {
            let mut connected = self.connected(closed, &mut deadline).await?;
            match exchange(request, &mut connected.driven).await {
                Exchange::Finished(reply) => return Ok((connected, reply)),
                Exchange::NotWritten => closed = connected.generation,
            }
        }
        let detail = "the connection was closed before the command was sent";
        Err(StoreError::Unavailable(detail.to_owned()))
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
        let (mut connected, mut reply) = self.exchange(command).await?;
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
        let (mut connected, mut replies) = self.exchange(commands).await?;
        if let Ok(all) = &replies
            && all.iter().any(is_noscript_reply)
            && load_scripts(&mut connected.driven.connection).await.is_ok()
        {
            replies = Request::send(commands, &mut connected.driven.connection).await;
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
        let (connected, replies) = self.exchange(commands).await?;
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
        self.report_broken(used);
    }

    fn report_broken(&self, used: &Connected) {
        self.broken.send_if_modified(|broken| {
            let is_newer = used.generation > *broken;
            *broken = used.generation.max(*broken);
            is_newer
        });
    }
}

fn is_noscript_reply(reply: &RedisResult<Value>) -> bool {
    reply.as_ref().err().is_some_and(is_noscript)
}
