//! The subscriptions to keyspace notifications about ended services: one to every server that has data,
//! because each server notifies only about its own keys. The same connections receive the notifications
//! about catalog changes and requested statuses. The list of servers is updated once a second.
//!
//! Every few seconds a [`Probe`] verifies that notifications arrive, because the server may not follow
//! its configuration or may not permit reading it. If notifications stop, they are enabled again if
//! Redis permits it.

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
    replicas::STATUS_MESSAGE,
};
use crate::model::{
    CheckResult, ServiceId, StoreError, cleanup_status::ListenerGuard, storage_signal_id,
};

/// The flags that `notify-keyspace-events` must contain for the channels of
/// [`Node::notification_channels`]: keyevent channels, and three kinds of events.
pub(super) const REQUIRED_FLAGS: &str = "Egxe";
/// The pause before a new subscription.
const RESUBSCRIBE_DELAY: Duration = Duration::from_millis(500);
/// The interval of probes.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);
/// The interval at which the list of servers is updated.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

impl RedisStore {
    /// Sends the ids of ended services until the future is dropped. If the queue is full, ids are
    /// dropped; the sweep finds them.
    pub(super) async fn listen(self: &Arc<Self>, ended: mpsc::Sender<ServiceId>) {
        let mut listeners = JoinSet::new();
        let mut by_server: HashMap<String, AbortHandle> = HashMap::new();
        loop {
            let nodes = self.redis.nodes();
            let is_current = |name: &String| nodes.iter().any(|node| node.name() == *name);
            by_server.retain(|name, listener| {
                let is_active = is_current(name) && !listener.is_finished();
                if !is_active {
                    listener.abort();
                }
                is_active
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

/// The state of a subscription.
#[derive(Default)]
struct SubscriptionState {
    /// Whether notifications arrive; `None` before the first probe.
    arriving: Option<bool>,
    /// Counts this server as one that sends notifications.
    receiving: Option<ListenerGuard>,
    /// Why Redis did not permit enabling them, if so.
    enable_error: Option<String>,
}

impl NotificationListener {
    async fn listen(self) {
        let server = self.node.name();
        let _expected = self.store.cleanup.expect_notifications();
        let mut denied = false;
        loop {
            match self.subscribe().await {
                Ok(events) => {
                    denied = false;
                    info!(server, "keyspace notifications subscribed");
                    let (mut sink, messages) = events.split();
                    self.process_messages(&mut sink, messages).await;
                    warn!(server, "keyspace notification subscription lost");
                }
                Err(error @ StoreError::Denied(_)) if !denied => {
                    denied = true;
                    let detail = "the subscription is denied";
                    let row = checks::notifications_row(&server, CheckResult::Fail, detail);
                    self.store.metrics.record_check(&row);
                    warn!(server, %error, "subscription to keyspace notifications denied");
                }
                Err(error) => debug!(server, %error, "keyspace notification subscription failed"),
            }
            time::sleep(RESUBSCRIBE_DELAY).await;
        }
    }

    async fn subscribe(&self) -> Result<PubSub, StoreError> {
        let mut events = self.node.subscriber().await?;
        let channels = self.node.notification_channels();
        let subscribed = events.subscribe(&channels);
        self.node.with_response_timeout(subscribed).await?;
        for channel in [
            self.store.keys.catalog_channel(),
            self.store.keys.chat_channel(),
        ] {
            let subscribed = events.subscribe(&channel);
            if let Err(StoreError::Denied(reason) | StoreError::Bug(reason)) =
                self.node.with_response_timeout(subscribed).await
            {
                warn!(
                    channel,
                    reason, "subscription to changes denied; they take effect at the next poll"
                );
            }
        }
        // Notifications before this subscription were not received.
        self.store.catalog_changed.notify_one();
        self.store.chat_signals.send_lost();
        Ok(events)
    }

    /// Returns when the subscription is lost.
    async fn process_messages(&self, sink: &mut PubSubSink, mut messages: PubSubStream) {
        let mut state = SubscriptionState::default();
        let mut probe: Option<Probe> = None;
        let mut wake = Instant::now();
        self.enable_notifications(&mut state).await;
        loop {
            tokio::select! {
                message = messages.next() => {
                    let Some(message) = message else { return };
                    self.handle_message(&message, probe.as_mut());
                    if probe.as_ref().is_some_and(Probe::is_complete) {
                        probe = None;
                        wake = Instant::now() + PROBE_INTERVAL;
                        self.record_probe_result(&mut state, None);
                    }
                }
                () = time::sleep_until(wake) => {
                    if let Some(expired) = probe.take() {
                        // Redis may be gone without closing the connection.
                        if !self.is_responding(sink).await {
                            return;
                        }
                        self.record_probe_result(&mut state, Some(&expired.missing()));
                        wake = Instant::now() + PROBE_INTERVAL;
                        if self.enable_notifications(&mut state).await {
                            wake = Instant::now();
                        }
                    } else {
                        let written = Probe::write(&self.store, &self.node).await;
                        if written.is_err() && !self.is_responding(sink).await {
                            return;
                        }
                        let pause = if written.is_ok() { PROBE_TIMEOUT } else { PROBE_INTERVAL };
                        if written.is_err() && state.arriving.is_none() && state.enable_error.is_none() {
                            // The server accepts no writes for now; only its configuration can be
                            // evaluated.
                            self.record_probe_result(&mut state, None);
                        }
                        wake = Instant::now() + pause;
                        probe = written.ok();
                    }
                }
            }
        }
    }

    /// Whether the server responds to the subscription. Subscribing again has no effect. `PING` is not sent, because
    /// Redis rejects it while it accepts no writes (`MISCONF`), although it sends notifications.
    async fn is_responding(&self, sink: &mut PubSubSink) -> bool {
        let [channel, ..] = self.node.notification_channels();
        let subscribed = sink.subscribe(channel);
        self.node.with_response_timeout(subscribed).await.is_ok()
    }

    fn handle_message(&self, message: &Msg, probe: Option<&mut Probe>) {
        let channel = message.get_channel_name();
        if channel == self.store.keys.catalog_channel() {
            let changed = if message.get_payload_bytes() == STATUS_MESSAGE.as_bytes() {
                &self.store.status_requested
            } else {
                &self.store.catalog_changed
            };
            changed.notify_one();
            return;
        }
        let Ok(key) = message.get_payload::<String>() else {
            return;
        };
        if channel == self.store.keys.chat_channel() {
            // Changes of storages name the Redis key of the service.
            let storage = self.store.keys.service_id(&key);
            let signal = storage.map(|id| storage_signal_id(&id));
            let signal = signal.unwrap_or_else(|| ServiceId::from(key));
            self.store.chat_signals.send(signal);
            return;
        }
        if let Some(id) = self.store.keys.service_id(&key) {
            drop(self.ended.try_send(id));
        } else if let Some(probe) = probe {
            probe.record(channel, &key);
        }
    }

    /// Records whether notifications arrive; `missing` lists the events that did not.
    fn record_probe_result(&self, state: &mut SubscriptionState, missing: Option<&str>) {
        let (server, arrive) = (self.node.name(), missing.is_none());
        let previous = state.arriving.replace(arrive);
        if previous == Some(arrive) {
            return;
        }
        let store = &self.store;
        state.receiving = arrive.then(|| store.cleanup.receive_notifications());
        let (result, detail) = match missing {
            None => (CheckResult::Pass, String::new()),
            Some(missing) => (
                CheckResult::Fail,
                format!("events do not arrive: {missing}"),
            ),
        };
        let row = checks::notifications_row(&server, result, &detail);
        store.metrics.record_check(&row);
        match (previous, missing) {
            (_, Some(missing)) => warn!(
                server,
                missing,
                denied = state.enable_error,
                "keyspace notifications do not arrive: set notify-keyspace-events to \"{REQUIRED_FLAGS}\" in \
                 Redis, otherwise only the sweep releases resources of ended services"
            ),
            (Some(false), None) => info!(server, "keyspace notifications arrive again"),
            (_, None) => debug!(server, "keyspace notifications arrive"),
        }
    }

    /// Enables the notifications of [`REQUIRED_FLAGS`] and leaves other flags as they are. Returns
    /// `true` if they were disabled and are enabled now. If Redis does not permit it, an operator may
    /// have enabled them.
    async fn enable_notifications(&self, state: &mut SubscriptionState) -> bool {
        const NAME: &str = "notify-keyspace-events";
        let get = cmd("CONFIG").arg("GET").arg(NAME).to_owned();
        let mut set = cmd("CONFIG");
        let outcome = match self.node.query::<(String, String)>(&get).await {
            Ok((_, flags)) => {
                if flags_are_sufficient(&flags) {
                    state.enable_error = None;
                    return false;
                }
                set.arg("SET")
                    .arg(NAME)
                    .arg(format!("{flags}{REQUIRED_FLAGS}"));
                self.node.query::<()>(&set).await
            }
            Err(error) => Err(error),
        };
        state.enable_error = outcome.as_ref().err().map(ToString::to_string);
        outcome.is_ok()
    }
}

/// Whether `notify-keyspace-events` contains all of [`REQUIRED_FLAGS`].
pub(super) fn flags_are_sufficient(flags: &str) -> bool {
    let has = |flag| flags.contains(flag) || (flag != 'E' && flags.contains('A'));
    REQUIRED_FLAGS.chars().all(has)
}
