//! Cleanup of the embedded store: it removes expired data and terminates the backend sessions of ended
//! services.

use std::{mem, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{sync::watch, time};

use super::{
    MemoryStore,
    state::{EndedService, GroupState, ServiceRecord, State},
};
use crate::{
    model::{
        AllocationStrategy, BackendSession, Group, Groups, RunningService, ServiceId, StoreError,
        Timestamp,
        cleanup_status::{DeploymentStats, GroupStats},
    },
    store::{
        BackendSessionStore, BackendSessions,
        backend_session::{MAX_CONCURRENT_TERMINATIONS, try_terminate},
    },
};

/// The interval of the sweep for expired data.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

impl State {
    pub(super) fn attach_session(&mut self, id: &ServiceId, session: BackendSession) -> Option<()> {
        self.services.get_mut(id)?.sessions.push(session);
        Some(())
    }

    /// Collects the statistics of the whole deployment.
    fn deployment_stats(&self, groups: &[Arc<Group>], now: Timestamp) -> DeploymentStats {
        let groups = groups.iter().map(|group| {
            let state = self.groups.get(&group.name);
            let (booked, free) =
                state.map_or((0, group.numbers.len()), GroupState::booked_and_free);
            let is_exclusive = group.strategy == AllocationStrategy::Exclusive;
            GroupStats {
                name: group.name.clone(),
                booked: booked as u64,
                free: is_exclusive.then_some(free as u64),
                quarantined: state.map_or(0, |state| state.usage().quarantined),
            }
        });
        DeploymentStats {
            active_services: Some(self.services.len() as u64),
            cleanup_lag: Some(Duration::ZERO),
            chats: self.count_chats(),
            available_agents: Some(self.count_agents(now)),
            groups: groups.collect(),
        }
    }

    /// Completes the create of a service.
    pub(super) fn finish_create(
        &mut self,
        id: &ServiceId,
        end: Timestamp,
        response: Option<&str>,
    ) -> Option<()> {
        self.set_end(id, end)?;
        let record = self.services.get_mut(id)?;
        if let Some(response) = response {
            record.response = Some(response.to_owned());
        }
        if mem::take(&mut record.is_pending) {
            self.add_created_event(id);
        }
        Some(())
    }
}

#[async_trait]
impl BackendSessionStore for MemoryStore {
    async fn running_service(&self, id: &ServiceId) -> Result<Option<RunningService>, StoreError> {
        Ok(self.state().service(id).map(ServiceRecord::running))
    }

    async fn attach_session(
        &self,
        id: &ServiceId,
        session: &BackendSession,
    ) -> Result<Option<()>, StoreError> {
        Ok(self.state().attach_session(id, session.clone()))
    }
}

impl MemoryStore {
    /// Runs the cleanup until the future is dropped.
    pub async fn clean_up(
        self: Arc<Self>,
        mut groups: watch::Receiver<Groups>,
        sessions: Arc<dyn BackendSessions>,
    ) {
        // This process is the only one, and expirations need no notifications.
        self.cleanup.set_leader(true);
        let _listeners = [
            self.cleanup.expect_notifications(),
            self.cleanup.receive_notifications(),
        ];
        let mut ticks = time::interval(SWEEP_INTERVAL);
        ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        let mut in_progress = FuturesUnordered::new();
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    self.expire_chat_clients();
                    let now = self.clock.now();
                    let stats = self.state().deployment_stats(&groups.borrow().current, now);
                    self.cleanup.set_deployment(stats);
                    for ended in self.take_due(MAX_CONCURRENT_TERMINATIONS - in_progress.len()) {
                        in_progress.push(self.terminate_sessions_of(ended, &*sessions));
                    }
                }
                Some(()) = in_progress.next() => {}
                Ok(()) = groups.changed() => {
                    let groups = groups.borrow_and_update();
                    self.state().sync_groups(&groups);
                }
            }
        }
    }

    async fn terminate_sessions_of(&self, ended: EndedService, sessions: &dyn BackendSessions) {
        let EndedService {
            id,
            sessions: pending,
            since,
            ..
        } = ended;
        if let Some((sessions, due)) = try_terminate(sessions, self, &id, pending, since).await {
            self.state().ended_services.push(EndedService {
                id,
                sessions,
                since,
                due,
            });
        }
    }

    /// Removes and returns at most `limit` ended services whose sessions are due.
    fn take_due(&self, limit: usize) -> Vec<EndedService> {
        let mut state = self.state();
        let now = self.clock.now();
        let (mut due, mut later): (Vec<EndedService>, Vec<EndedService>) =
            mem::take(&mut state.ended_services)
                .into_iter()
                .partition(|service| service.due <= now);
        later.extend(due.drain(limit.min(due.len())..));
        state.ended_services = later;
        due
    }
}
