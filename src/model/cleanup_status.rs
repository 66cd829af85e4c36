//! The state of the cleanup of ended services: leadership, keyspace notifications, lag.
//!
//! The cleanup of the store writes it; metrics and the console read it.

use std::{
    collections::BTreeMap,
    mem,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::sync::watch;

/// The state of the cleanup of this replica. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct CleanupStatus(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    is_leader: watch::Sender<bool>,
    released_services: AtomicU64,
    errors: AtomicU64,
    expected_listeners: AtomicUsize,
    receiving_listeners: AtomicUsize,
    deployment: Mutex<DeploymentStats>,
}

/// Statistics of all replicas. Only the cleanup leader has them, so that both the sum and the maximum over all replicas
/// are correct. Unknown values are absent.
#[derive(Debug, Default, Clone)]
pub struct DeploymentStats {
    /// Active services.
    pub active_services: Option<u64>,
    /// The time since the end of the oldest service that awaits cleanup.
    pub cleanup_lag: Option<Duration>,
    /// Open chats by the name of their configured service.
    pub chats: BTreeMap<String, ChatCounts>,
    /// Available agents.
    pub available_agents: Option<u64>,
    /// The numbers of each resource group.
    pub groups: Vec<GroupStats>,
}

/// The counts of the numbers of a resource group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupStats {
    /// The name of the group.
    pub name: String,
    /// Bookings that have not expired.
    pub booked: u64,
    /// Free numbers, if a number is booked only once.
    pub free: Option<u64>,
    /// Quarantined numbers.
    pub quarantined: u64,
}

/// The number of open chats.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct ChatCounts {
    /// Chats without an agent.
    pub waiting: u64,
    /// Chats with an agent.
    pub active: u64,
}

impl CleanupStatus {
    /// Whether this replica is the cleanup leader.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        *self.0.is_leader.borrow()
    }

    /// Sets whether this replica is the cleanup leader.
    pub fn set_leader(&self, is_leader: bool) {
        let leadership = &self.0.is_leader;
        leadership.send_if_modified(|current| mem::replace(current, is_leader) != is_leader);
    }

    /// Subscribes to changes of the leadership.
    #[must_use]
    pub fn subscribe_leadership(&self) -> watch::Receiver<bool> {
        self.0.is_leader.subscribe()
    }

    /// Counts ended services whose resources were released.
    pub fn add_released_services(&self, services: u64) {
        self.0.released_services.fetch_add(services, Relaxed);
    }

    /// The number of ended services whose resources this replica has released.
    #[must_use]
    pub fn released_services(&self) -> u64 {
        self.0.released_services.load(Relaxed)
    }

    /// Counts a cleanup step that failed because of a store error.
    pub fn add_error(&self) {
        self.0.errors.fetch_add(1, Relaxed);
    }

    /// The number of cleanup steps that failed because of a store error.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.0.errors.load(Relaxed)
    }

    /// Counts a server that should send keyspace notifications, until the guard is dropped.
    #[must_use]
    pub fn expect_notifications(&self) -> ListenerGuard {
        ListenerGuard::new(self, |shared| &shared.expected_listeners)
    }

    /// Counts a server that sends keyspace notifications, until the guard is dropped.
    #[must_use]
    pub fn receive_notifications(&self) -> ListenerGuard {
        ListenerGuard::new(self, |shared| &shared.receiving_listeners)
    }

    /// Whether notifications of every ended service arrive: from all servers that should send them.
    #[must_use]
    pub fn notifications_enabled(&self) -> bool {
        let expected = self.0.expected_listeners.load(Relaxed);
        expected > 0 && self.0.receiving_listeners.load(Relaxed) >= expected
    }

    /// Replaces the statistics of all replicas.
    pub fn set_deployment(&self, stats: DeploymentStats) {
        *self
            .0
            .deployment
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = stats;
    }

    /// The statistics of all replicas.
    #[must_use]
    pub fn deployment(&self) -> DeploymentStats {
        self.0
            .deployment
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Counts a server until it is dropped.
#[derive(Debug)]
pub struct ListenerGuard {
    shared: Arc<Shared>,
    counter: fn(&Shared) -> &AtomicUsize,
}

impl ListenerGuard {
    fn new(status: &CleanupStatus, counter: fn(&Shared) -> &AtomicUsize) -> Self {
        counter(&status.0).fetch_add(1, Relaxed);
        Self {
            shared: Arc::clone(&status.0),
            counter,
        }
    }
}

impl Drop for ListenerGuard {
    fn drop(&mut self) {
        (self.counter)(&self.shared).fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notifications_are_enabled_if_all_expected_servers_send_them() {
        let status = CleanupStatus::default();
        assert!(!status.notifications_enabled());
        let _expected = [status.expect_notifications(), status.expect_notifications()];
        let first = status.receive_notifications();
        assert!(!status.notifications_enabled());
        let _second = status.receive_notifications();
        assert!(status.notifications_enabled());
        drop(first);
        assert!(!status.notifications_enabled());
    }

    #[test]
    fn subscribers_see_changes_of_the_leadership_only() {
        let status = CleanupStatus::default();
        let changes = status.subscribe_leadership();
        status.set_leader(false);
        assert!(!changes.has_changed().unwrap());
        status.set_leader(true);
        assert!(changes.has_changed().unwrap() && status.is_leader());
    }
}
