//! Connections: a lane for everything small, a pool beside it for chunks of binaries.
//!
//! A *lane* is one multiplexed connection that one worker keeps for itself; all its requests are
//! pipelined through it. Its life is told by [`State`]: it is *opening* (requests wait for that, no
//! longer than a connect may take), *up*, or *down* (requests fail at once). A keeper task moves it:
//! it asks an idle lane once a second whether it still answers, opens a fresh one as soon as a
//! request or a question fails, and goes on trying while Redis is away.

use std::{io, sync::Arc, time::Duration};

use deadpool_redis::{Manager, Pool, Runtime};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, FromRedisValue,
    IntoConnectionInfo, Pipeline, RedisError, RedisResult, ServerErrorKind, Value,
    aio::{MultiplexedConnection, PubSub},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
    time,
};
use tracing::{info, warn};

use super::scripts;
use crate::{settings, store::StoreError};

/// How often an idle lane is asked whether it still answers.
const LANE_CHECK: Duration = Duration::from_secs(1);
/// How long after a failed attempt a lane is opened again: at first, and at most.
const REOPEN_AFTER: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(400));

/// What Redis says, by itself or within a transaction or script, when it may work again by itself.
const AWAY: [&str; 8] = [
    "BUSY",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "NOAUTH",
    "NOREPLICAS",
    "READONLY",
    "WRONGPASS",
];

/// Knows how to reach Redis; opens everything that talks to it.
#[derive(Clone)]
pub(super) struct Connector {
    info: ConnectionInfo,
    client: Client,
    settings: settings::Redis,
}

impl Connector {
    /// # Errors
    /// [`StoreError::Bug`] where `url` is none that the client understands.
    pub(super) fn new(url: &SecretString, settings: &settings::Redis) -> Result<Self, StoreError> {
        let info = url
            .expose_secret()
            .into_connection_info()
            .map_err(|error| refused(&error))?;
        let client = Client::open(info.clone()).map_err(|error| refused(&error))?;
        Ok(Self {
            info,
            client,
            settings: settings.clone(),
        })
    }

    fn config(&self) -> AsyncConnectionConfig {
        AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.settings.connect_timeout))
            .set_response_timeout(Some(self.settings.answer_timeout))
    }

    /// A connection that has answered and knows all scripts, within the time that connecting may take.
    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let config = self.config();
        let answered = async {
            let client = &self.client;
            let mut connection = client
                .get_multiplexed_async_connection_with_config(&config)
                .await?;
            load_scripts(&mut connection).await?;
            Ok(connection)
        };
        let answered = time::timeout(self.settings.connect_timeout, answered).await;
        answered.map_err(|_elapsed| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// Number of the database that the URL names.
    pub(super) fn database(&self) -> i64 {
        self.info.redis_settings().db()
    }

    /// A pool whose connections are driven by the runtime that this is called on.
    pub(super) fn pool(&self) -> Result<Pool, StoreError> {
        let manager = Manager::new_with_config(self.info.clone(), self.config())
            .map_err(|error| refused(&error))?;
        Pool::builder(manager)
            .max_size(self.settings.pool_size)
            .wait_timeout(Some(self.settings.pool_wait))
            .create_timeout(Some(self.settings.connect_timeout))
            .recycle_timeout(Some(self.settings.answer_timeout))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| StoreError::Bug(error.to_string()))
    }

    /// Waits for an answer on a connection that has no patience of its own.
    pub(super) async fn in_time<T>(
        &self,
        answer: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, StoreError> {
        time::timeout(self.settings.answer_timeout, answer)
            .await
            .map_err(|elapsed| StoreError::Unknown(elapsed.to_string()))?
            .map_err(|error| store_error(&error))
    }

    /// A connection for subscriptions.
    pub(super) async fn subscriber(&self) -> Result<PubSub, StoreError> {
        let subscriber = self.client.get_async_pubsub();
        time::timeout(self.settings.connect_timeout, subscriber)
            .await
            .map_err(|elapsed| StoreError::Unavailable(elapsed.to_string()))?
            .map_err(|error| store_error(&error))
    }
}

