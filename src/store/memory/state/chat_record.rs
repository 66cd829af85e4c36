//! The chat of one service in the embedded store.

use std::time::Duration;

use crate::model::{
    Timestamp,
    chat::{
        AgentJoin, ChatAction, ChatEvent, ChatEventKind, ChatMember, ChatOutcome, MAX_MEMBERS,
        NewChat, Party,
    },
};

mod view;

/// The accounted bytes of an event or a chat in addition to its texts.
const OVERHEAD_BYTES: usize = 64;

/// A chat. Redis has the same rules in `scripts/update_chat.lua`.
pub(in crate::store::memory) struct ChatRecord {
    pub(super) new: NewChat,
    started: Timestamp,
    last_event: Timestamp,
    ended: bool,
    events: Vec<ChatEvent>,
    members: Vec<ChatMember>,
    /// Whether the client has joined and not left, and when it was last seen.
    client_present: bool,
    client_seen: Timestamp,
    client_typing: bool,
    /// The position of `ChatWindow::AfterRefresh`.
    refreshed: u64,
    first_answer: Option<Duration>,
    /// The accounted bytes.
    pub(in crate::store::memory) bytes: usize,
    /// The number of changes that listeners are notified of.
    pub(in crate::store::memory) changes: u64,
}

impl ChatRecord {
    pub(in crate::store::memory) fn new(new: NewChat, now: Timestamp) -> Self {
        let mut chat = Self {
            bytes: OVERHEAD_BYTES + new.subject.len(),
            new,
            started: now,
            last_event: now,
            ended: false,
            events: Vec::new(),
            members: Vec::new(),
            client_present: false,
            client_seen: now,
            client_typing: false,
            refreshed: 0,
            first_answer: None,
            changes: 0,
        };
        chat.see_client(now);
        chat
    }

    /// Whether the transcript has room for `count` more events.
    fn has_room(&self, count: u64) -> bool {
        self.events.len() as u64 + count <= self.new.max_events
    }

    fn append(&mut self, kind: ChatEventKind, from: (Party, &str), text: &str, now: Timestamp) {
        let (party, nickname) = from;
        self.bytes += OVERHEAD_BYTES + nickname.len() + text.len();
        self.events.push(ChatEvent {
            kind,
            party,
            nickname: nickname.to_owned(),
            text: text.to_owned(),
            at: now.since(self.started),
        });
        self.last_event = now;
        self.changes += 1;
    }

    fn append_client(&mut self, kind: ChatEventKind, text: &str, now: Timestamp) {
        let nickname = self.new.nickname.clone();
        self.append(kind, (Party::Client, &nickname), text, now);
    }

    fn append_member(
        &mut self,
        kind: ChatEventKind,
        member: &ChatMember,
        text: &str,
        now: Timestamp,
    ) {
        self.append(kind, (member.party, &member.nickname), text, now);
    }

    /// Records that the client is present. If it had left, it joins again.
    fn see_client(&mut self, now: Timestamp) {
        self.client_seen = now;
        if !self.client_present && self.has_room(1) {
            self.client_present = true;
            self.append_client(ChatEventKind::Joined, "", now);
        }
    }

    fn set_client_typing(&mut self, typing: bool) {
        if self.client_typing != typing {
            self.client_typing = typing;
            self.changes += 1;
        }
    }

    fn end(&mut self) {
        self.ended = true;
        self.client_typing = false;
        for member in &mut self.members {
            member.typing = false;
        }
        self.changes += 1;
    }

    /// Performs an action.
    pub(in crate::store::memory) fn apply(
        &mut self,
        action: &ChatAction,
        now: Timestamp,
    ) -> ChatOutcome {
        let outcome = self.check(action);
        if outcome == ChatOutcome::Done {
            self.perform(action, now);
        }
        outcome
    }

    /// Whether an action can be performed.
    fn check(&self, action: &ChatAction) -> ChatOutcome {
        let message = match action {
            ChatAction::Read
            | ChatAction::ClientPresent
            | ChatAction::ClientTimeout
            | ChatAction::ClientRefresh(None) => return ChatOutcome::Done,
            ChatAction::ClientRefresh(message) | ChatAction::ClientEnd(message) => message.as_ref(),
            ChatAction::ClientMessage(message) | ChatAction::AgentMessage(_, message) => {
                Some(message)
            }
            _ => None,
        };
        if self.ended {
            return ChatOutcome::Ended;
        }
        let author = match action {
            ChatAction::AgentMessage(agent, _) | ChatAction::AgentTyping(agent, _) => Some(agent),
            _ => None,
        };
        if author.is_some_and(|agent| self.position_of(agent).is_none()) {
            return ChatOutcome::NotMember;
        }
        if message.is_some_and(|message| message.len() as u64 > self.new.max_message_bytes) {
            return ChatOutcome::MessageTooLong(self.new.max_message_bytes);
        }
        let positions = match action {
            ChatAction::Join(join) => match self.positions_of_join(join) {
                Ok(positions) => positions,
                Err(outcome) => return outcome,
            },
            ChatAction::AgentTyping(agent, typing) => {
                let mut members = self.members.iter();
                let changes =
                    |member: &ChatMember| member.agent == *agent && member.typing != *typing;
                u64::from(members.any(changes))
            }
            ChatAction::AgentMessage(..) => 1,
            // A client that had left joins again first.
            _ if message.is_some() => 1 + u64::from(!self.client_present),
            _ => 0,
        };
        if positions > 0 && !self.has_room(positions) {
            return ChatOutcome::Full;
        }
        ChatOutcome::Done
    }

