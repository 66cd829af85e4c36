//! Connections: to one server, through sentinels, or to a Cluster; nothing above knows which.
//!
//! [`Connections`] belong to one worker. A command goes to the [`Node`] that has its key: over that
//! node's lane, or, where the reply is big, over a connection from its pool. Where there is more than
//! one node, or another one tomorrow, a *scout* looks twice a second, and at once when a server is away or
//! says that it is not the one to ask, who has which slots, and redraws the [`Map`].
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
    clock::{ServerClock, known, translate},
    connector::Connector,
    errors::Elsewhere,
    lane::Write,
    slots::Map,
    topology::Topology,
};
pub(super) use self::{errors::store_error, node::Node};
use crate::{
    model::readiness::Finding,
    settings,
    store::{Moment, StoreError},
};

mod clock;
mod connector;
mod driven;
mod errors;
mod gather;
mod health;
mod lane;
mod node;
mod redirects;
mod sentinels;
mod server_mode;
mod several;
mod slots;
mod topology;

/// How often the scout looks who has the data.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long it waits at the least after it was called.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Pause before a command is sent again that two servers pass to one another.
const NOT_YET: Duration = Duration::from_millis(20);

/// Random tags tried to find a key that lies on a certain server of a Cluster.
const MAX_TAGS_TRIED: usize = 4_096;

/// One worker's ways to Redis.
pub(super) struct Connections {
    world: Arc<World>,
    /// Requests that wait for Redis, and how many may.
    waiting: AtomicUsize,
    most_waiting: usize,
    patience: Duration,
    scout: Option<JoinHandle<()>>,
    /// Whether the scout has looked once.
    looked: watch::Receiver<bool>,
}

impl Drop for Connections {
    fn drop(&mut self) {
        if let Some(scout) = &self.scout {
            scout.abort();
        }
    }
}

/// Who has the data, as the scout sees it.
struct World {
    topology: Topology,
    connector: Connector,
    map: RwLock<Arc<Map>>,
    /// Why the scout does not know who has the data, since it last looked.
    trouble: Mutex<Option<Finding>>,
    /// Calls the scout.
    call: Notify,
    /// The clock of whichever server was measured last.
    last_measured: Arc<ServerClock>,
}

