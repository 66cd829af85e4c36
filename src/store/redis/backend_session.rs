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
        BackendSession, BackendSessions, ServiceId, StoreError, Timestamp,
        backend_session::{MAX_CONCURRENT_TERMINATIONS, try_terminate},
    },
    telemetry::metrics::CLEANUP_SERVICES,
};

/// A service that is over, and the sessions that it held.
pub(super) struct EndedService {
    pub(super) id: ServiceId,
    pub(super) sessions: Vec<BackendSession>,
    /// When the clean-up first heard of its end.
    pub(super) since: Timestamp,
}

impl RedisStore {
    /// Ends what comes through `queue`, for as long as it is polled.
    pub(super) async fn terminate_sessions(
        &self,
        queue: mpsc::Receiver<EndedService>,
        sessions: &dyn BackendSessions,
    ) {
        let over = stream::unfold(queue, |mut queue| async move {
            let over = queue.recv().await?;
            Some((over, queue))
        });
        over.for_each_concurrent(MAX_CONCURRENT_TERMINATIONS, |over| {
            self.terminate_or_defer(over, sessions)
        })
        .await;
    }

    async fn terminate_or_defer(&self, over: EndedService, sessions: &dyn BackendSessions) {
        let id = over.id.clone();
        if let Err(error) = self.terminate_sessions_of(over, sessions).await {
            debug!(id = %id.redacted(), %error, "the sweep comes back to the session of an ended service");
        }
    }

    async fn terminate_sessions_of(
        &self,
        over: EndedService,
        sessions: &dyn BackendSessions,
    ) -> Result<(), StoreError> {
        let EndedService {
            id,
            sessions: held,
            since,
        } = over;
        if let Some((_, when)) = try_terminate(sessions, self, &id, held, since).await {
            return self.redis.query(&self.schedule_cleanup_at(&id, when)).await;
        }
        let mut list = cmd("UNLINK");
        self.redis
            .query::<()>(list.arg(self.keys.owned(&id)))
            .await?;
        // Not before: a list without an entry would stay.
        let mut entry = cmd("ZREM");
        entry.arg(self.keys.index(&id)).arg(id.as_str());
        self.redis.query::<()>(&entry).await?;
        CLEANUP_SERVICES.add(1);
        Ok(())
    }

    /// The command that has the sweep look after `id`, whose service is certainly over, at `when`.
    pub(super) fn schedule_cleanup_at(&self, id: &ServiceId, when: Timestamp) -> Cmd {
        let mut add = cmd("ZADD");
        add.arg(self.keys.index(id))
            .arg(when.millis())
            .arg(id.as_str());
        add
    }
}
