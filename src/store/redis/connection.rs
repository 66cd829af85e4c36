//! Connections: to one server, through sentinels, or to a Cluster; nothing above knows which.
//!
//! [`Connections`] belong to one worker. A command goes to the [`Node`] that has its key: over that
//! node's lane, or, where the reply is big, over a connection from its pool. Where there is more than
//! one node, or another one tomorrow, a *scout* looks twice a second, and at once when a server is away or
//! says that it is not the one to ask, who has which slots, and redraws the [`SlotMap`].
//!
//! A Cluster has no pipelines or transactions across slots. [`Connections::in_turn`] and
//! [`Connections::at_once`] are one round trip where one server has all; in a Cluster they are one for
//! each command, after or beside one another. Nothing here is sent twice unless Redis said that it did
//! nothing: a redirection, or a script it does not know.

use std::{
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::future::join_all;
use redis::{Cmd, FromRedisValue, ParsingError, RedisError, Value};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
    time::{self, Instant},
};
use tracing::{info, warn};
use uuid::Uuid;

use self::{
    clock::{ServerClock, require_time, translate},
    connector::Connector,
    errors::Redirect,
    multiplexed::Durability,
    slot_map::SlotMap,
    topology::Topology,
};
pub(super) use self::{errors::store_error, node::Node};
use crate::{
    model::readiness::Finding,
    settings,
    store::{StoreError, Timestamp},
};

mod clock;
mod connector;
mod driver;
mod errors;
mod health;
mod multiplexed;
mod node;
mod pipeline;
mod redirects;
mod sentinels;
mod server_mode;
mod slot_map;
mod topology;
mod write_coalescing;

/// How often the scout looks who has the data.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How long it waits at the least after it was called.
const REFRESH_DEBOUNCE: Duration = Duration::from_millis(50);
/// Pause before a command is sent again that two servers pass to one another.
const REDIRECT_RETRY_DELAY: Duration = Duration::from_millis(20);

/// Random tags tried to find a key that lies on a certain server of a Cluster.
const MAX_TAGS_TRIED: usize = 4_096;

/// One worker's ways to Redis.
pub(super) struct Connections {
    cluster: Arc<ClusterState>,
    /// Requests that wait for Redis, and how many may.
    in_flight: AtomicUsize,
    max_in_flight: usize,
    connect_timeout: Duration,
    refresh_task: Option<JoinHandle<()>>,
    /// Whether the scout has looked once.
    refreshed: watch::Receiver<bool>,
}

impl Drop for Connections {
    fn drop(&mut self) {
        if let Some(scout) = &self.refresh_task {
            scout.abort();
        }
    }
}

/// Who has the data, as the scout sees it.
struct ClusterState {
    topology: Topology,
    connector: Connector,
    map: RwLock<Arc<SlotMap>>,
    /// Why the scout does not know who has the data, since it last looked.
    trouble: Mutex<Option<Finding>>,
    /// Calls the scout.
    refresh_requested: Notify,
    /// The clock of whichever server was measured last.
    last_measured: Arc<ServerClock>,
}

/// A place among those that wait for Redis.
struct InFlightPermit<'a>(&'a AtomicUsize);

impl Drop for InFlightPermit<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Connections {
    /// Opens the ways to Redis on the runtime that this is called on, and returns when they are open or
    /// the first attempt has failed; from then on they come and go with Redis by themselves.
    ///
    /// # Errors
    /// [`StoreError::Bug`] where URL or certificates are none that the client understands.
    pub(super) async fn open(settings: &settings::Redis) -> Result<Self, StoreError> {
        let connector = Connector::new(settings)?;
        let topology = Topology::from_settings(settings, &connector)?;
        let (fixed, patience) = (topology.is_fixed(), connector.connect_timeout());
        let world = Arc::new(ClusterState {
            topology,
            connector,
            map: RwLock::default(),
            trouble: Mutex::default(),
            refresh_requested: Notify::new(),
            last_measured: Arc::default(),
        });
        let (tell, looked) = watch::channel(false);
        let scout = if fixed {
            world.refresh().await?;
            drop(tell);
            None
        } else {
            Some(tokio::spawn(refresh_task(Arc::clone(&world), tell)))
        };
        let connections = Self {
            cluster: world,
            in_flight: AtomicUsize::new(0),
            max_in_flight: settings.max_in_flight,
            connect_timeout: patience,
            refresh_task: scout,
            refreshed: looked,
        };
        connections.wait_until_ready().await;
        Ok(connections)
    }

