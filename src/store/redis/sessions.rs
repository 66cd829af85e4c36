//! Ending the sessions of services that are over.
//!
//! This goes on beside the rest of the clean-up, on a few of them at a time. `own:{id}` goes when its
//! sessions are ended, or given up; until then the index has the sweep come back to the id, so that
//! another replica goes on where this one stopped.

use futures_util::{StreamExt, stream};
use redis::{Cmd, cmd};
use tokio::sync::mpsc;
use tracing::debug;

use super::RedisStore;
use crate::{
    store::{
        Moment, ServiceId, Session, Sessions, StoreError,
        session::{AT_ONCE, try_to_end},
    },
    telemetry::metrics::CLEANUP_SERVICES,
};

/// A service that is over, and the sessions that it held.
pub(super) struct Over {
    pub(super) id: ServiceId,
    pub(super) sessions: Vec<Session>,
    /// When the clean-up first heard of its end.
    pub(super) since: Moment,
}

impl RedisStore {
    /// Ends what comes through `queue`, for as long as it is polled.
    pub(super) async fn end_sessions(&self, queue: mpsc::Receiver<Over>, sessions: &dyn Sessions) {
        let over = stream::unfold(queue, |mut queue| async move {
            let over = queue.recv().await?;
            Some((over, queue))
        });
        over.for_each_concurrent(AT_ONCE, |over| self.end_or_leave(over, sessions))
            .await;
    }

    async fn end_or_leave(&self, over: Over, sessions: &dyn Sessions) {
        let id = over.id.clone();
        if let Err(error) = self.end_those_of(over, sessions).await {
            debug!(id = %id.hint(), %error, "the sweep comes back to the session of an ended service");
        }
    }

    async fn end_those_of(&self, over: Over, sessions: &dyn Sessions) -> Result<(), StoreError> {
        let Over {
            id,
            sessions: held,
            since,
        } = over;
        if let Some((_, when)) = try_to_end(sessions, self, &id, held, since).await {
            return self.redis.query(&self.look_at(&id, when)).await;
        }
        let mut list = cmd("UNLINK");
        self.redis.query::<()>(list.arg(self.keys.own(&id))).await?;
        // Not before: a list without an entry would stay.
        let mut entry = cmd("ZREM");
        entry.arg(self.keys.index(&id)).arg(id.as_str());
        self.redis.query::<()>(&entry).await?;
        CLEANUP_SERVICES.add(1);
        Ok(())
    }

    /// The command that has the sweep look after `id`, whose service is certainly over, at `when`.
    pub(super) fn look_at(&self, id: &ServiceId, when: Moment) -> Cmd {
        let mut add = cmd("ZADD");
        add.arg(self.keys.index(id))
            .arg(when.millis())
            .arg(id.as_str());
        add
    }
}
