//! Connects that wait for events.

use std::time::Duration;

use futures_util::{FutureExt, future};
use prometheus_client::metrics::gauge::Gauge;
use tokio::time::{self, Instant};

use super::{delivery::Connect, reply::CometReplies};
use crate::{
    model::comet::CometReply,
    service::{ChangeListener, ServiceError},
    telemetry::metrics::GaugeGuard,
};

/// The minimum time between two reads only to keep the client present.
const MIN_PRESENCE_INTERVAL: Duration = Duration::from_secs(1);

/// A connect that waits for an event, for a later connect, or for its timeout.
pub struct WaitingConnect {
    connect: Connect,
    signal: ChangeListener,
    deadline: Instant,
    _permit: GaugeGuard<Gauge>,
}

/// Why a connect wakes.
enum Wake {
    /// A chat may have changed, or is to be read to keep the client present.
    Chats,
    /// The session may have changed.
    Session,
    Timeout,
}

impl WaitingConnect {
    pub(super) fn new(
        connect: Connect,
        signal: ChangeListener,
        wait: Duration,
        permit: GaugeGuard<Gauge>,
    ) -> Self {
        Self {
            connect,
            signal,
            deadline: Instant::now() + wait,
            _permit: permit,
        }
    }

    /// Waits, and returns the reply with the events before it.
    ///
    /// # Errors
    /// [`ServiceError::Store`]. The client has not received the events then, and connects again.
    pub async fn wait(mut self) -> Result<CometReplies, ServiceError> {
        let mut listeners = self.listen();
        let mut is_first = true;
        loop {
            let batch = self.connect.collect().await?;
            let last_event = batch.last_event;
            let presence = batch.client_timeout;
            if let Some(replies) = self.connect.send(batch).await? {
                if let Some(last_event) = last_event.filter(|_| !is_first) {
                    self.record_delay(last_event);
                }
                return Ok(replies);
            }
            is_first = false;
            if self.connect.context.comet.readiness.is_draining() {
                return Ok(single(&self.connect.empty_reply()));
            }
            match self.wake(&mut listeners, presence).await {
                Wake::Chats => {}
                Wake::Timeout => return Ok(single(&self.connect.empty_reply())),
                Wake::Session => {
                    if let Some(replies) = self.refresh().await? {
                        return Ok(replies);
                    }
                    listeners = self.listen();
                }
            }
        }
    }

    /// Registers listeners to the chats. To be called before they are read.
    fn listen(&self) -> Vec<ChangeListener> {
        let chats = self.connect.session.chats.iter();
        let listeners = &self.connect.context.change_listeners;
        chats.map(|chat| listeners.listen(&chat.service)).collect()
    }

    async fn wake(&mut self, listeners: &mut [ChangeListener], presence: Option<Duration>) -> Wake {
        let presence = presence.map(|timeout| (timeout / 2).max(MIN_PRESENCE_INTERVAL));
        let read_at = presence.map(|interval| Instant::now() + interval);
        let until = read_at.unwrap_or(self.deadline).min(self.deadline);
        let changed = async {
            if listeners.is_empty() {
                return future::pending().await;
            }
            let all = listeners.iter_mut();
            future::select_all(all.map(|listener| listener.changed().boxed())).await;
        };
        tokio::select! {
            biased;
            () = self.signal.changed() => Wake::Session,
            () = changed => Wake::Chats,
            () = time::sleep_until(until) => {
                if until == self.deadline { Wake::Timeout } else { Wake::Chats }
            }
        }
    }

    /// Reads the session again. Returns the reply if the connect has ended.
    async fn refresh(&mut self) -> Result<Option<CometReplies>, ServiceError> {
        let Connect {
            context,
            id,
            session,
            ..
        } = &self.connect;
        let refreshed = context.store.refresh_session(id, session.generation);
        match refreshed.await? {
            CometReply::Done(session) => {
                self.connect.session = session;
                Ok(None)
            }
            // See `Connect::send`.
            CometReply::Superseded | CometReply::Unknown => {
                Ok(Some(single(&self.connect.empty_reply())))
            }
        }
    }

    fn record_delay(&self, last_event: crate::model::Timestamp) {
        let context = &self.connect.context;
        if let Ok(now) = context.store.now() {
            context.comet.metrics.record_delay(now.since(last_event));
        }
    }
}

/// The replies of a connect without events.
fn single(reply: &super::reply::Reply) -> CometReplies {
    let mut replies = CometReplies::default();
    replies.push(reply);
    replies
}
