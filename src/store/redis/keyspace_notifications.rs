//! Being told by Redis that services have ended, by every server that has data: each tells only of its
//! own keys; and, over the same connection, that operators have changed something. Servers come and go;
//! who they are is looked at once a second.
//!
//! Whether notifications arrive is probed every few seconds ([`Probe`]): the configuration may say one
//! thing and the server do another, or forbid the question. Where they stop, they are enabled again if
//! Redis permits that.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::StreamExt;
use redis::{
    Msg,
    aio::{PubSub, PubSubSink, PubSubStream},
    cmd,
};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::{self, Instant},
};
use tracing::{debug, info, warn};

use super::{
    RedisStore, checks,
    connection::Node,
    probe::{PROBE_TIMEOUT, Probe},
};
use crate::{
    store::{ServiceId, StoreError},
    telemetry::metrics::{
        GaugeGuard, KEYSPACE_LISTENERS_EXPECTED, KEYSPACE_LISTENERS_SUBSCRIBED, record_redis_check,
    },
};

/// What `notify-keyspace-events` must contain for the events of [`Node::notification_channels`]: keyevent
/// channels, and those three kinds.
pub(super) const REQUIRED_FLAGS: &str = "Egxe";
/// Pause before a subscription is made again.
const RESUBSCRIBE_DELAY: Duration = Duration::from_millis(500);
/// How often it is probed whether notifications arrive.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);
/// How often it is looked which servers there are.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

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
                let listener = NotificationListener {
                    node: Arc::clone(&node),
                    store: Arc::clone(self),
                    ended: ended.clone(),
                };
                let start = || listeners.spawn(listener.listen());
                by_server.entry(node.name()).or_insert_with(start);
            }
            while listeners.try_join_next().is_some() {}
            time::sleep(POLL_INTERVAL).await;
        }
    }
}

/// Listens to one server.
struct NotificationListener {
    node: Arc<Node>,
    store: Arc<RedisStore>,
    ended: mpsc::Sender<ServiceId>,
}

/// What a subscription has shown so far.
#[derive(Default)]
struct SubscriptionState {
    /// Whether notifications arrive; `None` before the first probe.
    arriving: Option<bool>,
    /// Counts this server among those that send notifications.
    gauge_guard: Option<GaugeGuard<'static>>,
    /// Why Redis does not let this service enable them, if so.
    enable_error: Option<String>,
}

impl NotificationListener {
    async fn listen(self) {
        let server = self.node.name();
        let _asked = KEYSPACE_LISTENERS_EXPECTED.track();
        let mut denied = false;
        loop {
            match self.subscribe().await {
                Ok(events) => {
                    denied = false;
                    info!(server, "listening for services that end");
                    let (mut sink, messages) = events.split();
                    self.process_messages(&mut sink, messages).await;
                    warn!(server, "no longer told of services that end");
                }
                Err(error @ StoreError::Denied(_)) if !denied => {
                    denied = true;
                    record_redis_check(checks::NOTIFICATIONS, &server, Some(false));
                    warn!(server, %error, "subscription to keyspace notifications denied");
                }
                Err(error) => debug!(server, %error, "cannot listen for services that end yet"),
            }
            time::sleep(RESUBSCRIBE_DELAY).await;
        }
    }

    async fn subscribe(&self) -> Result<PubSub, StoreError> {
        let mut events = self.node.subscriber().await?;
        let channels = self.node.notification_channels();
        let subscribed = events.subscribe(&channels);
        self.node.with_response_timeout(subscribed).await?;
        let changes = self.store.keys.catalog_channel();
        let subscribed = events.subscribe(&changes);
        if let Err(StoreError::Denied(reason) | StoreError::Bug(reason)) =
            self.node.with_response_timeout(subscribed).await
        {
            warn!(
                reason,
                "Redis does not let this service listen to {changes:?}: what operators change is in \
                 force here only when its version has been looked at"
            );
        }
        // What was changed before this connection stood was told to nobody.
        self.store.catalog_changed.notify_one();
        Ok(events)
    }

