//! Sessions of the Bayeux protocol in the embedded store.

use std::{
    sync::{MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

pub(super) use self::user::CometTable;
use self::user::CometUserRecord;
use super::MemoryStore;
use crate::{
    model::{
        ServiceId, StoreError, Timestamp,
        comet::{CometReceipt, CometReply, CometSession, CometSessionId, CometUser, SentChat},
    },
    store::CometStore,
};

mod user;

/// Far more than the expected number of users.
const MAX_USERS: usize = 100_000;

#[async_trait]
impl CometStore for MemoryStore {
    async fn open_session(
        &self,
        id: &CometSessionId,
        has_ack: bool,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let (mut users, now) = self.comet_users();
        let user = user_entry(&mut users, &id.user, now)?;
        user.open(id.secret.clone(), has_ack, now, now.after(ttl));
        Ok(())
    }

    async fn connect_session(
        &self,
        id: &CometSessionId,
        receipt: CometReceipt,
        wait: Duration,
        ttl: Duration,
    ) -> Result<CometReply<CometSession>, StoreError> {
        let unknown = (CometReply::Unknown, false);
        let reply = self.with_comet_user(&id.user, unknown, |user, now| {
            let waits = now.after(wait);
            user.connect(&id.secret, receipt, now, (waits, waits.after(ttl)))
        });
        Ok(reply)
    }

    async fn refresh_session(
        &self,
        id: &CometSessionId,
        generation: u64,
    ) -> Result<CometReply<CometSession>, StoreError> {
        let unknown = (CometReply::Unknown, false);
        let reply = self.with_comet_user(&id.user, unknown, |user, _| {
            (user.refresh(&id.secret, generation), false)
        });
        Ok(reply)
    }

    async fn record_sent(
        &self,
        id: &CometSessionId,
        generation: u64,
        sent: &[SentChat],
        ended: &[ServiceId],
    ) -> Result<CometReply<u64>, StoreError> {
        let unknown = (CometReply::Unknown, false);
        let reply = self.with_comet_user(&id.user, unknown, |user, now| {
            let reply = user.record_sent(&id.secret, generation, sent, ended, now);
            (reply, false)
        });
        Ok(reply)
    }

    async fn set_subscription(
        &self,
        id: &CometSessionId,
        patterns: &[String],
        subscribed: bool,
    ) -> Result<bool, StoreError> {
        let exists = self.with_comet_user(&id.user, (false, false), |user, now| {
            user.subscribe(&id.secret, patterns, subscribed, now)
        });
        Ok(exists)
    }

    async fn close_session(
        &self,
        id: &CometSessionId,
        position: Option<u64>,
    ) -> Result<(), StoreError> {
        self.with_comet_user(&id.user, ((), false), |user, now| {
            ((), user.close(&id.secret, position, now))
        });
        Ok(())
    }

    async fn add_pushed_chat(
        &self,
        user: &CometUser,
        service: &ServiceId,
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        let (mut users, now) = self.comet_users();
        let record = user_entry(&mut users, user, now)?;
        let (is_added, is_new) = record.add_chat(service, now.after(ttl));
        record.changes += u64::from(is_new);
        drop(users);
        if is_new {
            self.chat_signals.send(user.signal_id());
        }
        Ok(is_added)
    }
}

impl MemoryStore {
    /// Locks the users. A panic cannot leave them inconsistent, so a poisoned lock is used as it is.
    pub(super) fn comet_users(&self) -> (MutexGuard<'_, CometTable>, Timestamp) {
        let users = self.comet.lock().unwrap_or_else(PoisonError::into_inner);
        (users, self.clock.now())
    }

    /// Changes a user, and sends a signal if `change` says so. Returns the first of `unknown` if there is no such user.
    fn with_comet_user<T>(
        &self,
        id: &CometUser,
        unknown: (T, bool),
        change: impl FnOnce(&mut CometUserRecord, Timestamp) -> (T, bool),
    ) -> T {
        let (mut users, now) = self.comet_users();
        let (reply, has_changed) = match users.get_mut(id) {
            Some(user) => {
                user.remove_expired(now);
                let (reply, has_changed) = change(user, now);
                user.changes += u64::from(has_changed);
                (reply, has_changed)
            }
            None => unknown,
        };
        drop(users);
        if has_changed {
            self.chat_signals.send(id.signal_id());
        }
        reply
    }

    /// Removes users without sessions and chats.
    pub(super) fn remove_expired_comet_users(&self) {
        let (mut users, now) = self.comet_users();
        users.retain(|_, user| user.remove_expired(now));
    }
}

/// The record of a user, which is added if there is none.
fn user_entry<'a>(
    users: &'a mut CometTable,
    id: &CometUser,
    now: Timestamp,
) -> Result<&'a mut CometUserRecord, StoreError> {
    if users.len() >= MAX_USERS && !users.contains_key(id) {
        return Err(StoreError::Full(format!(
            "{MAX_USERS} users have Bayeux sessions or chats"
        )));
    }
    let user = users.entry(id.clone()).or_default();
    user.remove_expired(now);
    Ok(user)
}
