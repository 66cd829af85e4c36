//! The scripts that start and change a chat.

use redis::{Cmd, cmd};

use super::reply::ParsedReply;
use crate::{
    model::{
        ServiceId, StoreError,
        chat::{
            ChatAction, ChatWindow, MAX_EVENT_BYTES_PER_REPLY, MAX_EVENTS_PER_REPLY, MAX_MEMBERS,
            MAX_POSITION, NewChat, Party,
        },
    },
    store::redis::{
        OWNED_TTL_MARGIN, RedisStore,
        connection::parse_reply,
        keys, millis,
        script_reply::reply_array,
        scripts::{START_CHAT, UPDATE_CHAT, evalsha},
    },
};

impl RedisStore {
    /// Starts a chat; `with_outbox` if it has an event.
    pub(super) async fn send_start(
        &self,
        id: &ServiceId,
        chat: &NewChat,
        with_outbox: bool,
    ) -> Result<ParsedReply, StoreError> {
        let mut keys = vec![
            self.keys.service(id),
            self.keys.chat(id),
            self.keys.owned(id),
        ];
        if with_outbox {
            keys.push(self.keys.events(id));
        }
        let mut start = evalsha(&START_CHAT, &keys);
        self.add_common_arguments(
            &mut start,
            id,
            ChatWindow::After(0),
            self.waits_for_replicas,
        );
        start.arg(millis(OWNED_TTL_MARGIN)).arg(keys::OWNED_CHAT);
        start.arg("definition").arg(&chat.definition);
        start.arg("session").arg(&chat.session_id);
        start.arg("user").arg(&chat.user_id);
        start.arg("key").arg(&chat.secure_key);
        start.arg("nickname").arg(&chat.nickname);
        start.arg("subject").arg(&chat.subject);
        start.arg("max_events").arg(chat.max_events);
        start.arg("max_bytes").arg(chat.max_message_bytes);
        start.arg("timeout").arg(millis(chat.client_timeout));
        // A later time, so that a sweep that found no chat does not remove the entry. If the chat was started before, it
        // gets its place back after the reply.
        let mut list = cmd("ZADD");
        list.arg(self.keys.chat_list(false)).arg("GT");
        list.arg(self.redis.now()?.millis()).arg(id.as_str());
        let schedule = if with_outbox {
            self.schedule_event_check(id)?
        } else {
            self.schedule_cleanup_soon(id)?
        };
        // A chat that is not listed would wait for an agent forever, so the start fails if it cannot be listed.
        let all = vec![schedule, list, start];
        let [_, _, reply] = reply_array(self.redis.pipeline_ordered(all).await?)?;
        parse_reply(reply)
    }

    /// Performs an action; `with_outbox` if it has an event.
    pub(super) async fn send_update(
        &self,
        id: &ServiceId,
        action: &ChatAction,
        window: ChatWindow,
        with_outbox: bool,
    ) -> Result<ParsedReply, StoreError> {
        let update = self.update_command(id, action, window, with_outbox);
        if with_outbox {
            let schedule = self.schedule_event_check(id)?;
            return self.redis.with_cleanup_index(schedule, update).await;
        }
        if self.is_replicated(action, window) {
            self.redis.query_replicated(&update).await
        } else {
            self.redis.query(&update).await
        }
    }

    /// Adds the arguments that all chat scripts have.
    fn add_common_arguments(
        &self,
        script: &mut Cmd,
        id: &ServiceId,
        window: ChatWindow,
        is_replicated: bool,
    ) {
        match window {
            ChatWindow::After(position) => script.arg(position.min(MAX_POSITION)),
            ChatWindow::AfterRefresh => script.arg(""),
        };
        script.arg(self.keys.chat_channel()).arg(id.as_str());
        script
            .arg(MAX_EVENTS_PER_REPLY)
            .arg(MAX_EVENT_BYTES_PER_REPLY);
        script.arg(u8::from(is_replicated));
    }

    /// Whether an action waits for Redis replicas, if that is configured. A reader waits too, because events that it
    /// has seen must survive a failover. A refresh without a position does not: its window would be lost with the
    /// response if too few replicas respond.
    fn is_replicated(&self, action: &ChatAction, window: ChatWindow) -> bool {
        match action {
            ChatAction::Read => self.waits_for_replicas,
            ChatAction::ClientRefresh(None) => window != ChatWindow::AfterRefresh,
            _ => true,
        }
    }

    pub(super) fn update_command(
        &self,
        id: &ServiceId,
        action: &ChatAction,
        window: ChatWindow,
        with_outbox: bool,
    ) -> Cmd {
        let mut keys = vec![self.keys.service(id), self.keys.chat(id)];
        if with_outbox {
            keys.push(self.keys.events(id));
        }
        let mut update = evalsha(&UPDATE_CHAT, &keys);
        let is_replicated = self.waits_for_replicas && self.is_replicated(action, window);
        self.add_common_arguments(&mut update, id, window, is_replicated);
        add_action(&mut update, action);
        update
    }
}

/// The letter of a role in the store.
fn party_letter(party: Party) -> &'static str {
    match party {
        Party::Client => "C",
        Party::Agent => "A",
        Party::Supervisor => "S",
        Party::External => "X",
    }
}

/// Adds the arguments of `update_chat.lua` that depend on the action.
fn add_action(update: &mut Cmd, action: &ChatAction) {
    let flag = u8::from;
    let (name, agent, message) = match action {
        ChatAction::Read => ("read", "", None),
        ChatAction::ClientPresent => ("client_present", "", None),
        ChatAction::ClientRefresh(message) => ("client_refresh", "", message.as_deref()),
        ChatAction::ClientMessage(message) => ("client_message", "", Some(message.as_str())),
        ChatAction::ClientTyping(true) => ("client_typing", "1", None),
        ChatAction::ClientTyping(false) => ("client_typing", "0", None),
        ChatAction::ClientEnd(message) => ("client_end", "", message.as_deref()),
        ChatAction::ClientTimeout => ("client_timeout", "", None),
        ChatAction::Join(join) => {
            update.arg("join").arg(&join.agent).arg(&join.nickname);
            update.arg(party_letter(join.party));
            update.arg(flag(join.exclusive)).arg(flag(join.transfer));
            update.arg(MAX_MEMBERS);
            return;
        }
        ChatAction::AgentMessage(agent, message) => {
            ("agent_message", agent.as_str(), Some(message.as_str()))
        }
        ChatAction::AgentTyping(agent, typing) => {
            update.arg("agent_typing").arg(agent).arg("");
            update.arg(flag(*typing));
            return;
        }
        ChatAction::Leave(agent) => ("leave", agent.as_str(), None),
        ChatAction::AgentEnd(agent) => ("agent_end", agent.as_str(), None),
    };
    update.arg(name).arg(agent);
    update
        .arg(message.unwrap_or_default())
        .arg(flag(message.is_some()));
}
