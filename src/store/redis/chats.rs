//! Chats: the hash `chat:{id}` in the slot of its service. One script performs an action, assigns positions, stores
//! events and notifies listeners.

use std::time::Duration;

use async_trait::async_trait;
use redis::{Cmd, cmd};
use tracing::debug;

use self::reply::ParsedReply;
use super::{
    RedisStore, keys,
    script_reply::to_revision,
    scripts::{RENEW_AGENT, evalsha},
};
use crate::{
    model::{
        Cursor, ServiceId, StoreError, Timestamp,
        chat::{
            ChatAction, ChatReply, ChatSignal, ChatState, ChatSummary, ChatVersion, ChatWindow,
            ListedChats, NewChat,
        },
        comet::CometUser,
        service_of_storage_signal,
    },
    store::{ChatSignalSource, ChatStore, webhook_hub::Outbox},
};

mod commands;
mod reply;
mod summaries;
mod sweep;

/// The TTL of the table of available agents after the last change.
const AGENTS_TTL: Duration = Duration::from_secs(3_600);

#[async_trait]
impl ChatStore for RedisStore {
    async fn start_chat(&self, id: &ServiceId, chat: &NewChat) -> Result<ChatReply, StoreError> {
        let mut reply = self.send_start(id, chat, false).await?;
        if matches!(reply, ParsedReply::OutboxNeeded) {
            reply = self.send_start(id, chat, true).await?;
            self.webhooks.relay(Outbox::Service(id.clone()));
        }
        self.list(id, reply, false).await
    }

    async fn update_chat(
        &self,
        id: &ServiceId,
        action: &ChatAction,
        window: ChatWindow,
    ) -> Result<ChatReply, StoreError> {
        let mut reply = self.send_update(id, action, window, false).await?;
        if matches!(reply, ParsedReply::OutboxNeeded) {
            reply = self.send_update(id, action, window, true).await?;
            self.webhooks.relay(Outbox::Service(id.clone()));
        }
        let ends = matches!(action, ChatAction::ClientEnd(_) | ChatAction::AgentEnd(_));
        self.list(id, reply, ends).await
    }

    async fn chat_versions(
        &self,
        ids: &[ServiceId],
    ) -> Result<Vec<Option<ChatVersion>>, StoreError> {
        let read = |id| {
            let mut read = cmd("HMGET");
            if let Some(user) = CometUser::from_signal_id(id) {
                read.arg(self.keys.comet_user(&user));
                read.arg(&keys::COMET_VERSION);
            } else if let Some(id) = service_of_storage_signal(id) {
                read.arg(self.keys.service(&id));
                read.arg(&keys::STORAGE_VERSION);
            } else {
                read.arg(self.keys.chat(id)).arg(&keys::CHAT_VERSION);
            }
            read
        };
        let all = self.query_each(ids.iter().map(read).collect()).await?;
        let versions = all.into_iter().zip(ids);
        Ok(versions
            .map(|(fields, id)| to_version(id, fields))
            .collect())
    }

