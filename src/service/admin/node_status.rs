//! The node status: operators set replicas OFFLINE and ONLINE.
//!
//! A change is written to the store as a request, which the next heartbeat of the replica returns. The replica that
//! writes the request for itself applies it at once. The last request is in effect, by the clock of the store.

use gethostname::gethostname;
use tokio::sync::watch;
use tracing::info;
use uuid::Uuid;

use super::{
    Actor, Admin, AdminError,
    audit_log::{AuditAction, AuditRecord},
    replica::{Replica, ReplicaStatus},
};
use crate::model::{
    NodeStatus, StatusRequest,
    readiness::{Finding, Readiness, Reason},
};

/// The identity and the node status of this replica.
pub struct OwnReplica {
    /// The id of the process.
    pub id: String,
    /// The host name.
    pub host: String,
    readiness: Readiness,
    /// The last request that took effect.
    applied: watch::Sender<Option<StatusRequest>>,
}

/// The result of [`Admin::set_replica_status`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetStatusResult {
    /// The status of this replica is set.
    Applied,
    /// The status of another replica is requested.
    Requested,
    /// The replica has the status already, or it is already requested. Nothing changed.
    Unchanged,
    /// No replica with this id is running.
    NotRunning,
}

impl OwnReplica {
    /// This process, with a new id. Its status is ONLINE.
    #[must_use]
    pub fn new(readiness: Readiness) -> Self {
        Self {
            id: Uuid::new_v4().to_string(),
            host: gethostname().to_string_lossy().into_owned(),
            readiness,
            applied: watch::Sender::default(),
        }
    }

    /// The current status.
    #[must_use]
    pub fn status(&self) -> ReplicaStatus {
        self.applied.borrow().as_ref().into()
    }

    /// The changes of the status.
    pub(super) fn subscribe(&self) -> watch::Receiver<Option<StatusRequest>> {
        self.applied.subscribe()
    }

    /// Applies a request, unless a later one is in effect.
    pub(super) fn apply(&self, request: StatusRequest) {
        self.applied.send_if_modified(|applied| {
            if applied.as_ref().is_some_and(|last| last.at >= request.at) {
                return false;
            }
            let StatusRequest { status, by, .. } = &request;
            info!(status = status.name(), by, "node status set");
            match status {
                NodeStatus::Online => self.readiness.clear(Reason::Offline),
                NodeStatus::Offline => {
                    let finding = Finding::new(Reason::Offline, format!("set by {by:?}"));
                    self.readiness.set(finding);
                }
            }
            *applied = Some(request);
            true
        });
    }
}

impl Admin {
    /// Sets the status of this replica; see [`Admin::set_replica_status`].
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn set_own_status(
        &self,
        status: NodeStatus,
        by: &Actor,
    ) -> Result<SetStatusResult, AdminError> {
        let own = &self.context.own_replica;
        self.set_replica_status(&own.id, status, by).await
    }

    /// Sets the status of a replica. Another replica applies it when it receives the notification, and with its next
    /// heartbeat at the latest.
    ///
    /// # Errors
    /// Errors of the store. The change can still fail after the audit log entry is written.
    pub async fn set_replica_status(
        &self,
        replica: &str,
        status: NodeStatus,
        by: &Actor,
    ) -> Result<SetStatusResult, AdminError> {
        let own = &self.context.own_replica;
        let is_own = replica == own.id;
        let (host, current, requested) = match self.replica(replica).await? {
            Some(listed) => (listed.host, listed.status, listed.requested),
            // The store has no heartbeat of it yet, or has lost it.
            None if is_own => (own.host.clone(), own.status(), None),
            None => return Ok(SetStatusResult::NotRunning),
        };
        let before = requested
            .as_ref()
            .map_or(current.status, |request| request.status);
        if before == status {
            if let Some(request) = requested.filter(|_| is_own) {
                own.apply(request);
            }
            return Ok(SetStatusResult::Unchanged);
        }
        let (action, name) = (AuditAction::SetStatus, format!("{host}/{replica}"));
        let mut event = AuditRecord::new(by, self.store.now()?, action, "replica", &name);
        event.before = Some(serde_json::json!({"status": before}));
        event.after = Some(serde_json::json!({"status": status}));
        self.append_audit_event(&event).await?;
        let since = current.since().unwrap_or_default();
        let request = self
            .store
            .request_status(replica, status, &by.name, since)
            .await?;
        if !is_own {
            return Ok(SetStatusResult::Requested);
        }
        own.apply(request);
        Ok(SetStatusResult::Applied)
    }

    /// A running replica; `None` if there is none with this id.
    ///
    /// # Errors
    /// [`AdminError::Service`] for errors of the store.
    pub async fn replica(&self, id: &str) -> Result<Option<Replica>, AdminError> {
        let mut replicas = self.replicas().await?.into_iter();
        Ok(replicas.find(|replica| replica.id == id))
    }
}
