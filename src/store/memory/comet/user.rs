//! A user of Bayeux sessions. The scripts of Redis have the same rules (`scripts/comet.lua`).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::model::{
    ServiceId, Timestamp,
    chat::ChatVersion,
    comet::{
        CometChat, CometReceipt, CometReply, CometSession, CometUser, MAX_CHATS_PER_USER,
        MAX_SESSIONS_PER_USER, SentChat,
    },
};

/// The users of Bayeux sessions.
pub(in crate::store::memory) type CometTable = HashMap<CometUser, CometUserRecord>;

/// A user, with its chats and sessions.
#[derive(Default)]
pub(in crate::store::memory) struct CometUserRecord {
    /// The number of signals about the user.
    pub(super) changes: u64,
    /// The positions that the user has received.
    chats: HashMap<ServiceId, u64>,
    /// The time until which the chats are kept without a session.
    chats_until: Option<Timestamp>,
    sessions: BTreeMap<String, SessionRecord>,
}

struct SessionRecord {
    ends: Timestamp,
    has_ack: bool,
    generation: u64,
    batch: u64,
    /// The time until which the last connect waits.
    waits: Timestamp,
    subscriptions: BTreeSet<String>,
    chats: HashMap<ServiceId, ChatProgress>,
}

/// The progress of a session in a chat.
#[derive(Clone, Copy, Default)]
struct ChatProgress {
    received: u64,
    /// The position in the last batch, and whether the chat ends with it.
    sent: Option<(u64, bool)>,
}

impl CometUserRecord {
    /// What a poll compares: the number of signals.
    pub(in crate::store::memory) fn version(&self) -> ChatVersion {
        ChatVersion {
            last: self.changes,
            ended: false,
            client_typing: false,
        }
    }

    /// Removes expired sessions. Returns whether anything remains.
    pub(super) fn remove_expired(&mut self, now: Timestamp) -> bool {
        self.sessions.retain(|_, session| session.ends > now);
        !self.sessions.is_empty() || self.chats_until.is_some_and(|until| until > now)
    }

    pub(super) fn open(&mut self, secret: String, has_ack: bool, now: Timestamp, ends: Timestamp) {
        if self.sessions.len() >= MAX_SESSIONS_PER_USER {
            let first = self.sessions.iter().min_by_key(|(_, session)| session.ends);
            if let Some(first) = first.map(|(secret, _)| secret.clone()) {
                self.sessions.remove(&first);
            }
        }
        let chats = self.chats.iter();
        let chats = chats.map(|(id, received)| (id.clone(), ChatProgress::at(*received)));
        let session = SessionRecord {
            ends,
            has_ack,
            generation: 0,
            batch: 0,
            waits: now,
            subscriptions: BTreeSet::new(),
            chats: chats.collect(),
        };
        self.sessions.insert(secret, session);
    }

    /// Begins a connect. Returns the session, and whether another connect is to be woken.
    pub(super) fn connect(
        &mut self,
        secret: &str,
        receipt: CometReceipt,
        now: Timestamp,
        (waits, ends): (Timestamp, Timestamp),
    ) -> (CometReply<CometSession>, bool) {
        let Some(session) = self.sessions.get_mut(secret) else {
            return (CometReply::Unknown, false);
        };
        let is_woken = session.waits > now;
        session.add_new(&self.chats);
        session.apply(receipt, &mut self.chats);
        session.generation += 1;
        (session.waits, session.ends) = (waits, ends);
        (CometReply::Done(session.view()), is_woken)
    }

    pub(super) fn refresh(&mut self, secret: &str, generation: u64) -> CometReply<CometSession> {
        match self.sessions.get_mut(secret) {
            None => CometReply::Unknown,
            Some(session) if session.generation != generation => CometReply::Superseded,
            Some(session) => {
                session.add_new(&self.chats);
                CometReply::Done(session.view())
            }
        }
    }

