//! The state of a connection.

use std::sync::{Arc, atomic::AtomicU64};

use tokio::{sync::Mutex, time};

use crate::{model::readiness::Finding, store::redis::connection::driver::DrivenConnection};

/// The state of a connection.
pub(super) enum ConnectionState {
    Connecting,
    Up(Connected),
    Failed(Finding),
}

#[derive(Clone)]
pub(super) struct Connected {
    pub(super) driven: DrivenConnection,
    /// Distinguishes this connection from earlier and later ones.
    pub(super) generation: u64,
    pub(super) opened_at: time::Instant,
    pub(super) barrier: Arc<ReplicationBarrier>,
}

impl Connected {
    /// Whether it is newer than the generation `after` and not known to be closed.
    pub(super) fn is_usable(&self, after: u64) -> bool {
        self.generation > after && !self.driven.is_closed()
    }
}

/// Tracks the changes over one connection and their replication. One `WAIT` covers all changes before
/// it, so of several concurrent callers only one sends it.
#[derive(Default)]
pub(super) struct ReplicationBarrier {
    pub(super) writes: AtomicU64,
    /// The last change that a `WAIT` covered, and whether enough replicas acknowledged it.
    pub(super) last_wait: Mutex<(u64, bool)>,
}
