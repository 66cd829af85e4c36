//! A *lane*: one multiplexed connection to one server that one worker keeps for itself; all its
//! requests are pipelined through it.
//!
//! Its life is told by [`ConnectionState`]: it is *opening* (requests wait for that, no longer than a connect may
//! take), *up*, or *down* (requests fail at once). A keeper task moves it: it asks an idle lane once a
//! second whether it still answers, opens a fresh one as soon as a request or a question fails, and goes
//! on trying while the server is away.

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
    model::readiness::Finding,
    store::StoreError,
    telemetry::metrics::{REDIS_CONNECTIONS, REDIS_DISCONNECTS},
};

/// How often an idle lane is asked whether it still answers.
const HEALTH_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// How old a lane is at least that is opened again because it leads to a replica.
const MIN_REPLICA_CONNECTION_AGE: Duration = Duration::from_secs(1);
/// How long after a failed attempt a lane is opened again: at first, and at most.
const RECONNECT_BACKOFF: (Duration, Duration) =
    (Duration::from_millis(50), Duration::from_millis(400));

/// What becomes of a lane.
enum ConnectionState {
    Connecting,
    Up(Connected),
    Failed(Finding),
}

#[derive(Clone)]
struct Connected {
    driven: DrivenConnection,
    /// Tells this connection from those before and after it.
    generation: u64,
    opened_at: time::Instant,
    barrier: Arc<ReplicationBarrier>,
}

/// Whether what was written is only to be done, or also to be kept by as many replicas as are set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    Local,
    Replicated,
}

/// Changes made over one connection, and which of them replicas have. One question covers all that were
/// made before it was asked, so however many wait for it, one asks.
#[derive(Default)]
struct ReplicationBarrier {
    writes: AtomicU64,
    /// The last change asked about, and whether enough replicas had it and all before it.
    last_wait: Mutex<(u64, bool)>,
}

/// One multiplexed connection, kept open by a task on the runtime that made it.
pub(super) struct SharedConnection {
    state: watch::Receiver<ConnectionState>,
    /// Wakes the keeper: the lane that is up does not work.
    broken: Arc<Notify>,
    connect_timeout: Duration,
    /// How many replicas are to keep a change, and how long that may take.
    wait_replicas: Option<(usize, Duration)>,
    task: JoinHandle<()>,
}

impl Drop for SharedConnection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl SharedConnection {
    /// A lane to `address` that is opening. It measures the clock of the server for all of `clocks`.
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

    /// Waits until it is known whether the lane opens.
    pub(super) async fn wait_until_ready(&self) {
        let mut state = self.state.clone();
        let settled = state.wait_for(|state| !matches!(state, ConnectionState::Connecting));
        // Nothing to do about a timeout here: the next request meets the same and answers for it.
        drop(time::timeout(self.connect_timeout, settled).await);
    }

    /// Whether requests can be sent.
    pub(super) fn is_connected(&self) -> bool {
        matches!(&*self.state.borrow(), ConnectionState::Up(_))
    }

    /// Why no requests can be sent; `None` while that may change at any moment.
    pub(super) fn failure(&self) -> Option<Finding> {
        match &*self.state.borrow() {
            ConnectionState::Failed(finding) => Some(finding.clone()),
            ConnectionState::Connecting | ConnectionState::Up(_) => None,
        }
    }

    /// Which connection since the start this is; `None` while there is none.
    pub(super) fn generation(&self) -> Option<u64> {
        match &*self.state.borrow() {
            ConnectionState::Up(up) => Some(up.generation),
            ConnectionState::Connecting | ConnectionState::Failed(_) => None,
        }
    }

    fn current(&self) -> Result<Option<Connected>, StoreError> {
        match &*self.state.borrow() {
            ConnectionState::Connecting => Ok(None),
            ConnectionState::Up(up) => Ok(Some(up.clone())),
            ConnectionState::Failed(finding) => {
                Err(StoreError::Unavailable(finding.detail.clone()))
            }
        }
    }

    async fn connected(&self) -> Result<Connected, StoreError> {
        if let Some(up) = self.current()? {
            return Ok(up);
        }
        self.wait_until_ready().await;
        let waited = || StoreError::Unavailable("no connection was made in time".to_owned());
        self.current()?.ok_or_else(waited)
    }

    /// One command, one round trip, and one more to the replicas for what is to be kept.
    ///
    /// # Errors
    /// Outer: it was not sent, or it was done and is not kept. Inner: what Redis or the connection said.
    pub(super) async fn send(
        &self,
        command: &Cmd,
        write: Durability,
    ) -> Result<RedisResult<Value>, StoreError> {
        let mut up = self.connected().await?;
        let mut reply = command.query_async(&mut up.driven.connection).await;
        if is_noscript_reply(&reply) && load_scripts(&mut up.driven.connection).await.is_ok() {
            reply = command.query_async(&mut up.driven.connection).await;
        }
        if reply.is_ok() {
            self.wait_for_replicas(write, &mut up).await?;
        }
        Ok(self.check_result(reply, &up))
    }