    pub(super) fn record_sent(
        &mut self,
        secret: &str,
        generation: u64,
        sent: &[SentChat],
        ended: &[ServiceId],
        now: Timestamp,
    ) -> CometReply<u64> {
        let session = match self.sessions.get_mut(secret) {
            None => return CometReply::Unknown,
            Some(session) if session.generation != generation => return CometReply::Superseded,
            Some(session) => session,
        };
        for id in ended {
            session.chats.remove(id);
            self.chats.remove(id);
        }
        let mut is_batch = false;
        for chat in sent {
            if let Some(progress) = session.chats.get_mut(&chat.service) {
                progress.sent = Some((chat.position, chat.is_last));
                is_batch = true;
            }
        }
        if is_batch {
            session.batch += 1;
            session.waits = now;
        }
        CometReply::Done(session.batch)
    }

    /// Returns whether the session exists, and whether a connect is to be woken.
    pub(super) fn subscribe(
        &mut self,
        secret: &str,
        patterns: &[String],
        subscribed: bool,
        now: Timestamp,
    ) -> (bool, bool) {
        let Some(session) = self.sessions.get_mut(secret) else {
            return (false, false);
        };
        for pattern in patterns {
            if subscribed {
                session.subscriptions.insert(pattern.clone());
            } else {
                session.subscriptions.remove(pattern);
            }
        }
        (true, !patterns.is_empty() && session.waits > now)
    }

    /// Returns whether a connect is to be woken.
    pub(super) fn close(&mut self, secret: &str, position: Option<u64>, now: Timestamp) -> bool {
        let Some(session) = self.sessions.remove(secret) else {
            return false;
        };
        if let (Some(position), 1, Some((id, progress))) =
            (position, session.chats.len(), session.chats.iter().next())
        {
            let (last, is_last) = progress.sent.unwrap_or((progress.received, false));
            if is_last && position >= last {
                self.chats.remove(id);
            } else if let Some(received) = self.chats.get_mut(id) {
                *received = (*received).max(position.min(last));
            }
        }
        session.waits > now
    }

    /// Returns whether the chat is there, and whether it is new.
    pub(super) fn add_chat(&mut self, id: &ServiceId, until: Timestamp) -> (bool, bool) {
        let is_new = !self.chats.contains_key(id);
        if is_new && self.chats.len() >= MAX_CHATS_PER_USER {
            return (false, false);
        }
        self.chats.entry(id.clone()).or_insert(0);
        self.chats_until = self.chats_until.max(Some(until));
        (true, is_new)
    }
}

impl ChatProgress {
    fn at(received: u64) -> Self {
        Self {
            received,
            sent: None,
        }
    }
}

impl SessionRecord {
    /// Adds chats that the user has since the session was opened.
    fn add_new(&mut self, chats: &HashMap<ServiceId, u64>) {
        for id in chats.keys() {
            self.chats.entry(id.clone()).or_default();
        }
    }

    fn apply(&mut self, receipt: CometReceipt, chats: &mut HashMap<ServiceId, u64>) {
        let is_received = match receipt {
            CometReceipt::NotReceived => false,
            CometReceipt::Received => true,
            CometReceipt::Batch(number) => number >= self.batch,
        };
        self.chats.retain(|id, progress| {
            let Some((position, is_last)) = progress.sent.take() else {
                return true;
            };
            if !is_received {
                return true;
            }
            progress.received = position;
            if is_last {
                chats.remove(id);
            } else if let Some(received) = chats.get_mut(id) {
                *received = (*received).max(position);
            }
            !is_last
        });
    }

    fn view(&self) -> CometSession {
        let chats = self.chats.iter().map(|(id, progress)| CometChat {
            service: id.clone(),
            position: progress.received,
        });
        CometSession {
            generation: self.generation,
            has_ack: self.has_ack,
            batch: self.batch,
            is_subscribed: !self.subscriptions.is_empty(),
            chats: chats.collect(),
        }
    }
}
