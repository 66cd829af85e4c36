//! A *lane*: one multiplexed connection to one server that one worker keeps for itself; all its
//! requests are pipelined through it.
//!
//! Its life is told by [`State`]: it is *opening* (requests wait for that, no longer than a connect may
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
    driven::Driven,
    errors::{is_lost, is_of_a_replica, is_unknown_script, store_error},
};
use crate::{
    model::readiness::Finding,
    store::StoreError,
    telemetry::metrics::{LANES, LANES_LOST},
};

/// How often an idle lane is asked whether it still answers.
const LANE_CHECK: Duration = Duration::from_secs(1);
/// How old a lane is at least that is opened again because it leads to a replica.
const STAYS_AT_REPLICA: Duration = Duration::from_secs(1);
/// How long after a failed attempt a lane is opened again: at first, and at most.
const REOPEN_AFTER: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(400));

/// What becomes of a lane.
enum State {
    Opening,
    Up(Up),
    Down(Finding),
}

#[derive(Clone)]
struct Up {
    driven: Driven,
    /// Tells this connection from those before and after it.
    generation: u64,
    opened: time::Instant,
    keeping: Arc<Keeping>,
}

/// Whether what was written is only to be done, or also to be kept by as many replicas as are set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    Done,
    Kept,
}

/// Changes made over one connection, and which of them replicas have. One question covers all that were
/// made before it was asked, so however many wait for it, one asks.
#[derive(Default)]
struct Keeping {
    made: AtomicU64,
    /// The last change asked about, and whether enough replicas had it and all before it.
    asked: Mutex<(u64, bool)>,
}

