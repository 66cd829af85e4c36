//! Termination of the backend sessions of ended services.
//!
//! It runs concurrently with the rest of the cleanup, for a limited number of services at a time.
//! `own:{id}` is deleted when the sessions are terminated or abandoned; until then the cleanup index
//! schedules the sweep to retry, so that another replica continues after a crash of this one.

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use redis::{Cmd, cmd};
use tokio::sync::mpsc;
use tracing::debug;

use super::{
    OWNED_TTL_MARGIN, RedisStore, keys, millis,
    script_reply::ScriptReply,
    scripts::{ATTACH_SESSION, evalsha},
};
use crate::{
    model::{BackendSession, RunningService, ServiceId, StoreError, Timestamp},
    store::{
        BackendSessionStore, BackendSessions,
        backend_session::{MAX_CONCURRENT_TERMINATIONS, try_terminate},
    },
};

/// An ended service and its backend sessions.
pub(super) struct EndedService {
    pub(super) id: ServiceId,
    pub(super) sessions: Vec<BackendSession>,
    /// The time at which the cleanup first detected its end.
    pub(super) since: Timestamp,
}

#[async_trait]
impl BackendSessionStore for RedisStore {
    async fn running_service(&self, id: &ServiceId) -> Result<Option<RunningService>, StoreError> {
        let mut get = cmd("HMGET");
        get.arg(self.keys.service(id)).arg(keys::DEFINITION);
        get.arg(keys::BACKEND).arg(keys::SESSION);
        Ok(parse_running_service(self.redis.query(&get).await?))
    }

    async fn attach_session(
        &self,
        id: &ServiceId,
        session: &BackendSession,
    ) -> Result<Option<()>, StoreError> {
        let mut attach = evalsha(
            &ATTACH_SESSION,
            &[self.keys.service(id), self.keys.owned(id)],
        );
        attach.arg(keys::owned_session_field(session));
        attach.arg(millis(OWNED_TTL_MARGIN));
        attach.arg(keys::BACKEND).arg(&session.backend);
        attach.arg(keys::SESSION).arg(&session.name);
        match self
            .redis
            .with_cleanup_index(self.schedule_cleanup_soon(id)?, attach)
            .await?
        {
            ScriptReply::Done(_) => Ok(Some(())),
            ScriptReply::Refused(_) => Ok(None),
            other => Err(other.unexpected()),
        }
    }
}

/// The fields of `svc:{id}` for [`RunningService`]: the definition, the backend and the backend session.
pub(super) type RunningServiceFields = (Option<String>, Option<String>, Option<String>);

/// Parses the fields; `None` if there is no service.
pub(super) fn parse_running_service(fields: RunningServiceFields) -> Option<RunningService> {
    let (definition, backend, name) = fields;
    let definition = definition?;
    let session = backend.map(|backend| BackendSession {
        definition: definition.clone(),
        backend,
        name: name.unwrap_or_default(),
    });
    Some(RunningService {
        definition,
        session,
    })
}

impl RedisStore {
    /// Terminates the sessions of the services in `queue` until the future is dropped.
    pub(super) async fn terminate_sessions(
        &self,
        queue: mpsc::Receiver<EndedService>,
        sessions: &dyn BackendSessions,
    ) {
        let ended = stream::unfold(queue, |mut queue| async move {
            let ended = queue.recv().await?;
            Some((ended, queue))
        });
        ended
            .for_each_concurrent(MAX_CONCURRENT_TERMINATIONS, |ended| {
                self.terminate_or_defer(ended, sessions)
            })
            .await;
    }

    async fn terminate_or_defer(&self, ended: EndedService, sessions: &dyn BackendSessions) {
        let id = ended.id.clone();
        if let Err(error) = self.terminate_sessions_of(ended, sessions).await {
            debug!(id = %id.redacted(), %error, "session termination deferred to the sweep");
        }
    }

    async fn terminate_sessions_of(
        &self,
        ended: EndedService,
        sessions: &dyn BackendSessions,
    ) -> Result<(), StoreError> {
        let EndedService {
            id,
            sessions: pending,
            since,
        } = ended;
        if let Some((_, retry_at)) = try_terminate(sessions, self, &id, pending, since).await {
            return self
                .redis
                .query(&self.schedule_cleanup_at(&id, retry_at))
                .await;
        }
        let mut unlink = cmd("UNLINK");
        self.redis
            .query::<()>(unlink.arg(self.keys.owned(&id)))
            .await?;
        // This order is required: `own:{id}` without an index entry would never be deleted.
        let mut entry = cmd("ZREM");
        entry.arg(self.keys.index(&id)).arg(id.as_str());
        self.redis.query::<()>(&entry).await?;
        self.cleanup.add_released_services(1);
        Ok(())
    }

    /// The command that schedules the sweep to check the ended service `id` at `when`.
    pub(super) fn schedule_cleanup_at(&self, id: &ServiceId, when: Timestamp) -> Cmd {
        let mut add = cmd("ZADD");
        add.arg(self.keys.index(id))
            .arg(when.millis())
            .arg(id.as_str());
        add
    }
}