/// A place among those that wait for Redis.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
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
        let topology = Topology::of(settings, &connector)?;
        let (fixed, patience) = (topology.is_fixed(), connector.patience());
        let world = Arc::new(World {
            topology,
            connector,
            map: RwLock::default(),
            trouble: Mutex::default(),
            call: Notify::new(),
            last_measured: Arc::default(),
        });
        let (tell, looked) = watch::channel(false);
        let scout = if fixed {
            world.look().await?;
            drop(tell);
            None
        } else {
            Some(tokio::spawn(scout(Arc::clone(&world), tell)))
        };
        let connections = Self {
            world,
            waiting: AtomicUsize::new(0),
            most_waiting: settings.max_waiting,
            patience,
            scout,
            looked,
        };
        connections.settled().await;
        Ok(connections)
    }

    /// Waits until it is known who has the data and whether they answer.
    async fn settled(&self) {
        let settled = async {
            let mut looked = self.looked.clone();
            // In a world that is fixed nobody is left to tell.
            drop(looked.wait_for(|looked| *looked).await);
            let map = self.world.map();
            join_all(map.owners().iter().map(|node| node.lane.settled())).await;
        };
        drop(time::timeout(self.patience, settled).await);
    }

    /// All servers that have data.
    pub(super) fn nodes(&self) -> Vec<Arc<Node>> {
        self.world.map().owners().to_vec()
    }

    /// The time of Redis. In a Cluster it is that of the server that has the first slot; while that is
    /// away, of another one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where it has not been measured yet.
    pub(super) fn now(&self) -> Result<Moment, StoreError> {
        let map = self.world.map();
        let first = map.owners().first().and_then(|node| node.clock.now());
        known(first.or_else(|| self.world.last_measured.now()))
    }

    /// The time of the server that has `key`.
    pub(super) fn now_at(&self, key: &str) -> Result<Moment, StoreError> {
        let owner = self.world.map().owner_of(key.as_bytes());
        let there = owner.and_then(|node| node.clock.now());
        there.map_or_else(|| self.now(), Ok)
    }

    /// What [`Connections::now`] shows at a `moment` that the server with `key` has stored.
    pub(super) fn of_server(&self, key: &str, moment: Moment) -> Result<Moment, StoreError> {
        Ok(translate(moment, self.now_at(key)?, self.now()?))
    }

    /// What the server with `key` is to store for `moment`, which is by the time of [`Connections::now`].
    pub(super) fn for_server(&self, key: &str, moment: Moment) -> Result<Moment, StoreError> {
        Ok(translate(moment, self.now()?, self.now_at(key)?))
    }

    /// A key that `spell` makes of a random tag and that lies on `node`; `None` where none was found, as
    /// on a server that has hardly any slots yet.
    pub(super) fn key_on(&self, node: &Node, spell: impl Fn(&str) -> String) -> Option<String> {
        let map = self.world.map();
        (0..MAX_TAGS_TRIED).find_map(|_| {
            let key = spell(&Uuid::new_v4().simple().to_string());
            let owner = map.owner(redis::cmd("GET").arg(&key))?;
            (owner.address == node.address).then_some(key)
        })
    }

    /// One command, one round trip.
    ///
    /// # Errors
    /// What Redis says; [`StoreError::Busy`] where too many wait already.
    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let _place = self.place()?;
        typed(self.value(command, Write::Done).await?)
    }

    /// A command that changes what a client is told of: it is kept by as many replicas as are set
    /// before this returns.
    ///
    /// # Errors
    /// As [`Connections::query`]; [`StoreError::Unknown`] where it was done and too few have it.
    pub(super) async fn change<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let _place = self.place()?;
        typed(self.value(command, Write::Kept).await?)
    }

    /// The same over a connection that nobody else uses meanwhile.
    pub(super) async fn query_apart<T: FromRedisValue>(
        &self,
        command: &Cmd,
    ) -> Result<T, StoreError> {
        let _place = self.place()?;
        let node = self.owner(command)?;
        let value = match node.send_apart(command).await? {
            Ok(value) => value,
            Err(error) => self.elsewhere(command, Write::Done, error, node).await?,
        };
        typed(value)
    }

    fn place(&self) -> Result<Place<'_>, StoreError> {
        let waiting = self.waiting.fetch_add(1, Relaxed);
        let place = Place(&self.waiting);
        if waiting < self.most_waiting {
            return Ok(place);
        }
        Err(StoreError::Busy(waiting))
    }

    fn owner(&self, command: &Cmd) -> Result<Arc<Node>, StoreError> {
        let owner = self.world.map().owner(command);
        owner.ok_or_else(|| {
            self.world.call.notify_one();
            StoreError::Unavailable("it is not known who has the data".to_owned())
        })
    }

    async fn value(&self, command: &Cmd, write: Write) -> Result<Value, StoreError> {
        let node = self.owner(command)?;
        match self.heeded(node.lane.send(command, write).await)? {
            Ok(value) => Ok(value),
            Err(error) => self.elsewhere(command, write, error, node).await,
        }
    }

    /// Has the scout look at once where a server is away: another one may have its data by now.
    fn heeded<T>(&self, sent: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(StoreError::Unavailable(_)) = &sent {
            self.world.call.notify_one();
        }
        sent
    }

    /// Follows where a server that did nothing sends us, for no longer than a connect may take.
    async fn elsewhere(
        &self,
        command: &Cmd,
        write: Write,
        error: RedisError,
        mut asked: Arc<Node>,
    ) -> Result<Value, StoreError> {
        let (until, mut error) = (Instant::now() + self.patience, error);
        loop {
            let Some(elsewhere) = Elsewhere::of(&error) else {
                return Err(store_error(&error));
            };
            self.world.call.notify_one();
            let reply = match &elsewhere {
                Elsewhere::Replica => return Err(store_error(&error)),
                Elsewhere::Moved(to) => {
                    asked = self.world.guest(to, &asked)?;
                    asked.lane.send(command, write).await?
                }
                Elsewhere::Ask(to) => {
                    asked = self.world.guest(to, &asked)?;
                    let mut asking = redis::pipe();
                    asking.cmd("ASKING").add_command(command.clone());
                    let replies = asked.lane.send_all(&asking, write).await?;
                    replies.and_then(|replies| {
                        replies.into_iter().next_back().unwrap_or(Ok(Value::Nil))
                    })
                }
                Elsewhere::NotYet => {
                    asked = self.owner(command)?;
                    asked.lane.send(command, write).await?
                }
            };
            match reply {
                Ok(value) => return Ok(value),
                Err(again) if Instant::now() < until => error = again,
                Err(last) => return Err(store_error(&last)),
            }
            time::sleep(NOT_YET).await;
        }
    }
}

impl World {
    fn map(&self) -> Arc<Map> {
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&map)
    }

    fn trouble(&self) -> Option<Finding> {
        self.trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn draw(&self, next: Map) {
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        *map = Arc::new(next);
    }

    /// Looks who has the data, and redraws the map where that has changed.
    async fn look(&self) -> Result<(), StoreError> {
        let known = self.map();
        let found = self.topology.find(&known).await;
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) =
            found.as_ref().err().cloned();
        let ranges = found.map_err(|finding| StoreError::Unavailable(finding.detail))?;
        if known.says(&ranges) {
            return Ok(());
        }
        let make = |address| Node::open(&self.connector, address, &self.last_measured);
        self.draw(self.map().next(ranges, make)?);
        if !self.topology.is_fixed() {
            let map = self.map();
            let servers = map.owners().iter().map(|node| node.address.to_string());
            let servers = servers.collect::<Vec<_>>().join(", ");
            info!(servers, "who has the data in Redis");
        }
        Ok(())
    }
}

/// Redraws the map for as long as anybody holds the connections.
async fn scout(world: Arc<World>, looked: watch::Sender<bool>) {
    let mut failing = false;
    loop {
        let found = world.look().await;
        match (&found, failing) {
            (Err(error), false) => warn!(%error, "nobody tells who has the data in Redis"),
            (Ok(()), true) => info!("it is known again who has the data in Redis"),
            _ => {}
        }
        failing = found.is_err();
        looked.send_replace(true);
        time::sleep(LOOK_AGAIN).await;
        drop(time::timeout(LOOK_EVERY, world.call.notified()).await);
    }
}

/// A reply as what it is.
pub(super) fn typed<T: FromRedisValue>(value: Value) -> Result<T, StoreError> {
    let unexpected = |error: ParsingError| StoreError::Corrupt(RedisError::from(error).to_string());
    T::from_redis_value(value).map_err(unexpected)
}
