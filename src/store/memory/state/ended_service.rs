//! Ended services whose backend sessions are to be terminated.

use crate::model::{BackendSession, ServiceId, Timestamp};

/// An ended service and its backend sessions.
pub(in crate::store::memory) struct EndedService {
    pub(in crate::store::memory) id: ServiceId,
    pub(in crate::store::memory) sessions: Vec<BackendSession>,
    pub(in crate::store::memory) since: Timestamp,
    /// The time of the next attempt to terminate them.
    pub(in crate::store::memory) due: Timestamp,
}

impl EndedService {
    pub(in crate::store::memory) fn new(
        since: Timestamp,
        id: ServiceId,
        sessions: Vec<BackendSession>,
    ) -> Self {
        Self {
            id,
            sessions,
            since,
            due: since,
        }
    }
}
