//! Coming to an end: told by a signal, the service is no longer ready and says so; it serves on for a
//! grace, in which load balancers notice; then it finishes what is in flight, and stops.

use std::{future::pending, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time,
};
use tracing::{info, warn};

use crate::model::readiness::Readiness;

/// The signals that ask the process to stop, listened to from the time this is made: before anybody is
/// told that the service is there, or one that comes early kills it as if it knew none.
pub struct Signals(Option<(Signal, Signal)>);

impl Signals {
    /// Begins to listen. Where the system does not let that be done, its own way of ending a process
    /// remains.
    #[must_use]
    pub fn listen() -> Self {
        let listened = (
            signal(SignalKind::terminate()),
            signal(SignalKind::interrupt()),
        );
        let (Ok(terminate), Ok(interrupt)) = listened else {
            warn!("signals cannot be listened to: the service will not stop gracefully");
            return Self(None);
        };
        Self(Some((terminate, interrupt)))
    }

    /// Returns when the process is to stop. SIGTERM says that it will be, in `grace`: until then it is
    /// not ready, and serves on. SIGINT, or a second signal, ends it at once.
    pub async fn wait_for_signal(self, readiness: Readiness, grace: Duration) {
        let Some((mut terminate, mut interrupt)) = self.0 else {
            return pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => return,
        }
        readiness.drain();
        let seconds = grace.as_secs();
        info!(
            seconds,
            "asked to stop; not ready any more, serving on for a grace"
        );
        tokio::select! {
            () = time::sleep(grace) => {}
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}