    /// Waits until it is known who has the data and whether they answer.
    async fn wait_until_ready(&self) {
        let settled = async {
            let mut looked = self.refreshed.clone();
            // In a world that is fixed nobody is left to tell.
            drop(looked.wait_for(|looked| *looked).await);
            let map = self.cluster.slot_map();
            join_all(
                map.nodes()
                    .iter()
                    .map(|node| node.shared.wait_until_ready()),
            )
            .await;
        };
        drop(time::timeout(self.connect_timeout, settled).await);
    }

    /// All servers that have data.
    pub(super) fn nodes(&self) -> Vec<Arc<Node>> {
        self.cluster.slot_map().nodes().to_vec()
    }

    /// The time of Redis. In a Cluster it is that of the server that has the first slot; while that is
    /// away, of another one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where it has not been measured yet.
    pub(super) fn now(&self) -> Result<Timestamp, StoreError> {
        let map = self.cluster.slot_map();
        let first = map.nodes().first().and_then(|node| node.clock.now());
        require_time(first.or_else(|| self.cluster.last_measured.now()))
    }

    /// The time of the server that has `key`.
    pub(super) fn now_at(&self, key: &str) -> Result<Timestamp, StoreError> {
        let owner = self.cluster.slot_map().node_for_key(key.as_bytes());
        let there = owner.and_then(|node| node.clock.now());
        there.map_or_else(|| self.now(), Ok)
    }

    /// What [`Connections::now`] shows at a `moment` that the server with `key` has stored.
    pub(super) fn from_server_time(
        &self,
        key: &str,
        moment: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        Ok(translate(moment, self.now_at(key)?, self.now()?))
    }

    /// What the server with `key` is to store for `moment`, which is by the time of [`Connections::now`].
    pub(super) fn to_server_time(
        &self,
        key: &str,
        moment: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        Ok(translate(moment, self.now()?, self.now_at(key)?))
    }

    /// A key that `spell` makes of a random tag and that lies on `node`; `None` where none was found, as
    /// on a server that has hardly any slots yet.
    pub(super) fn key_on_node(
        &self,
        node: &Node,
        spell: impl Fn(&str) -> String,
    ) -> Option<String> {
        let map = self.cluster.slot_map();
        (0..MAX_TAGS_TRIED).find_map(|_| {
            let key = spell(&Uuid::new_v4().simple().to_string());
            let owner = map.node_for(redis::cmd("GET").arg(&key))?;
            (owner.address == node.address).then_some(key)
        })
    }

