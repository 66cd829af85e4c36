//! One server: a multiplexed connection for small requests, and a pool for chunks of binaries, so that
//! small requests do not wait for large replies.

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
use crate::model::StoreError;

/// The events of removed keys: `del` includes `UNLINK`.
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
    /// Starts connecting to `address` on the current runtime.
    ///
    /// # Errors
    /// [`StoreError::Bug`] if the client library does not support the address.
    pub(super) fn open(
        connector: &Connector,
        address: ConnectionAddr,
        last_measured: &Arc<ServerClock>,
    ) -> Result<Self, StoreError> {
        let pool = connector.pool(&address)?;
        let weak_pool = pool.weak();
        connector.metrics.register_pool(Box::new(move || {
            let status = weak_pool.upgrade()?.status();
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

    /// Sends one command over a pooled connection.
    ///
    /// # Errors
    /// See [`SharedConnection::send`].
    pub(super) async fn send_pooled(
        &self,
        command: &Cmd,
    ) -> Result<RedisResult<Value>, StoreError> {
        let unavailable = |error: deadpool_redis::PoolError| match error {
            deadpool_redis::PoolError::Backend(error) => store_error(&error),
            other => StoreError::Unavailable(other.to_string()),
        };
        // On the heap: it can open a connection, and its 7 KB would be part of every read of all keys of a service.
        let connection = Box::pin(self.pool.get()).await;
        let mut connection = connection.map_err(unavailable)?;
        let reply: RedisResult<Value> = command.query_async(&mut connection).await;
        if reply.as_ref().err().is_some_and(is_noscript)
            && load_scripts(&mut connection).await.is_ok()
        {
            return Ok(command.query_async(&mut connection).await);
        }
        Ok(reply)
    }

    /// Sends one command to this server.
    ///
    /// # Errors
    /// Any error of Redis.
    pub(in crate::store::redis) async fn query<T: redis::FromRedisValue>(
        &self,
        command: &Cmd,
    ) -> Result<T, StoreError> {
        let reply = self.shared.send(command, Durability::Local).await?;
        parse_reply(reply.map_err(|error| store_error(&error))?)
    }

    /// Opens a connection for subscriptions to this server.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it fails or times out.
    pub(in crate::store::redis) async fn subscriber(&self) -> Result<PubSub, StoreError> {
        self.connector.subscriber(&self.address).await
    }

    /// Opens a dedicated connection without scripts, for checks of the server.
    ///
    /// # Errors
    /// See [`Node::subscriber`].
    pub(in crate::store::redis) async fn dedicated_connection(
        &self,
    ) -> Result<MultiplexedConnection, StoreError> {
        let opened = self.connector.open(&self.address).await;
        opened.map_err(|error| store_error(&error))
    }

    /// Returns the sequence number of the current multiplexed connection; `None` if there is none.
    pub(in crate::store::redis) fn generation(&self) -> Option<u64> {
        self.shared.generation()
    }

    /// Waits for a response on a connection that has no timeout of its own.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] after a timeout.
    pub(in crate::store::redis) async fn with_response_timeout<T>(
        &self,
        response: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, StoreError> {
        self.connector.with_response_timeout(response).await
    }

    /// Returns the name of the server in logs: its address.
    pub(in crate::store::redis) fn name(&self) -> String {
        self.address.to_string()
    }

    /// The channels of notifications about removed keys of the database in use.
    pub(in crate::store::redis) fn notification_channels(&self) -> [String; 3] {
        let database = self.connector.database();
        EVENTS.map(|event| format!("__keyevent@{database}__:{event}"))
    }
}
