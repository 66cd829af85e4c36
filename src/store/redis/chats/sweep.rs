//! The sweep of the lists of chats. The lists are in a slot of their own and not authoritative: the sweep removes
//! entries of chats that do not exist, and moves those that have ended. It also detects absent clients and counts chats.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use redis::cmd;
use tracing::debug;

use super::{reply::ParsedReply, service_of};
use crate::{
    model::{
        Cursor, ServiceId, StoreError, Timestamp,
        chat::{ChatAction, ChatState, ChatSummary, ChatWindow},
        cleanup_status::ChatCounts,
    },
    store::redis::{
        RedisStore, keys,
        scripts::{PAGE, RESCHEDULE_CLEANUP, evalsha},
        service_list::split_page,
    },
};

/// The number of chats per pipeline.
const BATCH: usize = 500;
/// The time after which an entry without a chat is removed; a start adds the entry first.
const START_GRACE: Duration = Duration::from_secs(60);

impl RedisStore {
    /// Reads a page of a list of chats.
    pub(super) async fn chat_list_page(
        &self,
        ended: bool,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<(Vec<Cursor>, Option<Cursor>), StoreError> {
        let mut page = evalsha(&PAGE, &[self.keys.chat_list(ended)]);
        let (start, name) = after.map_or((0, ""), |after| (after.end.millis(), &after.name));
        page.arg(start).arg(name).arg(limit + 1);
        Ok(split_page(self.redis.query(&page).await?, limit))
    }

    /// Sweeps all open chats, and counts them by definition.
    pub(in crate::store::redis) async fn sweep_chats(
        &self,
    ) -> Result<BTreeMap<String, ChatCounts>, StoreError> {
        let mut counts: BTreeMap<String, ChatCounts> = BTreeMap::new();
        let mut after = None;
        loop {
            let (entries, next) = self.chat_list_page(false, after.as_ref(), BATCH).await?;
            let ids: Vec<ServiceId> = entries.iter().map(service_of).collect();
            let (chats, unreadable) = self.readable_chats(&ids).await?;
            for chat in &chats {
                let counts = counts.entry(chat.definition.clone()).or_default();
                match chat.state {
                    ChatState::Waiting => counts.waiting += 1,
                    ChatState::Active => counts.active += 1,
                    ChatState::Ended => self.list_as_ended(&chat.id, chat.started).await?,
                }
            }
            self.remove_missing(false, &entries, &chats, &unreadable)
                .await?;
            self.expire_absent_clients(&chats).await?;
            after = next;
            if after.is_none() {
                return Ok(counts);
            }
        }
    }

    /// Sweeps the ended chats after a cursor, and returns the next cursor. The cleanup of their services removes them
    /// from the list; this removes those whose record of it was lost.
    pub(in crate::store::redis) async fn sweep_ended_chats(
        &self,
        after: Option<Cursor>,
    ) -> Result<Option<Cursor>, StoreError> {
        let (entries, next) = self.chat_list_page(true, after.as_ref(), BATCH).await?;
        let ids: Vec<ServiceId> = entries.iter().map(service_of).collect();
        let (chats, unreadable) = self.readable_chats(&ids).await?;
        self.remove_missing(true, &entries, &chats, &unreadable)
            .await?;
        Ok(next)
    }

    /// Removes the entries of chats that do not exist. A newer version may read those that are unreadable.
    async fn remove_missing(
        &self,
        ended: bool,
        entries: &[Cursor],
        chats: &[ChatSummary],
        unreadable: &[&ServiceId],
    ) -> Result<(), StoreError> {
        let existing = chats.iter().map(|chat| &chat.id);
        let existing = existing.chain(unreadable.iter().copied());
        let existing: HashSet<&str> = existing.map(ServiceId::as_str).collect();
        let before = self.redis.now()?.before(START_GRACE);
        let missing = entries
            .iter()
            .filter(|entry| !existing.contains(entry.name.as_str()));
        let remove = missing.filter(|entry| entry.end < before).map(|entry| {
            // Unless it was added again meanwhile, with another time.
            let mut remove = evalsha(&RESCHEDULE_CLEANUP, &[self.keys.chat_list(ended)]);
            remove.arg(&entry.name).arg(entry.end.millis()).arg("");
            remove
        });
        self.redis.pipeline_unordered(remove.collect()).await?;
        Ok(())
    }

    /// Writes the events that clients have left which were absent for too long.
    async fn expire_absent_clients(&self, chats: &[ChatSummary]) -> Result<(), StoreError> {
        let open = chats.iter().filter(|chat| chat.state != ChatState::Ended);
        let open: Vec<&ChatSummary> = open.collect();
        let presence = open.iter().map(|chat| {
            let mut read = cmd("HMGET");
            read.arg(self.keys.chat(&chat.id)).arg(&keys::CHAT_PRESENCE);
            read
        });
        let presence: Vec<(Option<u8>, Option<i64>, Option<u64>)> =
            self.query_each(presence.collect()).await?;
        let mut timeouts = Vec::new();
        for (chat, presence) in open.iter().zip(presence) {
            let (Some(1), Some(seen), Some(timeout)) = presence else {
                continue;
            };
            let absent_at = Timestamp::from_millis(seen).after(Duration::from_millis(timeout));
            if absent_at <= self.redis.now_at(&self.keys.chat(&chat.id))? {
                let window = ChatWindow::After(chat.last);
                timeouts.push(self.update_command(
                    &chat.id,
                    &ChatAction::ClientTimeout,
                    window,
                    false,
                ));
            }
        }
        // The script checks again. One that fails, such as in a Redis without free memory, is repeated by the next sweep.
        if let Err(error) = self.query_each::<ParsedReply>(timeouts).await {
            debug!(%error, "absent clients of chats not removed");
        }
        Ok(())
    }
}