    /// Returns when the subscription no longer stands.
    async fn process_messages(&self, sink: &mut PubSubSink, mut messages: PubSubStream) {
        let mut known = SubscriptionState::default();
        let mut probe: Option<Probe> = None;
        let mut wake = Instant::now();
        self.enable_notifications(&mut known).await;
        loop {
            tokio::select! {
                message = messages.next() => {
                    let Some(message) = message else { return };
                    self.handle_message(&message, probe.as_mut());
                    if probe.as_ref().is_some_and(Probe::is_complete) {
                        probe = None;
                        wake = Instant::now() + PROBE_INTERVAL;
                        self.record_probe_result(&mut known, None);
                    }
                }
                () = time::sleep_until(wake) => {
                    if let Some(unheard) = probe.take() {
                        // Redis may be gone and nobody said so.
                        if self.node.with_response_timeout(sink.ping::<()>()).await.is_err() {
                            return;
                        }
                        self.record_probe_result(&mut known, Some(&unheard.missing()));
                        wake = Instant::now() + PROBE_INTERVAL;
                        if self.enable_notifications(&mut known).await {
                            wake = Instant::now();
                        }
                    } else {
                        let written = Probe::write(&self.store, &self.node).await;
                        if written.is_err() && self.node.with_response_timeout(sink.ping::<()>()).await.is_err() {
                            return;
                        }
                        let pause = if written.is_ok() { PROBE_TIMEOUT } else { PROBE_INTERVAL };
                        if written.is_err() && known.arriving.is_none() && known.enable_error.is_none() {
                            // It takes no writes for now; its configuration is all there is to go by.
                            self.record_probe_result(&mut known, None);
                        }
                        wake = Instant::now() + pause;
                        probe = written.ok();
                    }
                }
            }
        }
    }

    fn handle_message(&self, message: &Msg, probe: Option<&mut Probe>) {
        let channel = message.get_channel_name();
        if channel == self.store.keys.catalog_channel() {
            self.store.catalog_changed.notify_one();
            return;
        }
        let Ok(key) = message.get_payload::<String>() else {
            return;
        };
        if let Some(id) = self.store.keys.service_id(&key) {
            drop(self.ended.try_send(id));
        } else if let Some(probe) = probe {
            probe.record(channel, &key);
        }
    }

    /// Notes whether notifications arrive: `missing` are the events that did not.
    fn record_probe_result(&self, known: &mut SubscriptionState, missing: Option<&str>) {
        let (server, arrive) = (self.node.name(), missing.is_none());
        let before = known.arriving.replace(arrive);
        if before == Some(arrive) {
            return;
        }
        known.gauge_guard = arrive.then(|| KEYSPACE_LISTENERS_SUBSCRIBED.track());
        record_redis_check(checks::NOTIFICATIONS, &server, Some(arrive));
        match (before, missing) {
            (_, Some(missing)) => warn!(
                server,
                missing,
                refused = known.enable_error,
                "keyspace notifications do not arrive: set notify-keyspace-events to \"{REQUIRED_FLAGS}\" in \
                 Redis, or what services held is released only by the sweep"
            ),
            (Some(false), None) => info!(server, "keyspace notifications arrive again"),
            (_, None) => debug!(server, "keyspace notifications arrive"),
        }
    }

    /// Has Redis send what [`REQUIRED_FLAGS`] names, leaving other flags as they are; `true` where it did not
    /// before and does now. Where it does not permit that, an operator may have done it.
    async fn enable_notifications(&self, known: &mut SubscriptionState) -> bool {
        const NAME: &str = "notify-keyspace-events";
        let get = cmd("CONFIG").arg("GET").arg(NAME).to_owned();
        let mut set = cmd("CONFIG");
        let outcome = match self.node.query::<(String, String)>(&get).await {
            Ok((_, flags)) => {
                if flags_are_sufficient(&flags) {
                    known.enable_error = None;
                    return false;
                }
                set.arg("SET")
                    .arg(NAME)
                    .arg(format!("{flags}{REQUIRED_FLAGS}"));
                self.node.query::<()>(&set).await
            }
            Err(error) => Err(error),
        };
        known.enable_error = outcome.as_ref().err().map(ToString::to_string);
        outcome.is_ok()
    }
}

/// Whether `notify-keyspace-events` contains all of [`REQUIRED_FLAGS`].
pub(super) fn flags_are_sufficient(flags: &str) -> bool {
    let has = |flag| flags.contains(flag) || (flag != 'E' && flags.contains('A'));
    REQUIRED_FLAGS.chars().all(has)
}