    /// One command, one round trip.
    ///
    /// # Errors
    /// What Redis says; [`StoreError::Busy`] where too many wait already.
    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let _place = self.acquire_permit()?;
        parse_reply(self.send(command, Durability::Local).await?)
    }

    /// A command that changes what a client is told of: it is kept by as many replicas as are set
    /// before this returns.
    ///
    /// # Errors
    /// As [`Connections::query`]; [`StoreError::Unknown`] where it was done and too few have it.
    pub(super) async fn query_replicated<T: FromRedisValue>(
        &self,
        command: &Cmd,
    ) -> Result<T, StoreError> {
        let _place = self.acquire_permit()?;
        parse_reply(self.send(command, Durability::Replicated).await?)
    }

    /// The same over a connection that nobody else uses meanwhile.
    pub(super) async fn query_pooled<T: FromRedisValue>(
        &self,
        command: &Cmd,
    ) -> Result<T, StoreError> {
        let _place = self.acquire_permit()?;
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
        let waiting = self.in_flight.fetch_add(1, Relaxed);
        let place = InFlightPermit(&self.in_flight);
        if waiting < self.max_in_flight {
            return Ok(place);
        }
        Err(StoreError::Busy(waiting))
    }

    fn node_for(&self, command: &Cmd) -> Result<Arc<Node>, StoreError> {
        let owner = self.cluster.slot_map().node_for(command);
        owner.ok_or_else(|| {
            self.cluster.refresh_requested.notify_one();
            StoreError::Unavailable("it is not known who has the data".to_owned())
        })
    }

    async fn send(&self, command: &Cmd, write: Durability) -> Result<Value, StoreError> {
        let node = self.node_for(command)?;
        match self.note_failure(node.shared.send(command, write).await)? {
            Ok(value) => Ok(value),
            Err(error) => self.follow_redirect(command, write, error, node).await,
        }
    }

    /// Has the scout look at once where a server is away: another one may have its data by now.
    fn note_failure<T>(&self, sent: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(StoreError::Unavailable(_)) = &sent {
            self.cluster.refresh_requested.notify_one();
        }
        sent
    }

    /// Follows where a server that did nothing sends us, for no longer than a connect may take.
    async fn follow_redirect(
        &self,
        command: &Cmd,
        write: Durability,
        error: RedisError,
        mut asked: Arc<Node>,
    ) -> Result<Value, StoreError> {
        let (until, mut error) = (Instant::now() + self.connect_timeout, error);
        loop {
            let Some(elsewhere) = Redirect::from_error(&error) else {
                return Err(store_error(&error));
            };
            self.cluster.refresh_requested.notify_one();
            let reply = match &elsewhere {
                Redirect::ReadOnlyReplica => return Err(store_error(&error)),
                Redirect::Moved(to) => {
                    asked = self.cluster.node_for_redirect(to, &asked)?;
                    asked.shared.send(command, write).await?
                }
                Redirect::Ask(to) => {
                    asked = self.cluster.node_for_redirect(to, &asked)?;
                    let mut asking = redis::pipe();
                    asking.cmd("ASKING").add_command(command.clone());
                    let replies = asked.shared.send_all(&asking, write).await?;
                    replies.and_then(|replies| {
                        replies.into_iter().next_back().unwrap_or(Ok(Value::Nil))
                    })
                }
                Redirect::TryAgain => {
                    asked = self.node_for(command)?;
                    asked.shared.send(command, write).await?
                }
            };
            match reply {
                Ok(value) => return Ok(value),
                Err(again) if Instant::now() < until => error = again,
                Err(last) => return Err(store_error(&last)),
            }
            time::sleep(REDIRECT_RETRY_DELAY).await;
        }
    }
}

impl ClusterState {
    fn slot_map(&self) -> Arc<SlotMap> {
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&map)
    }

    fn topology_error(&self) -> Option<Finding> {
        self.trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn replace_map(&self, next: SlotMap) {
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        *map = Arc::new(next);
    }

    /// Looks who has the data, and redraws the map where that has changed.
    async fn refresh(&self) -> Result<(), StoreError> {
        let known = self.slot_map();
        let found = self.topology.discover(&known).await;
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) =
            found.as_ref().err().cloned();
        let ranges = found.map_err(|finding| StoreError::Unavailable(finding.detail))?;
        if known.matches(&ranges) {
            return Ok(());
        }
        let make = |address| Node::open(&self.connector, address, &self.last_measured);
        self.replace_map(self.slot_map().updated(ranges, make)?);
        if !self.topology.is_fixed() {
            let map = self.slot_map();
            let servers = map.nodes().iter().map(|node| node.address.to_string());
            let servers = servers.collect::<Vec<_>>().join(", ");
            info!(servers, "who has the data in Redis");
        }
        Ok(())
    }
}

/// Redraws the map for as long as anybody holds the connections.
async fn refresh_task(world: Arc<ClusterState>, looked: watch::Sender<bool>) {
    let mut failing = false;
    loop {
        let found = world.refresh().await;
        match (&found, failing) {
            (Err(error), false) => warn!(%error, "nobody tells who has the data in Redis"),
            (Ok(()), true) => info!("it is known again who has the data in Redis"),
            _ => {}
        }
        failing = found.is_err();
        looked.send_replace(true);
        time::sleep(REFRESH_DEBOUNCE).await;
        drop(time::timeout(POLL_INTERVAL, world.refresh_requested.notified()).await);
    }
}

/// A reply as what it is.
pub(super) fn parse_reply<T: FromRedisValue>(value: Value) -> Result<T, StoreError> {
    let unexpected = |error: ParsingError| StoreError::Corrupt(RedisError::from(error).to_string());
    T::from_redis_value(value).map_err(unexpected)
}
