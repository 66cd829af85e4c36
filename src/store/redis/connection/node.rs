//! One server: a lane for everything small, and a pool beside it for chunks of binaries, so that no
//! small request waits behind a big reply.

use std::sync::Arc;

use deadpool_redis::Pool;
use redis::{
    Cmd, ConnectionAddr, RedisResult, Value,
    aio::{MultiplexedConnection, PubSub},
};

use super::{
    clock::ServerClock,
    connector::{Connector, load_scripts},
    errors::{is_noscript, store_error},
    multiplexed::{Durability, SharedConnection},
    parse_reply,
};
use crate::{store::StoreError, telemetry::metrics::register_pool};

/// Events after which a key is gone: `del` also stands for `UNLINK`.
const EVENTS: [&str; 3] = ["del", "expired", "evicted"];

/// A server that has slots.
pub(in crate::store::redis) struct Node {
    pub(super) address: ConnectionAddr,
    pub(super) shared: SharedConnection,
    pub(super) clock: Arc<ServerClock>,
    pool: Pool,
    connector: Connector,
}

impl Node {
    /// Begins to open the way to `address` on the runtime that this is called on.
    ///
    /// # Errors
    /// [`StoreError::Bug`] for an address that the client does not understand.
    pub(super) fn open(
        connector: &Connector,
        address: ConnectionAddr,
        last_measured: &Arc<ServerClock>,
    ) -> Result<Self, StoreError> {
        let pool = connector.pool(&address)?;
        let watched = pool.weak();
        register_pool(Box::new(move || {
            let status = watched.upgrade()?.status();
            let busy = status.size.saturating_sub(status.available);
            Some((status.available, busy))
        }));
        let clock = Arc::<ServerClock>::default();
        let clocks = [Arc::clone(&clock), Arc::clone(last_measured)];
        Ok(Self {
            pool,
            shared: SharedConnection::open(connector.clone(), address.clone(), clocks),
            clock,
            connector: connector.clone(),
            address,
        })
    }

    /// One command over a connection that nobody else uses meanwhile.
    ///
    /// # Errors
    /// As [`SharedConnection::send`].
    pub(super) async fn send_pooled(
        &self,
        command: &Cmd,
    ) -> Result<RedisResult<Value>, StoreError> {
        let unavailable = |error: deadpool_redis::PoolError| match error {
            deadpool_redis::PoolError::Backend(error) => store_error(&error),
            other => StoreError::Unavailable(other.to_string()),
        };
        let mut connection = self.pool.get().await.map_err(unavailable)?;
        let reply: RedisResult<Value> = command.query_async(&mut connection).await;
        if reply.as_ref().err().is_some_and(is_noscript)
            && load_scripts(&mut connection).await.is_ok()
        {
            return Ok(command.query_async(&mut connection).await);
        }
        Ok(reply)
    }

    /// One command to this very server.
    ///
    /// # Errors
    /// What Redis says.
    pub(in crate::store::redis) async fn query<T: redis::FromRedisValue>(
        &self,
        command: &Cmd,
    ) -> Result<T, StoreError> {
        let reply = self.shared.send(command, Durability::Local).await?;
        parse_reply(reply.map_err(|error| store_error(&error))?)
    }

    /// A connection for subscriptions to this server.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where it cannot be had in time.
    pub(in crate::store::redis) async fn subscriber(&self) -> Result<PubSub, StoreError> {
        self.connector.subscriber(&self.address).await
    }

    /// A connection of its own, without scripts, for checks of the server.
    ///
    /// # Errors
    /// As [`Node::subscriber`].
    pub(in crate::store::redis) async fn dedicated_connection(
        &self,
    ) -> Result<MultiplexedConnection, StoreError> {
        let opened = self.connector.open(&self.address).await;
        opened.map_err(|error| store_error(&error))
    }

    /// Which connection for small requests is open now, counted from the start; `None` while none is.
    pub(in crate::store::redis) fn generation(&self) -> Option<u64> {
        self.shared.generation()
    }

    /// Waits for an answer on a connection that has no patience of its own.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] where none came in time.
    pub(in crate::store::redis) async fn with_response_timeout<T>(
        &self,
        answer: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, StoreError> {
        self.connector.with_response_timeout(answer).await
    }

    /// What it is called in logs: its address.
    pub(in crate::store::redis) fn name(&self) -> String {
        self.address.to_string()
    }

    /// The channels through which the server says that a key of the database in use is gone.
    pub(in crate::store::redis) fn notification_channels(&self) -> [String; 3] {
        let database = self.connector.database();
        EVENTS.map(|event| format!("__keyevent@{database}__:{event}"))
    }
}
