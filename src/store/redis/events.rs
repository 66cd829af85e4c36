//! Being told by Redis that services have ended, by every server that has data: each tells only of its
//! own keys; and, over the same connection, that operators have changed something. Servers come and go;
//! who they are is looked at once a second.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::StreamExt;
use redis::{aio::PubSub, cmd};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::{self, timeout},
};
use tracing::{debug, info, warn};

use super::{RedisStore, connection::Node};
use crate::{
    store::{ServiceId, StoreError},
    telemetry::metrics::{LISTENED_TO, TELLING},
};

/// Events after which a service is gone: `del` also stands for `UNLINK`.
const EVENTS: [&str; 3] = ["del", "expired", "evicted"];
/// What `notify-keyspace-events` must contain for them: keyevent channels, and those three kinds.
const FLAGS: &str = "Egxe";
/// Pause before a subscription is made again.
const RESUBSCRIBE_AFTER: Duration = Duration::from_millis(500);
/// How long a subscription may be silent before it is asked whether it still stands.
const SILENCE: Duration = Duration::from_secs(5);
/// How often it is looked which servers there are.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl RedisStore {
    /// Sends the ids of services that have ended, for as long as it is polled. What does not fit into
    /// the queue is dropped: the sweep finds it.
    pub(super) async fn listen(self: &Arc<Self>, ended: mpsc::Sender<ServiceId>) {
        let mut listeners = JoinSet::new();
        let mut by_server: HashMap<String, AbortHandle> = HashMap::new();
        loop {
            let nodes = self.redis.nodes();
            let there = |name: &String| nodes.iter().any(|node| node.name() == *name);
            by_server.retain(|name, listener| {
                let stays = there(name) && !listener.is_finished();
                if !stays {
                    listener.abort();
                }
                stays
            });
            for node in nodes {
                let listener = Listener {
                    node: Arc::clone(&node),
                    store: Arc::clone(self),
                    ended: ended.clone(),
                };
                let start = || listeners.spawn(listener.listen());
                by_server.entry(node.name()).or_insert_with(start);
            }
            while listeners.try_join_next().is_some() {}
            time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Listens to one server.
struct Listener {
    node: Arc<Node>,
    store: Arc<RedisStore>,
    ended: mpsc::Sender<ServiceId>,
}

impl Listener {
    async fn listen(self) {
        let server = self.node.name();
        let _asked = LISTENED_TO.hold();
        loop {
            match self.subscribe().await {
                Ok((events, enabled)) => {
                    info!(server, "listening for services that end");
                    let told = enabled.then(|| TELLING.hold());
                    self.follow(events).await;
                    drop(told);
                    warn!(server, "no longer told of services that end");
                }
                Err(error) => debug!(server, %error, "cannot listen for services that end yet"),
            }
            time::sleep(RESUBSCRIBE_AFTER).await;
        }
    }

    /// The subscription, and whether anything will come through it.
    async fn subscribe(&self) -> Result<(PubSub, bool), StoreError> {
        let enabled = self.turn_notifications_on().await?;
        let mut events = self.node.subscriber().await?;
        let database = self.node.database();
        let channels = EVENTS.map(|event| format!("__keyevent@{database}__:{event}"));
        let subscribed = events.subscribe(&channels);
        self.node.in_time(subscribed).await?;
        let changes = self.store.keys.changes();
        let subscribed = events.subscribe(&changes);
        if let Err(StoreError::Bug(reason)) = self.node.in_time(subscribed).await {
            warn!(
                reason,
                "Redis does not let this service listen to {changes:?}: what operators change is in \
                 force here only when its version has been looked at"
            );
        }
        // What was changed before this connection stood was told to nobody.
        self.store.changed.notify_one();
        Ok((events, enabled))
    }

    /// Sees to it that Redis sends what [`EVENTS`] names, and leaves other flags as they are; tells
    /// whether it does.
    async fn turn_notifications_on(&self) -> Result<bool, StoreError> {
        const NAME: &str = "notify-keyspace-events";
        let get = cmd("CONFIG").arg("GET").arg(NAME).to_owned();
        let mut set = cmd("CONFIG");
        let outcome = match self.node.ask::<(String, String)>(&get).await {
            Ok((_, flags)) => {
                let has = |flag| flags.contains(flag) || (flag != 'E' && flags.contains('A'));
                if FLAGS.chars().all(has) {
                    return Ok(true);
                }
                set.arg("SET").arg(NAME).arg(format!("{flags}{FLAGS}"));
                self.node.ask::<()>(&set).await
            }
            Err(error) => Err(error),
        };
        match outcome {
            Err(StoreError::Bug(reason) | StoreError::Corrupt(reason)) => {
                warn!(
                    reason,
                    "Redis does not let this service see to {NAME}. Set it to \"{FLAGS}\" in Redis, \
                     or what services held comes back only when the sweep finds it"
                );
                Ok(false)
            }
            other => other.map(|()| true),
        }
    }

    /// Returns when the subscription no longer stands.
    async fn follow(&self, events: PubSub) {
        let (mut sink, mut messages) = events.split();
        let changes = self.store.keys.changes();
        loop {
            match timeout(SILENCE, messages.next()).await {
                Ok(Some(message)) if message.get_channel_name() == changes => {
                    self.store.changed.notify_one();
                }
                Ok(Some(message)) => {
                    let key = message.get_payload::<String>();
                    if let Some(id) = key.ok().and_then(|key| self.store.keys.service_id(&key)) {
                        drop(self.ended.try_send(id));
                    }
                }
                Ok(None) => return,
                // Nothing may end, or Redis may be gone and nobody said so; asking tells.
                Err(_silence) => match self.node.in_time(sink.ping::<()>()).await {
                    // What is refused is answered: with MISCONF Redis refuses a PING too.
                    Ok(()) | Err(StoreError::Unavailable(_) | StoreError::Bug(_)) => {}
                    Err(_lost) => return,
                },
            }
        }
    }
}