    /// Several commands, one round trip, in their order; each has a reply of its own. Where one of them
    /// calls a script that Redis has forgotten all are sent again, so done twice they must do no harm.
    ///
    /// # Errors
    /// As [`SharedConnection::send`].
    pub(super) async fn send_all(
        &self,
        commands: &Pipeline,
        write: Durability,
    ) -> Result<RedisResult<Vec<RedisResult<Value>>>, StoreError> {
        let mut up = self.connected().await?;
        let mut replies = send_pipeline(commands, &mut up.driven.connection).await;
        if let Ok(all) = &replies
            && all.iter().any(is_noscript_reply)
            && load_scripts(&mut up.driven.connection).await.is_ok()
        {
            replies = send_pipeline(commands, &mut up.driven.connection).await;
        }
        if let Ok(all) = &replies {
            let failed = all.iter().filter_map(|reply| reply.as_ref().err());
            failed.for_each(|error| self.note_failure(error, &up));
            self.wait_for_replicas(write, &mut up).await?;
        }
        Ok(self.check_result(replies, &up))
    }

    /// The same for commands that only find out how the server is. That it is a replica is no reason to
    /// connect again: nobody asked for a change.
    ///
    /// # Errors
    /// As [`SharedConnection::send`].
    pub(super) async fn probe(
        &self,
        commands: &Pipeline,
    ) -> Result<RedisResult<Vec<RedisResult<Value>>>, StoreError> {
        let mut up = self.connected().await?;
        let replies = send_pipeline(commands, &mut up.driven.connection).await;
        Ok(self.check_result(replies, &up))
    }

    /// Waits until enough replicas have what was just written over this connection.
    async fn wait_for_replicas(
        &self,
        write: Durability,
        up: &mut Connected,
    ) -> Result<(), StoreError> {
        let (Durability::Replicated, Some((replicas, patience))) = (write, self.wait_replicas)
        else {
            return Ok(());
        };
        let ours = up.barrier.writes.fetch_add(1, Relaxed) + 1;
        let mut asked = up.barrier.last_wait.lock().await;
        if asked.0 < ours {
            let made = up.barrier.writes.load(Relaxed);
            let mut wait = redis::cmd("WAIT");
            wait.arg(replicas).arg(patience.as_millis().to_string());
            let kept: RedisResult<usize> = wait.query_async(&mut up.driven.connection).await;
            let kept = self
                .check_result(kept, up)
                .map_err(|error| store_error(&error))?;
            *asked = (made, kept >= replicas);
        }
        if asked.1 {
            return Ok(());
        }
        let told = format!("fewer than {replicas} replicas had a change in time");
        Err(StoreError::Unknown(told))
    }

    fn check_result<T>(&self, result: RedisResult<T>, used: &Connected) -> RedisResult<T> {
        if let Err(error) = &result {
            self.note_failure(error, used);
        }
        result
    }

    /// Has the lane opened again where an error says that it is of no more use. That also holds for a
    /// primary that has become a replica: behind one name or address there is another primary now, and
    /// only a new connection gets there.
    fn note_failure(&self, error: &RedisError, used: &Connected) {
        let strayed =
            || is_readonly_replica(error) && used.opened_at.elapsed() >= MIN_REPLICA_CONNECTION_AGE;
        if !is_lost(error) && !strayed() {
            return;
        }
        let state = self.state.borrow();
        if matches!(&*state, ConnectionState::Up(up) if up.generation == used.generation) {
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

/// Keeps a lane open for as long as anyone holds the other end of `state`.
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
                info!(server = %address, generation, "a lane to Redis is open");
                let connection = driven.connection.clone();
                let up = Connected {
                    driven,
                    generation,
                    opened_at: time::Instant::now(),
                    barrier: Arc::default(),
                };
                state.send_replace(ConnectionState::Up(up));
                let connected = REDIS_CONNECTIONS.track();
                let reason = wait_until_broken(connection, &clocks, &broken).await;
                drop(connected);
                REDIS_DISCONNECTS.add(1);
                warn!(server = %address, generation, reason, "a lane to Redis is lost");
                state.send_replace(ConnectionState::Connecting);
            }
            Err(finding) => {
                if !matches!(&*state.borrow(), ConnectionState::Failed(_)) {
                    warn!(
                        server = %address,
                        reason = finding.reason.name(), detail = finding.detail,
                        "Redis connection failed; requests fail until it succeeds"
                    );
                }
                state.send_replace(ConnectionState::Failed(finding));
                time::sleep(pause).await;
                pause = (pause * 2).min(RECONNECT_BACKOFF.1);
            }
        }
    }
}

/// Returns, with the reason, when the lane no longer works.
///
/// The question whether it still answers is what time it is: so the clock of the server is measured anew.
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