/// What becomes of a lane.
enum State {
    Opening,
    Up(Up),
    Down(String),
}

#[derive(Clone)]
struct Up {
    connection: MultiplexedConnection,
    /// Tells this connection from those before and after it.
    generation: u64,
}

/// One multiplexed connection, kept open by a task on the runtime that made it.
pub(super) struct Lane {
    state: watch::Receiver<State>,
    /// Wakes the keeper: the lane that is up does not work.
    broken: Arc<Notify>,
    patience: Duration,
    keeper: JoinHandle<()>,
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Lane {
    /// A lane that is opening.
    pub(super) fn open(connector: Connector) -> Self {
        let (sender, state) = watch::channel(State::Opening);
        let broken = Arc::new(Notify::new());
        Self {
            state,
            broken: Arc::clone(&broken),
            patience: connector.settings.connect_timeout,
            keeper: tokio::spawn(keep(connector, sender, broken)),
        }
    }

    /// Waits until it is known whether the lane opens.
    pub(super) async fn settled(&self) {
        let mut state = self.state.clone();
        let settled = state.wait_for(|state| !matches!(state, State::Opening));
        // Nothing to do about a timeout here: the next request meets the same and answers for it.
        drop(time::timeout(self.patience, settled).await);
    }

    fn now(&self) -> Result<Option<Up>, StoreError> {
        match &*self.state.borrow() {
            State::Opening => Ok(None),
            State::Up(up) => Ok(Some(up.clone())),
            State::Down(reason) => Err(StoreError::Unavailable(reason.clone())),
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

    /// One command, one round trip.
    pub(super) async fn query<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, StoreError> {
        let mut up = self.up().await?;
        let result = cmd.query_async(&mut up.connection).await;
        self.settle(result, &up)
    }

    /// Several commands, one round trip. They are done in their order, and not atomically: done
    /// again from the start they must do no harm.
    pub(super) async fn pipeline<T: FromRedisValue>(
        &self,
        pipeline: &Pipeline,
    ) -> Result<T, StoreError> {
        let mut up = self.up().await?;
        let mut result = pipeline.query_async(&mut up.connection).await;
        if is_unknown_script(&result) && load_scripts(&mut up.connection).await.is_ok() {
            result = pipeline.query_async(&mut up.connection).await;
        }
        self.settle(result, &up)
    }

    /// A command that keeps the index, then one that changes something: one round trip. Only the reply
    /// of the second counts; where the first fails, Redis refuses both or the sweep puts it right.
    pub(super) async fn indexed<T: FromRedisValue>(
        &self,
        index: Cmd,
        change: Cmd,
    ) -> Result<T, StoreError> {
        let mut both = redis::pipe();
        both.add_command(index).add_command(change);
        both.ignore_errors();
        let mut up = self.up().await?;
        let mut reply = last_reply(&both, &mut up.connection).await;
        if is_unknown_script(&reply) && load_scripts(&mut up.connection).await.is_ok() {
            reply = last_reply(&both, &mut up.connection).await;
        }
        let reply = reply.and_then(|value| Ok(T::from_redis_value(value)?));
        self.settle(reply, &up)
    }

    /// A script called by its name, one round trip.
    pub(super) async fn query_script<T: FromRedisValue>(
        &self,
        call: &Cmd,
    ) -> Result<T, StoreError> {
        let mut up = self.up().await?;
        let mut result = call.query_async(&mut up.connection).await;
        if is_unknown_script(&result) && load_scripts(&mut up.connection).await.is_ok() {
            result = call.query_async(&mut up.connection).await;
        }
        self.settle(result, &up)
    }

    fn settle<T>(&self, result: RedisResult<T>, used: &Up) -> Result<T, StoreError> {
        result.map_err(|error| {
            let state = self.state.borrow();
            let current = matches!(&*state, State::Up(up) if up.generation == used.generation);
            if current && is_lost(&error) {
                self.broken.notify_one();
            }
            store_error(&error)
        })
    }
}

/// Keeps a lane open for as long as anyone holds the other end of `state`.
async fn keep(connector: Connector, state: watch::Sender<State>, broken: Arc<Notify>) {
    let mut generation = 0;
    let mut pause = REOPEN_AFTER.0;
    loop {
        match connector.connect().await {
            Ok(connection) => {
                generation += 1;
                pause = REOPEN_AFTER.0;
                info!(generation, "a lane to Redis is open");
                let up = Up {
                    connection: connection.clone(),
                    generation,
                };
                state.send_replace(State::Up(up));
                let reason = watch_lane(connection, &broken).await;
                warn!(generation, reason, "a lane to Redis is lost");
                state.send_replace(State::Opening);
            }
            Err(error) => {
                let reason = error.to_string();
                if !matches!(&*state.borrow(), State::Down(_)) {
                    warn!(
                        reason,
                        "Redis cannot be reached; requests fail until it can"
                    );
                }
                state.send_replace(State::Down(reason));
                time::sleep(pause).await;
                pause = (pause * 2).min(REOPEN_AFTER.1);
            }
        }
    }
}

/// Returns, with the reason, when the lane no longer works.
async fn watch_lane(mut connection: MultiplexedConnection, broken: &Notify) -> String {
    loop {
        tokio::select! {
            () = broken.notified() => return "a request failed".to_owned(),
            () = time::sleep(LANE_CHECK) => {}
        }
        let answer: RedisResult<()> = redis::cmd("PING").query_async(&mut connection).await;
        if let Err(error) = answer
            && is_lost(&error)
        {
            return error.to_string();
        }
    }
}

/// The reply of the last command of a pipeline that goes on after errors.
async fn last_reply(
    pipeline: &Pipeline,
    connection: &mut MultiplexedConnection,
) -> RedisResult<Value> {
    let replies: Vec<RedisResult<Value>> = pipeline.query_async(connection).await?;
    let missing = || Err(RedisError::from((ErrorKind::Parse, "a reply is missing")));
    replies.into_iter().next_back().unwrap_or_else(missing)
}

/// Makes all scripts known to Redis, which forgets them when it restarts.
async fn load_scripts(connection: &mut MultiplexedConnection) -> RedisResult<()> {
    let mut load = redis::pipe();
    for script in scripts::all() {
        load.cmd("SCRIPT").arg("LOAD").arg(script.code()).ignore();
    }
    load.query_async(connection).await
}

fn is_unknown_script<T>(result: &RedisResult<T>) -> bool {
    let error = result.as_ref().err();
    error.is_some_and(|error| error.kind() == ErrorKind::Server(ServerErrorKind::NoScript))
}

/// Whether the connection that gave this error is of no more use. A timeout counts: what answers
/// late may never answer, and a fresh connection finds out.
fn is_lost(error: &RedisError) -> bool {
    error.is_timeout() || error.is_connection_dropped() || error.is_unrecoverable_error()
}

fn refused(error: &RedisError) -> StoreError {
    // Only the category: the text of a URL that is not understood may hold a password.
    StoreError::Bug(format!("redis.url: {}", error.category()))
}

/// The one bridge from Redis' errors to the store's.
pub(super) fn store_error(error: &RedisError) -> StoreError {
    let text = error.to_string();
    match error.kind() {
        _ if text.contains("OOM") => StoreError::Full(text),
        ErrorKind::Io => StoreError::Unknown(text),
        ErrorKind::Server(
            ServerErrorKind::BusyLoading
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::MasterDown
            | ServerErrorKind::Moved
            | ServerErrorKind::Ask
            | ServerErrorKind::ReadOnly
            | ServerErrorKind::TryAgain,
        )
        | ErrorKind::AuthenticationFailed
        | ErrorKind::ClusterConnectionNotFound => StoreError::Unavailable(text),
        // Of a pipeline or a transaction only the text tells.
        ErrorKind::Extension
        | ErrorKind::Server(ServerErrorKind::ExecAbort | ServerErrorKind::ResponseError)
            if AWAY.iter().any(|code| text.contains(code)) =>
        {
            StoreError::Unavailable(text)
        }
        ErrorKind::UnexpectedReturnType | ErrorKind::Parse => StoreError::Corrupt(text),
        _ => StoreError::Bug(text),
    }
}
