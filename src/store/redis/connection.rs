//! Connections to one server, through sentinels, or to a Cluster; callers do not depend on the topology.
//!
//! [`Connections`] belong to one worker. A command is sent to the [`Node`] that has its key: over the
//! multiplexed connection of that node, or, if the reply is large, over a pooled connection. If the
//! topology can change, a background task reads it twice a second, and immediately when a server is
//! unreachable or redirects a command, and updates the [`SlotMap`](slot_map::SlotMap).
//!
//! A Cluster has no pipelines or transactions across slots. [`Connections::pipeline_ordered`] and
//! [`Connections::pipeline_unordered`] are one round trip if one server has all keys; in a Cluster they
//! are one per command, sequentially or concurrently. A command is sent again only if it was certainly not
//! executed: after a redirection, if a script was not loaded, or if the connection was closed before
//! anything of it was written.

use std::{
    sync::{Arc, Mutex, RwLock, atomic::AtomicUsize},
    time::Duration,
};

use futures_util::future::join_all;
use redis::{Cmd, FromRedisValue, ParsingError, RedisError, Value};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
    time::{self, Instant},
};
use uuid::Uuid;

use self::{
    clock::{require_time, translate},
    cluster_state::ClusterState,
    connector::Connector,
    errors::Redirect,
    in_flight::InFlightPermit,
    multiplexed::Durability,
    topology::Topology,
};
pub(super) use self::{
    errors::{COMMAND_REFUSED, store_error},
    node::Node,
};
use crate::{
    model::{StoreError, Timestamp},
    settings,
    telemetry::metrics::RedisMetrics,
};

mod clock;
mod cluster_state;
mod connector;
mod driver;
mod errors;
mod health;
mod in_flight;
mod multiplexed;
mod node;
mod pipeline;
mod redirects;
mod request;
mod sentinels;
mod server_mode;
mod slot_map;
mod topology;
mod write_coalescing;

/// The pause before a command is sent again that two servers redirect to each other.
const REDIRECT_RETRY_DELAY: Duration = Duration::from_millis(20);

/// The maximum number of concurrent health checks of a worker. They do not count as operations in flight,
/// so that a replica with many of those stays ready.
const MAX_HEALTH_CHECKS: usize = 8;

/// The maximum number of random tags tried to find a key on a certain server of a Cluster.
const MAX_TAGS_TRIED: usize = 4_096;

/// The connections of one worker to Redis.
pub(super) struct Connections {
    cluster: Arc<ClusterState>,
    /// The number of operations in flight, and its maximum.
    in_flight: AtomicUsize,
    max_in_flight: usize,
    health_checks: AtomicUsize,
    connect_timeout: Duration,
    refresh_task: Option<JoinHandle<()>>,
    /// Whether the topology has been read at least once.
    refreshed: watch::Receiver<bool>,
}

impl Drop for Connections {
    fn drop(&mut self) {
        if let Some(task) = &self.refresh_task {
            task.abort();
        }
    }
}

impl Connections {
    /// Opens the connections to Redis on the current runtime. Returns when they are open or the first
    /// attempt has failed; afterwards lost connections are reestablished automatically.
    ///
    /// # Errors
    /// [`StoreError::Bug`] if the URL or the certificates are invalid.
    pub(super) async fn open(
        settings: &settings::Redis,
        metrics: &RedisMetrics,
    ) -> Result<Self, StoreError> {
        let connector = Connector::new(settings, metrics)?;
        let topology = Topology::from_settings(settings, &connector)?;
        let (fixed, connect_timeout) = (topology.is_fixed(), connector.connect_timeout());
        let cluster = Arc::new(ClusterState {
            topology,
            connector,
            map: RwLock::default(),
            topology_error: Mutex::default(),
            refresh_requested: Notify::new(),
            last_measured: Arc::default(),
        });
        let (refreshed_sender, refreshed) = watch::channel(false);
        let refresh_task = if fixed {
            cluster.refresh().await?;
            drop(refreshed_sender);
            None
        } else {
            Some(tokio::spawn(cluster_state::refresh_task(
                Arc::clone(&cluster),
                refreshed_sender,
            )))
        };
        let connections = Self {
            cluster,
            in_flight: AtomicUsize::new(0),
            max_in_flight: settings.max_in_flight,
            health_checks: AtomicUsize::new(0),
            connect_timeout,
            refresh_task,
            refreshed,
        };
        connections.wait_until_ready().await;
        Ok(connections)
    }

    /// Waits until the topology is known and its servers have responded or failed.
    async fn wait_until_ready(&self) {
        let ready = async {
            let mut refreshed = self.refreshed.clone();
            // If the topology is fixed, the sender is gone and this returns at once.
            drop(refreshed.wait_for(|refreshed| *refreshed).await);
            let map = self.cluster.slot_map();
            join_all(
                map.nodes()
                    .iter()
                    .map(|node| node.shared.wait_until_ready()),
            )
            .await;
        };
        drop(time::timeout(self.connect_timeout, ready).await);
    }

    /// All servers that have data.
    pub(super) fn nodes(&self) -> Vec<Arc<Node>> {
        self.cluster.slot_map().nodes().to_vec()
    }

    /// Returns the time of Redis. In a Cluster it is that of the server with the first slot; while that
    /// server is unreachable, of another one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it has not been measured yet.
    pub(super) fn now(&self) -> Result<Timestamp, StoreError> {
        let map = self.cluster.slot_map();
        let first = map.nodes().first().and_then(|node| node.clock.now());
        require_time(first.or_else(|| self.cluster.last_measured.now()))
    }

