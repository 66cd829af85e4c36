//! Delivery of events with the response to a connect.

use std::{sync::Arc, time::Duration};

use futures_util::future;
use serde_json::{json, value::RawValue};

use super::reply::{self, CometReplies, Reply};
use crate::{
    model::{
        ServiceId, Timestamp,
        chat::{ChatAction, ChatReply, ChatWindow},
        comet::{CometChat, CometReply, CometSession, CometSessionId, SentChat},
    },
    service::{ServiceContext, ServiceError},
    telemetry::metrics::CometTransport,
};

/// The size of a batch after which no more chats are added.
const MAX_BATCH_BYTES: usize = 256 * 1024;

/// A connect that has begun.
pub(super) struct Connect {
    pub(super) context: Arc<ServiceContext>,
    pub(super) id: CometSessionId,
    pub(super) session: CometSession,
    /// The reply without pushes.
    pub(super) reply: Reply,
    pub(super) transport: CometTransport,
}

/// What a connect can deliver.
#[derive(Default)]
pub(super) struct Batch {
    sent: Vec<SentChat>,
    pushes: Vec<Box<RawValue>>,
    ended: Vec<ServiceId>,
    /// The size of the pushes.
    bytes: usize,
    /// The time of the last event.
    pub(super) last_event: Option<Timestamp>,
    /// The time after which a client is absent, unless its chats are read again.
    pub(super) client_timeout: Option<Duration>,
}

impl Connect {
    /// Reads the chats of the session after the positions that the client has received. The client counts as present.
    pub(super) async fn collect(&self) -> Result<Batch, ServiceError> {
        let reads = self.session.chats.iter().map(|chat| self.read(chat));
        let mut batch = Batch::default();
        for (chat, reply) in self.session.chats.iter().zip(future::join_all(reads).await) {
            batch.add(chat, reply?)?;
        }
        if !self.session.is_subscribed {
            batch.sent.clear();
            batch.pushes.clear();
        }
        Ok(batch)
    }

    async fn read(&self, chat: &CometChat) -> Result<ChatReply, ServiceError> {
        let window = ChatWindow::After(chat.position);
        let store = &self.context.store;
        let read = store.update_chat(&chat.service, &ChatAction::ClientPresent, window);
        Ok(read.await?)
    }

    /// Records a batch and returns its messages with the reply; `None` if there is nothing to send.
    pub(super) async fn send(&self, batch: Batch) -> Result<Option<CometReplies>, ServiceError> {
        if batch.sent.is_empty() && batch.ended.is_empty() {
            return Ok(None);
        }
        let generation = self.session.generation;
        let store = &self.context.store;
        let recorded = store.record_sent(&self.id, generation, &batch.sent, &batch.ended);
        let mut replies = CometReplies::default();
        match recorded.await? {
            CometReply::Done(_) if batch.sent.is_empty() => return Ok(None),
            CometReply::Done(number) => {
                let metrics = &self.context.comet.metrics;
                metrics.count_pushes(self.transport, batch.pushes.len());
                for push in batch.pushes {
                    replies.push_raw(push);
                }
                replies.push(&self.reply_with_batch(number));
            }
            // The client has closed the session, and ignores the advice to connect again; or the store has lost it, and
            // the next connect is advised to open a new one.
            CometReply::Superseded | CometReply::Unknown => replies.push(&self.empty_reply()),
        }
        Ok(Some(replies))
    }

    /// The reply without a batch.
    pub(super) fn empty_reply(&self) -> Reply {
        self.reply_with_batch(self.session.batch)
    }

    fn reply_with_batch(&self, number: u64) -> Reply {
        let reply = self.reply.clone();
        if self.session.has_ack {
            return reply.with("ext", json!({"ack": number}));
        }
        reply
    }
}

impl Batch {
    fn add(&mut self, chat: &CometChat, reply: ChatReply) -> Result<(), ServiceError> {
        let chat_now = match reply {
            ChatReply::ServiceNotFound => {
                self.ended.push(chat.service.clone());
                return Ok(());
            }
            ChatReply::NotStarted(_) => return Ok(()),
            ChatReply::Chat(_, chat_now) => chat_now,
        };
        let is_last = chat_now.has_ended();
        if !is_last {
            let timeout = self.client_timeout.unwrap_or(chat_now.client_timeout);
            self.client_timeout = Some(timeout.min(chat_now.client_timeout));
        }
        if chat_now.events.is_empty() && !is_last {
            return Ok(());
        }
        // The next connect returns the others.
        if self.bytes >= MAX_BATCH_BYTES {
            return Ok(());
        }
        let push = reply::push(&chat.service, &chat_now)?;
        self.bytes += push.get().len();
        self.pushes.push(push);
        self.sent.push(SentChat {
            service: chat.service.clone(),
            position: chat_now.position(),
            is_last,
        });
        self.last_event = self.last_event.max(Some(chat_now.last_event));
        Ok(())
    }
}