    async fn list_chats(
        &self,
        ended: bool,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<ListedChats, StoreError> {
        let (cursors, next) = self.chat_list_page(ended, after, limit).await?;
        let ids: Vec<ServiceId> = cursors.iter().map(service_of).collect();
        let mut chats = self.chat_summaries(&ids).await?;
        chats.retain(|chat| (chat.state == ChatState::Ended) == ended);
        Ok(ListedChats { chats, next })
    }

    async fn chat_summaries(&self, ids: &[ServiceId]) -> Result<Vec<ChatSummary>, StoreError> {
        Ok(self.readable_chats(ids).await?.0)
    }

    async fn set_agent_availability(
        &self,
        agent: &str,
        definitions: Option<&[String]>,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let key = self.keys.chat_agents();
        let Some(definitions) = definitions else {
            return self.redis.query(cmd("HDEL").arg(key).arg(agent)).await;
        };
        let until = self.redis.now()?.after(ttl).millis();
        let mut set = cmd("HSET");
        set.arg(&key).arg(agent);
        set.arg(format!("{until}\n{}", definitions.join("\n")));
        let expire = cmd("EXPIRE").arg(&key).arg(AGENTS_TTL.as_secs()).to_owned();
        self.redis.pipeline_ordered(vec![set, expire]).await?;
        Ok(())
    }

    async fn renew_agent_availability(
        &self,
        agent: &str,
        ttl: Duration,
    ) -> Result<Option<Vec<String>>, StoreError> {
        let now = self.redis.now()?;
        let mut renew = evalsha(&RENEW_AGENT, &[self.keys.chat_agents()]);
        renew.arg(agent).arg(now.millis());
        renew.arg(now.after(ttl).millis()).arg(AGENTS_TTL.as_secs());
        let definitions: Option<String> = self.redis.query(&renew).await?;
        let lines = |text: String| text.lines().skip(1).map(str::to_owned).collect();
        Ok(definitions.map(lines))
    }

    async fn available_agents(&self) -> Result<Vec<(String, Vec<String>)>, StoreError> {
        let key = self.keys.chat_agents();
        let now = self.redis.now()?.millis();
        let agents: Vec<(String, String)> = self.redis.query(cmd("HGETALL").arg(&key)).await?;
        let parse = |(agent, text): (String, String)| {
            let mut lines = text.lines();
            let until: i64 = lines.next()?.parse().ok()?;
            (until > now).then(|| (agent, lines.map(str::to_owned).collect()))
        };
        Ok(agents.into_iter().filter_map(parse).collect())
    }
}

#[async_trait]
impl ChatSignalSource for RedisStore {
    async fn next_chat_signal(&self) -> ChatSignal {
        self.chat_signals.next().await
    }
}

impl RedisStore {
    fn to_chat_reply(&self, id: &ServiceId, reply: ParsedReply) -> Result<ChatReply, StoreError> {
        let reply = match reply {
            ParsedReply::ServiceNotFound => return Ok(ChatReply::ServiceNotFound),
            ParsedReply::OutboxNeeded => {
                return Err(StoreError::Bug("the outbox was passed".to_owned()));
            }
            ParsedReply::NotStarted(service) => return Ok(ChatReply::NotStarted(service)),
            ParsedReply::Chat {
                outcome, mut chat, ..
            } => {
                let key = self.keys.chat(id);
                chat.started = self.redis.translate_from_server(&key, chat.started)?;
                chat.last_event = self.redis.translate_from_server(&key, chat.last_event)?;
                ChatReply::Chat(outcome, chat)
            }
        };
        Ok(reply)
    }

    /// Adds the chat of a reply to its list, if the reply says so or the action `ends` it.
    async fn list(
        &self,
        id: &ServiceId,
        reply: ParsedReply,
        ends: bool,
    ) -> Result<ChatReply, StoreError> {
        let must_list = reply.must_list();
        let reply = self.to_chat_reply(id, reply)?;
        if let ChatReply::Chat(_, chat) = &reply {
            let listed = match chat.state {
                ChatState::Ended if ends || must_list => self.list_as_ended(id, chat.started).await,
                ChatState::Waiting | ChatState::Active if must_list => {
                    self.list_as_open(id, chat.started).await
                }
                _ => Ok(()),
            };
            if let Err(error) = listed {
                debug!(id = %id.redacted(), %error, "chat not listed; the sweep or a later request lists it");
            }
        }
        Ok(reply)
    }

    /// Adds a chat to the list of open ones. One that is there only moves to an earlier place: a repeated start may have
    /// added it with a later time.
    async fn list_as_open(&self, id: &ServiceId, started: Timestamp) -> Result<(), StoreError> {
        let mut add = cmd("ZADD");
        add.arg(self.keys.chat_list(false)).arg("LT");
        add.arg(started.millis()).arg(id.as_str());
        self.redis.query(&add).await
    }

    /// Moves a chat to the list of ended ones.
    async fn list_as_ended(&self, id: &ServiceId, started: Timestamp) -> Result<(), StoreError> {
        let mut add = cmd("ZADD");
        add.arg(self.keys.chat_list(true));
        add.arg(started.millis()).arg(id.as_str());
        let mut remove = cmd("ZREM");
        remove.arg(self.keys.chat_list(false)).arg(id.as_str());
        self.redis.pipeline_ordered(vec![add, remove]).await?;
        Ok(())
    }

    /// The commands that remove the chat of an ended service.
    pub(super) fn remove_chat_commands(&self, id: &ServiceId) -> [Cmd; 3] {
        let unlist = |ended| {
            let mut remove = cmd("ZREM");
            remove.arg(self.keys.chat_list(ended)).arg(id.as_str());
            remove
        };
        let unlink = cmd("UNLINK").arg(self.keys.chat(id)).to_owned();
        [unlink, unlist(false), unlist(true)]
    }
}

/// Parses the fields [`CHAT_VERSION`](keys::CHAT_VERSION), or of a storage [`STORAGE_VERSION`](keys::STORAGE_VERSION).
fn to_version(
    id: &ServiceId,
    (last, ended, typing): (Option<u64>, Option<u64>, Option<u8>),
) -> Option<ChatVersion> {
    if service_of_storage_signal(id).is_some() {
        return to_revision(last, ended).map(ChatVersion::of_storage);
    }
    Some(ChatVersion {
        last: last?,
        ended: ended == Some(1),
        client_typing: typing == Some(1),
    })
}

fn service_of(cursor: &Cursor) -> ServiceId {
    ServiceId::from(cursor.name.clone())
}