    /// Returns the time of the server that has `key`.
    pub(super) fn now_at(&self, key: &str) -> Result<Timestamp, StoreError> {
        let owner = self.cluster.slot_map().node_for_key(key.as_bytes());
        let time = owner.and_then(|node| node.clock.now());
        time.map_or_else(|| self.now(), Ok)
    }

    /// Converts `timestamp`, stored by the server with `key`, to the time of [`Connections::now`].
    pub(super) fn translate_from_server(
        &self,
        key: &str,
        timestamp: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        Ok(translate(timestamp, self.now_at(key)?, self.now()?))
    }

    /// Converts `timestamp` from the time of [`Connections::now`] to that of the server with `key`.
    pub(super) fn translate_to_server(
        &self,
        key: &str,
        timestamp: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        Ok(translate(timestamp, self.now()?, self.now_at(key)?))
    }

    /// Returns a key that `make_key` builds from a random tag and that is on `node`; `None` if none was
    /// found, such as on a server that has hardly any slots yet.
    pub(super) fn key_on_node(
        &self,
        node: &Node,
        make_key: impl Fn(&str) -> String,
    ) -> Option<String> {
        let map = self.cluster.slot_map();
        (0..MAX_TAGS_TRIED).find_map(|_| {
            let key = make_key(&Uuid::new_v4().simple().to_string());
            let owner = map.node_for(redis::cmd("GET").arg(&key))?;
            (owner.address == node.address).then_some(key)
        })
    }

    /// Sends one command in one round trip.
    ///
    /// # Errors
    /// Any error of Redis; [`StoreError::Busy`] if too many operations are in flight.
    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let _permit = self.acquire_permit()?;
        parse_reply(self.send(command, Durability::Local).await?)
    }

    /// Sends a command whose effect clients depend on: it returns after the configured number of Redis
    /// replicas has acknowledged it.
    ///
    /// # Errors
    /// See [`Connections::query`]; [`StoreError::Unknown`] if it was executed but too few replicas
    /// acknowledged it.
    pub(super) async fn query_replicated<T: FromRedisValue>(
        &self,
        command: &Cmd,
    ) -> Result<T, StoreError> {
        let _permit = self.acquire_permit()?;
        parse_reply(self.send(command, Durability::Replicated).await?)
    }

    /// Sends one command over a pooled connection.
    pub(super) async fn query_pooled<T: FromRedisValue>(
        &self,
        command: &Cmd,
    ) -> Result<T, StoreError> {
        let _permit = self.acquire_permit()?;
        let node = self.node_for(command)?;
        let value = match node.send_pooled(command).await? {
            Ok(value) => value,
            Err(error) => {
                self.follow_redirect(command, Durability::Local, error, node)
                    .await?
            }
        };
        parse_reply(value)
    }

    fn acquire_permit(&self) -> Result<InFlightPermit<'_>, StoreError> {
        InFlightPermit::acquire(&self.in_flight, self.max_in_flight)
    }

    fn node_for(&self, command: &Cmd) -> Result<Arc<Node>, StoreError> {
        let owner = self.cluster.slot_map().node_for(command);
        owner.ok_or_else(|| {
            self.cluster.refresh_requested.notify_one();
            StoreError::Unavailable("Redis topology unknown".to_owned())
        })
    }

    async fn send(&self, command: &Cmd, write: Durability) -> Result<Value, StoreError> {
        let node = self.node_for(command)?;
        match self.note_failure(node.shared.send(command, write).await)? {
            Ok(value) => Ok(value),
            Err(error) => self.follow_redirect(command, write, error, node).await,
        }
    }

    /// Requests a refresh if a server is unreachable: another one may have its data by now.
    fn note_failure<T>(&self, sent: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(StoreError::Unavailable(_)) = &sent {
            self.cluster.refresh_requested.notify_one();
        }
        sent
    }

    /// Follows redirections of a command that was not executed, for at most the connect timeout.
    async fn follow_redirect(
        &self,
        command: &Cmd,
        write: Durability,
        error: RedisError,
        mut node: Arc<Node>,
    ) -> Result<Value, StoreError> {
        let (until, mut error) = (Instant::now() + self.connect_timeout, error);
        loop {
            let Some(redirect) = Redirect::from_error(&error) else {
                return Err(store_error(&error));
            };
            self.cluster.refresh_requested.notify_one();
            let reply = match &redirect {
                Redirect::ReadOnlyReplica => return Err(store_error(&error)),
                Redirect::Moved(to) => {
                    node = self.cluster.node_for_redirect(to, &node)?;
                    node.shared.send(command, write).await?
                }
                Redirect::Ask(to) => {
                    node = self.cluster.node_for_redirect(to, &node)?;
                    let mut asking = redis::pipe();
                    asking.cmd("ASKING").add_command(command.clone());
                    let replies = node.shared.send_all(&asking, write).await?;
                    replies.and_then(|replies| {
                        replies.into_iter().next_back().unwrap_or(Ok(Value::Nil))
                    })
                }
                Redirect::TryAgain => {
                    node = self.node_for(command)?;
                    node.shared.send(command, write).await?
                }
            };
            match reply {
                Ok(value) => return Ok(value),
                Err(next) if Instant::now() < until => error = next,
                Err(last) => return Err(store_error(&last)),
            }
            time::sleep(REDIRECT_RETRY_DELAY).await;
        }
    }
}

/// Parses a reply.
pub(super) fn parse_reply<T: FromRedisValue>(value: Value) -> Result<T, StoreError> {
    let unexpected = |error: ParsingError| StoreError::Corrupt(RedisError::from(error).to_string());
    T::from_redis_value(value).map_err(unexpected)
}
