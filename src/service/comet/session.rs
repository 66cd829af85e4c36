//! Processing of the messages of a request.

use std::{mem, sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{
    client::CometClient,
    delivery,
    message::{Channel, CometMessage},
    reply::{CometReplies, PUSH_CHANNEL, Reply, random_hex},
    waiting::WaitingConnect,
};
use crate::{
    model::comet::{CometReceipt, CometReply, CometSession, CometSessionId, CometUser},
    service::{ServiceContext, ServiceError},
};

/// The version of the protocol.
const VERSION: &str = "1.0";
const CONNECTION_TYPES: [&str; 2] = ["websocket", "long-polling"];
/// The patterns that match the channel of pushed chats.
const PATTERNS: [&str; 3] = [PUSH_CHANNEL, "/*", "/**"];
/// The milliseconds after which a client connects again if its connect could not wait.
const BUSY_INTERVAL: u64 = 5_000;
/// The same while the replica drains.
const DRAINING_INTERVAL: u64 = 1_000;

/// The processing of a request.
pub(super) struct SessionRequest<'a> {
    pub(super) context: &'a Arc<ServiceContext>,
    pub(super) client: &'a CometClient,
    /// Whether a connect can wait.
    pub(super) may_wait: bool,
    /// The connect that waits.
    pub(super) waiting: Option<Box<WaitingConnect>>,
    /// Whether a session was closed.
    pub(super) closes: bool,
    /// Whether a connect was processed.
    pub(super) has_connected: bool,
}

