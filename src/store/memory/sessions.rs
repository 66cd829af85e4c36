//! What happens in the embedded store whether requests come or not: what has ended is taken away, and
//! the sessions of services that are over are ended.

use std::{mem, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{sync::watch, time};

use super::{MemoryStore, books::Books, state::State};
use crate::{
    store::{
        Group, Groups, Moment, ServiceId, Session, Sessions,
        session::{AT_ONCE, try_to_end},
    },
    telemetry::metrics::{CLEANUP_ACTIVE, LISTENED_TO, Shared, TELLING, tell},
};

/// How often what has ended is looked for while nobody asks the store anything.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// A service that is over, and the sessions that it held.
pub(super) struct Over {
    id: ServiceId,
    sessions: Vec<Session>,
    since: Moment,
    /// When they are to be ended.
    due: Moment,
}

impl Over {
    pub(super) fn since(since: Moment, id: ServiceId, sessions: Vec<Session>) -> Self {
        Self {
            id,
            sessions,
            since,
            due: since,
        }
    }
}

impl State {
    pub(super) fn attach(&mut self, id: &ServiceId, session: Session) -> Option<()> {
        self.services.get_mut(id)?.sessions.push(session);
        Some(())
    }

    /// What is told of the whole.
    fn survey(&self, groups: &[Arc<Group>]) -> Shared {
        let groups = groups.iter().map(|group| {
            let books = self.books.get(&group.name);
            let (held, free) = books.map_or((0, group.numbers.len()), Books::held_and_free);
            (group.name.clone(), held as u64, free as u64)
        });
        Shared {
            services: Some(self.services.len() as u64),
            lag: Some(Duration::ZERO),
            groups: groups.collect(),
        }
    }

    /// Ends the making of a service.
    pub(super) fn settle(
        &mut self,
        id: &ServiceId,
        end: Moment,
        answer: Option<&str>,
    ) -> Option<()> {
        self.set_end(id, end)?;
        if let Some(answer) = answer {
            self.services.get_mut(id)?.answer = Some(answer.to_owned());
        }
        Some(())
    }
}

impl MemoryStore {
    /// Cleans up for as long as it is polled.
    pub async fn clean_up(
        self: Arc<Self>,
        groups: watch::Receiver<Groups>,
        sessions: Arc<dyn Sessions>,
    ) {
        // No other replica does, and nobody has to be told of what ends here.
        CLEANUP_ACTIVE.set(true);
        let _told = (LISTENED_TO.hold(), TELLING.hold());
        let mut ticks = time::interval(SWEEP_EVERY);
        ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        let mut under_way = FuturesUnordered::new();
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    tell(self.state().survey(&groups.borrow().current));
                    for over in self.take_due(AT_ONCE - under_way.len()) {
                        under_way.push(self.end_those_of(over, &*sessions));
                    }
                }
                Some(()) = under_way.next() => {}
            }
        }
    }

    async fn end_those_of(&self, over: Over, sessions: &dyn Sessions) {
        let Over {
            id,
            sessions: held,
            since,
            ..
        } = over;
        if let Some((sessions, due)) = try_to_end(sessions, self, &id, held, since).await {
            self.state().over.push(Over {
                id,
                sessions,
                since,
                due,
            });
        }
    }

    /// Takes away what has ended, and gives what is to be ended now, `most` at most.
    fn take_due(&self, most: usize) -> Vec<Over> {
        let mut state = self.state();
        let now = self.clock.now();
        let (mut due, mut later): (Vec<Over>, Vec<Over>) = mem::take(&mut state.over)
            .into_iter()
            .partition(|over| over.due <= now);
        later.extend(due.drain(most.min(due.len())..));
        state.over = later;
        due
    }
}