/// One multiplexed connection, kept open by a task on the runtime that made it.
pub(super) struct Lane {
    state: watch::Receiver<State>,
    /// Wakes the keeper: the lane that is up does not work.
    broken: Arc<Notify>,
    patience: Duration,
    /// How many replicas are to keep a change, and how long that may take.
    replicas: Option<(usize, Duration)>,
    keeper: JoinHandle<()>,
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Lane {
    /// A lane to `address` that is opening. It measures the clock of the server for all of `clocks`.
    pub(super) fn open(
        connector: Connector,
        address: ConnectionAddr,
        clocks: [Arc<ServerClock>; 2],
    ) -> Self {
        let (sender, state) = watch::channel(State::Opening);
        let broken = Arc::new(Notify::new());
        Self {
            state,
            broken: Arc::clone(&broken),
            patience: connector.patience(),
            replicas: connector.replicas(),
            keeper: tokio::spawn(keep(connector, address, clocks, sender, broken)),
        }
    }

    /// Waits until it is known whether the lane opens.
    pub(super) async fn settled(&self) {
        let mut state = self.state.clone();
        let settled = state.wait_for(|state| !matches!(state, State::Opening));
        // Nothing to do about a timeout here: the next request meets the same and answers for it.
        drop(time::timeout(self.patience, settled).await);
    }

    /// Whether requests can be sent.
    pub(super) fn is_up(&self) -> bool {
        matches!(&*self.state.borrow(), State::Up(_))
    }

    /// Why no requests can be sent; `None` while that may change at any moment.
    pub(super) fn down(&self) -> Option<Finding> {
        match &*self.state.borrow() {
            State::Down(finding) => Some(finding.clone()),
            State::Opening | State::Up(_) => None,
        }
    }

    /// Which connection since the start this is; `None` while there is none.
    pub(super) fn generation(&self) -> Option<u64> {
        match &*self.state.borrow() {
            State::Up(up) => Some(up.generation),
            State::Opening | State::Down(_) => None,
        }
    }

    fn now(&self) -> Result<Option<Up>, StoreError> {
        match &*self.state.borrow() {
            State::Opening => Ok(None),
            State::Up(up) => Ok(Some(up.clone())),
            State::Down(finding) => Err(StoreError::Unavailable(finding.detail.clone())),
        }
    }

    async fn up(&self) -> Result<Up, StoreError> {
        if let Some(up) = self.now()? {
            return Ok(up);
        }
        self.settled().await;
        let waited = || StoreError::Unavailable("no connection was made in time".to_owned());
        self.now()?.ok_or_else(waited)
    }

    /// One command, one round trip, and one more to the replicas for what is to be kept.
    ///
    /// # Errors
    /// Outer: it was not sent, or it was done and is not kept. Inner: what Redis or the connection said.
    pub(super) async fn send(
        &self,
        command: &Cmd,
        write: Write,
    ) -> Result<RedisResult<Value>, StoreError> {
        let mut up = self.up().await?;
        let mut reply = command.query_async(&mut up.driven.connection).await;
        if knows_no_script(&reply) && load_scripts(&mut up.driven.connection).await.is_ok() {
            reply = command.query_async(&mut up.driven.connection).await;
        }
        if reply.is_ok() {
            self.keep(write, &mut up).await?;
        }
        Ok(self.settle(reply, &up))
    }

    /// Several commands, one round trip, in their order; each has a reply of its own. Where one of them
    /// calls a script that Redis has forgotten all are sent again, so done twice they must do no harm.
    ///
    /// # Errors
    /// As [`Lane::send`].
    pub(super) async fn send_all(
        &self,
        commands: &Pipeline,
        write: Write,
    ) -> Result<RedisResult<Vec<RedisResult<Value>>>, StoreError> {
        let mut up = self.up().await?;
        let mut replies = each_reply(commands, &mut up.driven.connection).await;
        if let Ok(all) = &replies
            && all.iter().any(knows_no_script)
            && load_scripts(&mut up.driven.connection).await.is_ok()
        {
            replies = each_reply(commands, &mut up.driven.connection).await;
        }
        if let Ok(all) = &replies {
            let failed = all.iter().filter_map(|reply| reply.as_ref().err());
            failed.for_each(|error| self.heed(error, &up));
            self.keep(write, &mut up).await?;
        }
        Ok(self.settle(replies, &up))
    }

    /// The same for commands that only find out how the server is. That it is a replica is no reason to
    /// connect again: nobody asked for a change.
    ///
    /// # Errors
    /// As [`Lane::send`].
    pub(super) async fn probe(
        &self,
        commands: &Pipeline,
    ) -> Result<RedisResult<Vec<RedisResult<Value>>>, StoreError> {
        let mut up = self.up().await?;
        let replies = each_reply(commands, &mut up.driven.connection).await;
        Ok(self.settle(replies, &up))
    }

    /// Waits until enough replicas have what was just written over this connection.
    async fn keep(&self, write: Write, up: &mut Up) -> Result<(), StoreError> {
        let (Write::Kept, Some((replicas, patience))) = (write, self.replicas) else {
            return Ok(());
        };
        let ours = up.keeping.made.fetch_add(1, Relaxed) + 1;
        let mut asked = up.keeping.asked.lock().await;
        if asked.0 < ours {
            let made = up.keeping.made.load(Relaxed);
            let mut wait = redis::cmd("WAIT");
            wait.arg(replicas).arg(patience.as_millis().to_string());
            let kept: RedisResult<usize> = wait.query_async(&mut up.driven.connection).await;
            let kept = self.settle(kept, up).map_err(|error| store_error(&error))?;
            *asked = (made, kept >= replicas);
        }
        if asked.1 {
            return Ok(());
        }
        let told = format!("fewer than {replicas} replicas had a change in time");
        Err(StoreError::Unknown(told))
    }

    fn settle<T>(&self, result: RedisResult<T>, used: &Up) -> RedisResult<T> {
        if let Err(error) = &result {
            self.heed(error, used);
        }
        result
    }

    /// Has the lane opened again where an error says that it is of no more use. That also holds for a
    /// primary that has become a replica: behind one name or address there is another primary now, and
    /// only a new connection gets there.
    fn heed(&self, error: &RedisError, used: &Up) {
        let strayed = || is_of_a_replica(error) && used.opened.elapsed() >= STAYS_AT_REPLICA;
        if !is_lost(error) && !strayed() {
            return;
        }
        let state = self.state.borrow();
        if matches!(&*state, State::Up(up) if up.generation == used.generation) {
            self.broken.notify_one();
        }
    }
}

fn knows_no_script(reply: &RedisResult<Value>) -> bool {
    reply.as_ref().err().is_some_and(is_unknown_script)
}

async fn each_reply(
    commands: &Pipeline,
    connection: &mut MultiplexedConnection,
) -> RedisResult<Vec<RedisResult<Value>>> {
    let count = commands.len();
    let replies = connection.req_packed_commands(commands, 0, count).await?;
    Ok(replies.into_iter().map(Value::extract_error).collect())
}

/// Keeps a lane open for as long as anyone holds the other end of `state`.
async fn keep(
    connector: Connector,
    address: ConnectionAddr,
    clocks: [Arc<ServerClock>; 2],
    state: watch::Sender<State>,
    broken: Arc<Notify>,
) {
    let mut generation = 0;
    let mut pause = REOPEN_AFTER.0;
    loop {
        match connector.connect(&address).await {
            Ok((driven, time)) => {
                for clock in &clocks {
                    clock.reset(time);
                }
                generation += 1;
                pause = REOPEN_AFTER.0;
                info!(server = %address, generation, "a lane to Redis is open");
                let connection = driven.connection.clone();
                let up = Up {
                    driven,
                    generation,
                    opened: time::Instant::now(),
                    keeping: Arc::default(),
                };
                state.send_replace(State::Up(up));
                let connected = LANES.hold();
                let reason = watch_lane(connection, &clocks, &broken).await;
                drop(connected);
                LANES_LOST.add(1);
                warn!(server = %address, generation, reason, "a lane to Redis is lost");
                state.send_replace(State::Opening);
            }
            Err(finding) => {
                if !matches!(&*state.borrow(), State::Down(_)) {
                    warn!(
                        server = %address,
                        reason = finding.reason.name(), detail = finding.detail,
                        "Redis connection failed; requests fail until it succeeds"
                    );
                }
                state.send_replace(State::Down(finding));
                time::sleep(pause).await;
                pause = (pause * 2).min(REOPEN_AFTER.1);
            }
        }
    }
}

/// Returns, with the reason, when the lane no longer works.
///
/// The question whether it still answers is what time it is: so the clock of the server is measured anew.
async fn watch_lane(
    mut connection: MultiplexedConnection,
    clocks: &[Arc<ServerClock>; 2],
    broken: &Notify,
) -> String {
    loop {
        tokio::select! {
            () = broken.notified() => return "a request failed".to_owned(),
            () = time::sleep(LANE_CHECK) => {}
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