impl SessionRequest<'_> {
    /// Opens a session.
    pub(super) async fn handshake(&self, message: &CometMessage) -> Result<Reply, ServiceError> {
        let reply = Reply::new(message)
            .with("version", VERSION)
            .with("supportedConnectionTypes", json!(CONNECTION_TYPES));
        if message.supports_no_type(&CONNECTION_TYPES) {
            let failed = reply.failed(400, "", "unsupported_connection_types");
            return Ok(failed.with_none());
        }
        let comet = &self.context.comet;
        let user = self.client.user.clone();
        let user = user.unwrap_or_else(|| CometUser::from_digest(&random_hex()));
        let id = CometSessionId::new(user, random_hex());
        let has_ack = message.offers_ack();
        let ttl = comet.settings.max_interval;
        self.context.store.open_session(&id, has_ack, ttl).await?;
        comet.metrics.count_handshake();
        let mut reply = reply.with_client(&id).with_retry(&comet.settings, 0);
        if has_ack {
            reply = reply.with("ext", json!({"ack": true}));
        }
        Ok(reply)
    }

    /// Processes any other message.
    pub(super) async fn process(
        &mut self,
        message: &CometMessage,
        replies: &mut CometReplies,
    ) -> Result<(), ServiceError> {
        match message.channel() {
            Channel::Connect => return self.connect(message, replies).await,
            Channel::Disconnect => replies.push(&self.disconnect(message).await?),
            Channel::Subscribe => replies.push(&self.subscribe(message, true).await?),
            Channel::Unsubscribe => replies.push(&self.subscribe(message, false).await?),
            Channel::Other(channel) => {
                let denied = Reply::new(message).failed(403, channel, "publish_denied");
                replies.push(&denied);
            }
            Channel::Handshake | Channel::Invalid => {
                replies.push(&Reply::new(message).failed(400, "", "channel_missing"));
            }
        }
        Ok(())
    }

    async fn disconnect(&mut self, message: &CometMessage) -> Result<Reply, ServiceError> {
        let reply = Reply::new(message);
        let Some(id) = self.client.session(message.client_id()) else {
            return Ok(reply);
        };
        let position = message.transcript_position();
        self.context.store.close_session(&id, position).await?;
        self.closes = true;
        Ok(reply.with_client(&id))
    }

    async fn subscribe(
        &self,
        message: &CometMessage,
        subscribed: bool,
    ) -> Result<Reply, ServiceError> {
        let mut reply = Reply::new(message);
        let Some(channels) = message.subscriptions() else {
            return Ok(reply.failed(400, "", "subscription_invalid"));
        };
        if let Some(subscription) = message.subscription() {
            reply = reply.with("subscription", Value::clone(subscription));
        }
        let Some(id) = self.client.session(message.client_id()) else {
            return Ok(reply.unknown_session());
        };
        let patterns = channels.into_iter().filter(|name| PATTERNS.contains(name));
        let patterns: Vec<String> = patterns.map(str::to_owned).collect();
        let store = &self.context.store;
        if store.set_subscription(&id, &patterns, subscribed).await? {
            return Ok(reply.with_client(&id));
        }
        Ok(reply.unknown_session())
    }

    /// Begins a connect: it is answered at once, or waits.
    async fn connect(
        &mut self,
        message: &CometMessage,
        replies: &mut CometReplies,
    ) -> Result<(), ServiceError> {
        let reply = Reply::new(message);
        // Each one would read and return the same events again.
        if mem::replace(&mut self.has_connected, true) {
            replies.push(&reply.failed(400, "", "one_connect_per_request"));
            return Ok(());
        }
        let Some(id) = self.client.session(message.client_id()) else {
            replies.push(&reply.unknown_session().with_handshake());
            return Ok(());
        };
        let comet = &self.context.comet;
        let is_draining = comet.readiness.is_draining();
        let wants_to_wait = self.may_wait && !message.has_zero_timeout() && self.waiting.is_none();
        let permit = comet.metrics.track_waiting(comet.settings.max_connections);
        let permit = permit.filter(|_| wants_to_wait && !is_draining);
        let (wait, interval) = match &permit {
            Some(_) => (comet.settings.timeout, 0),
            None if is_draining => (Duration::ZERO, DRAINING_INTERVAL),
            None if wants_to_wait => (Duration::ZERO, BUSY_INTERVAL),
            None => (Duration::ZERO, 0),
        };
        // Registered first, so that no signal is missed.
        let signal = self.context.change_listeners.listen(&id.user.signal_id());
        let receipt = receipt(message);
        let ttl = comet.settings.max_interval;
        let connected = self.context.store.connect_session(&id, receipt, wait, ttl);
        let CometReply::Done(session) = connected.await? else {
            replies.push(&reply.unknown_session().with_handshake());
            return Ok(());
        };
        let reply = reply.with_client(&id).with_retry(&comet.settings, interval);
        // The first connect of a session is answered at once.
        if let Some(permit) = permit.filter(|_| session.generation > 1) {
            let (context, transport) = (Arc::clone(self.context), self.client.transport);
            let connect = delivery::Connect {
                context,
                id,
                session,
                reply,
                transport,
            };
            self.waiting = Some(Box::new(WaitingConnect::new(connect, signal, wait, permit)));
            return Ok(());
        }
        self.answer_at_once(id, session, reply, replies).await
    }

    async fn answer_at_once(
        &self,
        id: CometSessionId,
        session: CometSession,
        reply: Reply,
        replies: &mut CometReplies,
    ) -> Result<(), ServiceError> {
        let connect = delivery::Connect {
            context: Arc::clone(self.context),
            id,
            session,
            reply,
            transport: self.client.transport,
        };
        let batch = connect.collect().await?;
        match connect.send(batch).await? {
            Some(pushed) => replies.extend(pushed),
            None => replies.push(&connect.empty_reply()),
        }
        Ok(())
    }
}

/// What a connect says about the batch before it. Clients ask for an immediate reply after they received none.
fn receipt(message: &CometMessage) -> CometReceipt {
    if let Some(number) = message.received_batch() {
        return CometReceipt::Batch(number);
    }
    if message.has_zero_timeout() || message.has_received_nothing() {
        CometReceipt::NotReceived
    } else {
        CometReceipt::Received
    }
}
