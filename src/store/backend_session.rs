//! Sessions: what a service holds outside of every store, on a backend.
//!
//! A store keeps with a service where its session runs, and sees to it that somebody ends it after the
//! service. How that is done it does not know: it tells [`BackendSessions`].

use std::time::Duration;

use async_trait::async_trait;
use tokio::time;
use tracing::warn;

use super::{Clock, ServiceId, Timestamp};

/// Sessions that are being ended at the same time.
pub(super) const MAX_CONCURRENT_TERMINATIONS: usize = 32;
/// For how long after the end of a service it is tried to end its session.
const TERMINATE_DEADLINE: Duration = Duration::from_secs(30 * 60);
/// Shortest and longest pause between two attempts.
const RETRY_BACKOFF: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// Where a service runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BackendSession {
    /// Name of the configured service, which says how the session is ended.
    pub definition: String,
    /// The backend that holds it, without control characters.
    pub backend: String,
    /// Its name there, without control characters; may be empty.
    pub name: String,
}

/// A living service, as far as a request to it needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningService {
    /// Name of the configured service it was made from.
    pub definition: String,
    /// Its backend and its name there, where it runs on one.
    pub session: Option<BackendSession>,
}

/// What became of an attempt to end a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TerminateResult {
    /// It is over, or there is nothing that could be done about it.
    Done,
    /// The backend was not reached: try again.
    Retry,
}

/// Whoever can end sessions.
#[async_trait]
pub trait BackendSessions: Send + Sync {
    /// How long one attempt may take.
    fn terminate_timeout(&self) -> Duration;

    /// Ends the session that the service `id` held. The service is over; of one session this may be
    /// asked more than once, even after it has ended.
    async fn terminate(&self, id: &ServiceId, session: &BackendSession) -> TerminateResult;
}

/// Tries to end `held`, of a service that has been known to be over `since`. Gives the ones that are
/// to be tried again, and when; after half an hour none is.
pub(super) async fn try_terminate(
    sessions: &dyn BackendSessions,
    clock: &dyn Clock,
    id: &ServiceId,
    held: Vec<BackendSession>,
    since: Timestamp,
) -> Option<(Vec<BackendSession>, Timestamp)> {
    let mut left = Vec::new();
    for session in held {
        let ended = time::timeout(
            sessions.terminate_timeout(),
            sessions.terminate(id, &session),
        )
        .await;
        if !matches!(ended, Ok(TerminateResult::Done)) {
            left.push(session);
        }
    }
    if left.is_empty() {
        return None;
    }
    // A clock that cannot be read has it tried again soon.
    let now = clock.now().unwrap_or(since);
    let over_for = now.since(since);
    if over_for < TERMINATE_DEADLINE {
        let pause = (over_for / 2).clamp(RETRY_BACKOFF.0, RETRY_BACKOFF.1);
        return Some((left, now.after(pause)));
    }
    for BackendSession { backend, name, .. } in left {
        warn!(id = %id.redacted(), backend, session = name, "a session could not be ended, and is given up");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;

    struct UnreachableBackend;

    #[async_trait]
    impl BackendSessions for UnreachableBackend {
        fn terminate_timeout(&self) -> Duration {
            Duration::from_secs(1)
        }

        async fn terminate(&self, _id: &ServiceId, _session: &BackendSession) -> TerminateResult {
            TerminateResult::Retry
        }
    }

    const NOW: i64 = 1_795_455_943_000;

    struct FixedClock;

    impl Clock for FixedClock {
        fn now(&self) -> Result<Timestamp, StoreError> {
            Ok(Timestamp::from_millis(NOW))
        }
    }

    async fn retry_delay_after(over_for: Duration) -> Option<Duration> {
        let (id, now) = (ServiceId::generate(), Timestamp::from_millis(NOW));
        let since =
            Timestamp::from_millis(now.millis() - i64::try_from(over_for.as_millis()).unwrap());
        let session = BackendSession {
            definition: "chat".to_owned(),
            backend: "http://localhost:1".to_owned(),
            name: "1".to_owned(),
        };
        let left = try_terminate(
            &UnreachableBackend,
            &FixedClock,
            &id,
            vec![session.clone()],
            since,
        )
        .await?;
        assert_eq!(left.0, [session]);
        Some(left.1.since(now))
    }

    #[tokio::test]
    async fn termination_retries_back_off_until_the_deadline() {
        let seconds = Duration::from_secs;
        assert!(retry_delay_after(seconds(0)).await.unwrap() >= seconds(5));
        let later = retry_delay_after(seconds(60)).await.unwrap();
        assert!((seconds(30)..seconds(60)).contains(&later), "{later:?}");
        assert!(retry_delay_after(seconds(29 * 60)).await.unwrap() >= seconds(60));
        assert_eq!(retry_delay_after(seconds(31 * 60)).await, None);
    }
}
