//! The embedded store: maps in the memory of this process behind one lock.
//!
//! It is for evaluation and for a single replica; its data is lost when the process exits. Expirations
//! are in a queue ordered by time, and each operation first removes everything that has expired, so no
//! operation sees expired data. No operation waits while it has the lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::Notify;

use self::{comet::CometTable, state::State};
use super::{Clock, HealthCheck, WebhookHub, chat_signals::ChatSignals, clock::AnchoredClock};
use crate::model::{StoreError, Timestamp, cleanup_status::CleanupStatus, readiness::Finding};

mod admin_queries;
mod admin_sessions;
mod audit_log;
mod backend_session;
mod binaries;
mod bookings;
mod catalog;
mod chats;
mod comet;
mod consistency_check;
mod idempotency;
mod match_diagnostics;
mod quarantine;
mod rate_limit;
mod replicas;
mod service_list;
mod services;
mod state;
mod statistics;
mod storage;
mod webhooks;

/// The embedded store.
pub struct MemoryStore {
    state: Mutex<State>,
    clock: AnchoredClock,
    max_keys: usize,
    cleanup: CleanupStatus,
    /// Notified after each change of the catalog.
    catalog_changed: Notify,
    /// Notified after each request of a status.
    status_requested: Notify,
    chat_signals: ChatSignals,
    webhooks: WebhookHub,
    /// Bayeux sessions, which have a lock of their own.
    comet: Mutex<CometTable>,
}

impl MemoryStore {
    /// Creates an empty store for at most `max_bytes` bytes of names, values and binaries in total, and
    /// at most `max_keys` keys per service.
    #[must_use]
    pub fn new(max_bytes: usize, max_keys: usize) -> Self {
        let clock = AnchoredClock::from_system_time();
        let mut state = State::new(max_bytes, clock);
        let webhooks = WebhookHub::default();
        state.webhooks.hub = webhooks.clone();
        Self {
            state: Mutex::new(state),
            clock,
            max_keys,
            cleanup: CleanupStatus::default(),
            catalog_changed: Notify::new(),
            status_requested: Notify::new(),
            chat_signals: ChatSignals::default(),
            webhooks,
            comet: Mutex::default(),
        }
    }

    /// The state of the cleanup of this replica.
    #[must_use]
    pub fn cleanup_status(&self) -> &CleanupStatus {
        &self.cleanup
    }

    /// Removes expired data. Operations do this themselves; regular calls free the memory of an idle
    /// process.
    pub fn sweep(&self) {
        drop(self.state());
        self.remove_expired_comet_users();
    }

    /// Locks the state and removes expired data. A panic cannot leave the state inconsistent, because
    /// every change is validated before its first step; therefore a poisoned lock is used as it is.
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.remove_expired(self.clock.now());
        state
    }
}

/// The wall clock at the time the store was opened; later jumps of the wall clock do not affect
/// expirations.
impl Clock for MemoryStore {
    fn now(&self) -> Result<Timestamp, StoreError> {
        Ok(self.clock.now())
    }
}

#[async_trait]
impl HealthCheck for MemoryStore {
    async fn check_health(&self) -> Result<Vec<Finding>, StoreError> {
        Ok(Vec::new())
    }
}