    /// Performs an action that was checked.
    fn perform(&mut self, action: &ChatAction, now: Timestamp) {
        match action {
            ChatAction::Read => {}
            ChatAction::ClientPresent
            | ChatAction::ClientRefresh(_)
            | ChatAction::ClientMessage(_)
            | ChatAction::ClientTyping(_)
            | ChatAction::ClientEnd(_) => self.perform_client(action, now),
            ChatAction::ClientTimeout => {
                let absent_since = self.client_seen.after(self.new.client_timeout);
                let may_leave = self.client_present && !self.ended && self.has_room(1);
                if may_leave && absent_since <= now {
                    self.client_present = false;
                    self.client_typing = false;
                    self.append_client(ChatEventKind::Left, "", now);
                }
            }
            ChatAction::Join(join) => self.join(join, now),
            ChatAction::AgentMessage(agent, message) => {
                if let Some(member) = self.member_mut(agent) {
                    member.typing = false;
                    let member = member.clone();
                    self.append_member(ChatEventKind::Message, &member, message, now);
                    self.first_answer
                        .get_or_insert_with(|| now.since(self.started));
                }
            }
            ChatAction::AgentTyping(agent, typing) => {
                let member = self.member_mut(agent);
                if let Some(member) = member.filter(|member| member.typing != *typing) {
                    member.typing = *typing;
                    let member = member.clone();
                    let kind = if *typing {
                        ChatEventKind::TypingStarted
                    } else {
                        ChatEventKind::TypingStopped
                    };
                    self.append_member(kind, &member, "", now);
                }
            }
            ChatAction::Leave(agent) => {
                if let Some(position) = self.position_of(agent) {
                    let member = self.members.remove(position);
                    self.append_member(ChatEventKind::Left, &member, "", now);
                }
            }
            ChatAction::AgentEnd(agent) => {
                if let Some(member) = self.member_mut(agent).cloned() {
                    self.append_member(ChatEventKind::Left, &member, "", now);
                }
                self.end();
            }
        }
    }

    fn perform_client(&mut self, action: &ChatAction, now: Timestamp) {
        if self.ended {
            return;
        }
        self.see_client(now);
        match action {
            ChatAction::ClientTyping(typing) => self.set_client_typing(*typing),
            ChatAction::ClientMessage(message)
            | ChatAction::ClientRefresh(Some(message))
            | ChatAction::ClientEnd(Some(message)) => {
                self.client_typing = false;
                self.append_client(ChatEventKind::Message, message, now);
            }
            _ => {}
        }
        if matches!(action, ChatAction::ClientEnd(_)) {
            if self.client_present {
                self.append_client(ChatEventKind::Left, "", now);
            }
            self.end();
        }
    }

    /// The number of events of a join, or why it is refused.
    fn positions_of_join(&self, join: &AgentJoin) -> Result<u64, ChatOutcome> {
        let is_member = self.position_of(&join.agent).is_some();
        let mut others = self
            .members
            .iter()
            .filter(|member| member.agent != join.agent);
        let conflicts = |other: &ChatMember| is_agent(other) || other.party == join.party;
        if join.exclusive && others.clone().any(conflicts) {
            return Err(ChatOutcome::Taken);
        }
        if !is_member && self.members.len() >= MAX_MEMBERS {
            return Err(ChatOutcome::Full);
        }
        let replaced = others
            .by_ref()
            .filter(|other| join.transfer && is_agent(other));
        Ok(replaced.count() as u64 + u64::from(!is_member))
    }

    fn join(&mut self, join: &AgentJoin, now: Timestamp) {
        let is_replaced =
            |member: &ChatMember| join.transfer && is_agent(member) && member.agent != join.agent;
        let (replaced, kept): (Vec<_>, Vec<_>) = self.members.drain(..).partition(is_replaced);
        self.members = kept;
        for member in &replaced {
            self.append_member(ChatEventKind::Left, member, "", now);
        }
        if self.position_of(&join.agent).is_some() {
            return;
        }
        let member = ChatMember {
            agent: join.agent.clone(),
            party: join.party,
            nickname: join.nickname.clone(),
            typing: false,
        };
        self.append_member(ChatEventKind::Joined, &member, "", now);
        self.members.push(member);
    }

    /// The events after a position.
    pub(super) fn events_after(&self, position: u64) -> &[ChatEvent] {
        let skipped = usize::try_from(position).unwrap_or(usize::MAX);
        self.events.get(skipped..).unwrap_or_default()
    }

    /// The role of an agent in the chat.
    pub(super) fn party_of(&self, agent: &str) -> Option<Party> {
        let mut members = self.members.iter();
        let member = members.find(|member| member.agent == agent);
        member.map(|member| member.party)
    }

    fn position_of(&self, agent: &str) -> Option<usize> {
        self.members.iter().position(|member| member.agent == agent)
    }

    fn member_mut(&mut self, agent: &str) -> Option<&mut ChatMember> {
        self.members.iter_mut().find(|member| member.agent == agent)
    }
}

fn is_agent(member: &ChatMember) -> bool {
    member.party == Party::Agent
}
