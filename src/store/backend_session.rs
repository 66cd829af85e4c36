//! Backend sessions: the sessions that services run on backends.
//!
//! A store records the backend sessions of a service and has them terminated after the service has
//! ended. [`BackendSessions`] implements the termination.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time;
use tracing::warn;

use super::Clock;
use crate::model::{BackendSession, ServiceId, TerminateResult, Timestamp};

/// The maximum number of concurrent terminations.
pub(super) const MAX_CONCURRENT_TERMINATIONS: usize = 32;
/// The time after the end of a service at which retries of the termination stop.
const TERMINATE_DEADLINE: Duration = Duration::from_secs(30 * 60);
/// The minimum and maximum pause between two attempts.
const RETRY_BACKOFF: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// Terminates backend sessions.
#[async_trait]
pub trait BackendSessions: Send + Sync {
    /// Returns the timeout of one attempt.
    fn terminate_timeout(&self) -> Duration;

    /// Terminates the session of the service `id`, which has ended. May be called more than once for a
    /// session, even after it has ended.
    async fn terminate(&self, id: &ServiceId, session: &BackendSession) -> TerminateResult;
}

/// Tries to terminate `pending` sessions of a service that is known to have ended at `since`. Returns
/// the sessions to retry and the time of the retry; after half an hour it returns `None`.
pub(super) async fn try_terminate(
    sessions: &dyn BackendSessions,
    clock: &dyn Clock,
    id: &ServiceId,
    pending: Vec<BackendSession>,
    since: Timestamp,
) -> Option<(Vec<BackendSession>, Timestamp)> {
    let mut failed = Vec::new();
    for session in pending {
        let result = time::timeout(
            sessions.terminate_timeout(),
            sessions.terminate(id, &session),
        )
        .await;
        if !matches!(result, Ok(TerminateResult::Done)) {
            failed.push(session);
        }
    }
    if failed.is_empty() {
        return None;
    }
    // If the clock is unavailable, the retry is early.
    let now = clock.now().unwrap_or(since);
    let ended_for = now.since(since);
    if ended_for < TERMINATE_DEADLINE {
        let pause = (ended_for / 2).clamp(RETRY_BACKOFF.0, RETRY_BACKOFF.1);
        return Some((failed, now.after(pause)));
    }
    for BackendSession { backend, name, .. } in failed {
        warn!(id = %id.redacted(), backend, session = name, "session termination abandoned");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StoreError;

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

    async fn retry_delay_after(ended_for: Duration) -> Option<Duration> {
        let (id, now) = (ServiceId::generate(), Timestamp::from_millis(NOW));
        let since =
            Timestamp::from_millis(now.millis() - i64::try_from(ended_for.as_millis()).unwrap());
        let session = BackendSession {
            definition: "chat".to_owned(),
            backend: "http://localhost:1".to_owned(),
            name: "1".to_owned(),
        };
        let retry = try_terminate(
            &UnreachableBackend,
            &FixedClock,
            &id,
            vec![session.clone()],
            since,
        )
        .await?;
        assert_eq!(retry.0, [session]);
        Some(retry.1.since(now))
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
