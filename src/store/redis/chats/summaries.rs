//! Reads the summaries of chats.

use std::vec::IntoIter;

use redis::cmd;
use tracing::warn;

use super::reply::parse_summary;
use crate::{
    model::{ServiceId, StoreError, chat::ChatSummary},
    store::redis::{RedisStore, keys},
};

impl RedisStore {
    /// The existing chats of these services, and those that are unreadable. One of these does not hide the others.
    pub(super) async fn readable_chats<'a>(
        &self,
        ids: &'a [ServiceId],
    ) -> Result<(Vec<ChatSummary>, Vec<&'a ServiceId>), StoreError> {
        // The chat of a service that was deleted exists until the cleanup.
        let read = |id| {
            let mut service = cmd("HMGET");
            service.arg(self.keys.service(id)).arg(keys::END);
            let mut chat = cmd("HMGET");
            chat.arg(self.keys.chat(id)).arg(&keys::CHAT_SUMMARY);
            [service, chat]
        };
        let replies = self.query_each(ids.iter().flat_map(read).collect()).await?;
        let mut replies: IntoIter<Vec<Option<String>>> = replies.into_iter();
        let mut summaries = Vec::with_capacity(ids.len());
        let mut unreadable = Vec::new();
        for id in ids {
            let key = self.keys.chat(id);
            let (Some(service), Some(chat)) = (replies.next(), replies.next()) else {
                break;
            };
            let is_active = service.iter().any(Option::is_some);
            let parsed = match parse_summary(id, chat) {
                Ok(parsed) => parsed,
                Err(error) => {
                    warn!(id = %id.redacted(), %error, "unreadable chat omitted");
                    unreadable.push(id);
                    continue;
                }
            };
            if let Some(mut summary) = parsed.filter(|_| is_active) {
                summary.started = self.redis.translate_from_server(&key, summary.started)?;
                summary.last_event = self.redis.translate_from_server(&key, summary.last_event)?;
                summaries.push(summary);
            }
        }
        Ok((summaries, unreadable))
    }
}
