//! The limits of event streams of agents: in total, and per agent.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::service::ServiceError;

/// The maximum number of event streams of one agent.
const MAX_PER_AGENT: usize = 10;

/// The number of open streams.
pub(super) struct StreamLimits {
    max: usize,
    streams: Mutex<Streams>,
}

#[derive(Default)]
struct Streams {
    total: usize,
    by_agent: HashMap<String, usize>,
}

/// Counts a stream.
pub(super) struct StreamPermit {
    limits: Arc<StreamLimits>,
    agent: String,
}

impl StreamLimits {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            streams: Mutex::default(),
        }
    }

    /// Counts a stream of an agent.
    ///
    /// # Errors
    /// [`ServiceError::TooManyAgentStreams`], [`ServiceError::TooManyStreamsOfAgent`].
    pub(super) fn acquire(self: &Arc<Self>, agent: &str) -> Result<StreamPermit, ServiceError> {
        let mut streams = self.lock();
        if streams.total >= self.max {
            return Err(ServiceError::TooManyAgentStreams(self.max));
        }
        let count = streams.by_agent.get(agent).copied().unwrap_or(0);
        if count >= MAX_PER_AGENT {
            return Err(ServiceError::TooManyStreamsOfAgent(MAX_PER_AGENT));
        }
        streams.total += 1;
        streams.by_agent.insert(agent.to_owned(), count + 1);
        Ok(StreamPermit {
            limits: Arc::clone(self),
            agent: agent.to_owned(),
        })
    }

    /// Whether no stream is open.
    pub(super) fn are_unused(&self) -> bool {
        self.lock().total == 0
    }

    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        let mut streams = self.limits.lock();
        streams.total -= 1;
        if let Some(count) = streams.by_agent.get_mut(&self.agent) {
            *count -= 1;
            if *count == 0 {
                streams.by_agent.remove(&self.agent);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_agent_cannot_take_all_streams() {
        let limits = Arc::new(StreamLimits::new(MAX_PER_AGENT + 1));
        let mut of_ann: Vec<_> = (0..MAX_PER_AGENT)
            .map(|_| limits.acquire("ann").unwrap())
            .collect();
        let of_agent = limits.acquire("ann").err();
        assert!(
            matches!(of_agent, Some(ServiceError::TooManyStreamsOfAgent(10))),
            "{of_agent:?}"
        );
        let of_bob = limits.acquire("bob").unwrap();
        let total = limits.acquire("eve").err();
        assert!(
            matches!(total, Some(ServiceError::TooManyAgentStreams(11))),
            "{total:?}"
        );
        of_ann.pop();
        of_ann.push(limits.acquire("ann").unwrap());
        drop((of_ann, of_bob));
        assert!(limits.are_unused() && limits.lock().by_agent.is_empty());
    }
}
