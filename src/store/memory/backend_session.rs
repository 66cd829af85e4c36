//! What happens in the embedded store whether requests come or not: what has ended is taken away, and
//! the sessions of services that are over are ended.

use std::{mem, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{sync::watch, time};

use super::{MemoryStore, bookings::GroupState, state::State};
use crate::{
    store::{
        BackendSession, BackendSessions, Group, Groups, ServiceId, Timestamp,
        backend_session::{MAX_CONCURRENT_TERMINATIONS, try_terminate},
    },
    telemetry::metrics::{
        CLEANUP_LEADER, ClusterMetrics, KEYSPACE_LISTENERS_EXPECTED, KEYSPACE_LISTENERS_SUBSCRIBED,
        set_cluster_metrics,
    },
};

/// How often what has ended is looked for while nobody asks the store anything.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// A service that is over, and the sessions that it held.
pub(super) struct EndedService {
    id: ServiceId,
    sessions: Vec<BackendSession>,
    since: Timestamp,
    /// When they are to be ended.
    due: Timestamp,
}

impl EndedService {
    pub(super) fn new(since: Timestamp, id: ServiceId, sessions: Vec<BackendSession>) -> Self {
        Self {
            id,
            sessions,
            since,
            due: since,
        }
    }
}

impl State {
    pub(super) fn attach_session(&mut self, id: &ServiceId, session: BackendSession) -> Option<()> {
        self.services.get_mut(id)?.sessions.push(session);
        Some(())
    }

    /// What is told of the whole.
    fn collect_shared_metrics(&self, groups: &[Arc<Group>]) -> ClusterMetrics {
        let groups = groups.iter().map(|group| {
            let books = self.groups.get(&group.name);
            let (held, free) = books.map_or((0, group.numbers.len()), GroupState::booked_and_free);
            (group.name.clone(), held as u64, free as u64)
        });
        ClusterMetrics {
            active_services: Some(self.services.len() as u64),
            cleanup_lag: Some(Duration::ZERO),
            groups: groups.collect(),
        }
    }

    /// Ends the making of a service.
    pub(super) fn finish_create(
        &mut self,
        id: &ServiceId,
        end: Timestamp,
        answer: Option<&str>,
    ) -> Option<()> {
        self.set_end(id, end)?;
        if let Some(answer) = answer {
            self.services.get_mut(id)?.response = Some(answer.to_owned());
        }
        Some(())
    }
}

impl MemoryStore {
    /// Cleans up for as long as it is polled.
    pub async fn clean_up(
        self: Arc<Self>,
        groups: watch::Receiver<Groups>,
        sessions: Arc<dyn BackendSessions>,
    ) {
        // No other replica does, and nobody has to be told of what ends here.
        CLEANUP_LEADER.set(true);
        let _told = (
            KEYSPACE_LISTENERS_EXPECTED.track(),
            KEYSPACE_LISTENERS_SUBSCRIBED.track(),
        );
        let mut ticks = time::interval(SWEEP_INTERVAL);
        ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        let mut under_way = FuturesUnordered::new();
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    set_cluster_metrics(self.state().collect_shared_metrics(&groups.borrow().current));
                    for over in self.take_due(MAX_CONCURRENT_TERMINATIONS - under_way.len()) {
                        under_way.push(self.terminate_sessions_of(over, &*sessions));
                    }
                }
                Some(()) = under_way.next() => {}
            }
        }
    }

    async fn terminate_sessions_of(&self, over: EndedService, sessions: &dyn BackendSessions) {
        let EndedService {
            id,
            sessions: held,
            since,
            ..
        } = over;
        if let Some((sessions, due)) = try_terminate(sessions, self, &id, held, since).await {
            self.state().ended_services.push(EndedService {
                id,
                sessions,
                since,
                due,
            });
        }
    }

    /// Takes away what has ended, and gives what is to be ended now, `most` at most.
    fn take_due(&self, most: usize) -> Vec<EndedService> {
        let mut state = self.state();
        let now = self.clock.now();
        let (mut due, mut later): (Vec<EndedService>, Vec<EndedService>) =
            mem::take(&mut state.ended_services)
                .into_iter()
                .partition(|over| over.due <= now);
        later.extend(due.drain(most.min(due.len())..));
        state.ended_services = later;
        due
    }
}
