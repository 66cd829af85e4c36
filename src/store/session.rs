//! Sessions: what a service holds outside of every store, on a backend.
//!
//! A store keeps with a service where its session runs, and sees to it that somebody ends it after the
//! service. How that is done it does not know: it tells [`Sessions`].

use std::time::Duration;

use async_trait::async_trait;
use tokio::time;
use tracing::warn;

use super::{Clock, Moment, ServiceId};

/// Sessions that are being ended at the same time.
pub(super) const AT_ONCE: usize = 32;
/// For how long after the end of a service it is tried to end its session.
const GIVE_UP_AFTER: Duration = Duration::from_secs(30 * 60);
/// Shortest and longest pause between two attempts.
const PAUSE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// Where a service runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Session {
    /// Name of the configured service, which says how the session is ended.
    pub definition: String,
    /// The backend that holds it, without control characters.
    pub backend: String,
    /// Its name there, without control characters; may be empty.
    pub name: String,
}

/// A living service, as far as a request to it needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Name of the configured service it was made from.
    pub definition: String,
    /// Its backend and its name there, where it runs on one.
    pub session: Option<Session>,
}

/// What became of an attempt to end a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It is over, or there is nothing that could be done about it.
    ForGood,
    /// The backend was not reached: try again.
    NotYet,
}

/// Whoever can end sessions.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// How long one attempt may take.
    fn patience(&self) -> Duration;

    /// Ends the session that the service `id` held. The service is over; of one session this may be
    /// asked more than once, even after it has ended.
    async fn end(&self, id: &ServiceId, session: &Session) -> Ended;
}

/// Tries to end `held`, of a service that has been known to be over `since`. Gives the ones that are
/// to be tried again, and when; after half an hour none is.
pub(super) async fn try_to_end(
    sessions: &dyn Sessions,
    clock: &dyn Clock,
    id: &ServiceId,
    held: Vec<Session>,
    since: Moment,
) -> Option<(Vec<Session>, Moment)> {
    let mut left = Vec::new();
    for session in held {
        let ended = time::timeout(sessions.patience(), sessions.end(id, &session)).await;
        if !matches!(ended, Ok(Ended::ForGood)) {
            left.push(session);
        }
    }
    if left.is_empty() {
        return None;
    }
    // A clock that cannot be read has it tried again soon.
    let now = clock.now().unwrap_or(since);
    let over_for = now.since(since);
    if over_for < GIVE_UP_AFTER {
        let pause = (over_for / 2).clamp(PAUSE.0, PAUSE.1);
        return Some((left, now.after(pause)));
    }
    for Session { backend, name, .. } in left {
        warn!(id = %id.hint(), backend, session = name, "a session could not be ended, and is given up");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;

    struct Dead;

    #[async_trait]
    impl Sessions for Dead {
        fn patience(&self) -> Duration {
            Duration::from_secs(1)
        }

        async fn end(&self, _id: &ServiceId, _session: &Session) -> Ended {
            Ended::NotYet
        }
    }

    const NOW: i64 = 1_795_455_943_000;

    struct Stopped;

    impl Clock for Stopped {
        fn now(&self) -> Result<Moment, StoreError> {
            Ok(Moment::from_millis(NOW))
        }
    }

    async fn tried(over_for: Duration) -> Option<Duration> {
        let (id, now) = (ServiceId::fresh(), Moment::from_millis(NOW));
        let since =
            Moment::from_millis(now.millis() - i64::try_from(over_for.as_millis()).unwrap());
        let session = Session {
            definition: "chat".to_owned(),
            backend: "http://localhost:1".to_owned(),
            name: "1".to_owned(),
        };
        let left = try_to_end(&Dead, &Stopped, &id, vec![session.clone()], since).await?;
        assert_eq!(left.0, [session]);
        Some(left.1.since(now))
    }

    #[tokio::test]
    async fn what_cannot_be_ended_is_tried_again_ever_more_rarely_and_then_given_up() {
        let seconds = Duration::from_secs;
        assert!(tried(seconds(0)).await.unwrap() >= seconds(5));
        let later = tried(seconds(60)).await.unwrap();
        assert!((seconds(30)..seconds(60)).contains(&later), "{later:?}");
        assert!(tried(seconds(29 * 60)).await.unwrap() >= seconds(60));
        assert_eq!(tried(seconds(31 * 60)).await, None);
    }
}
