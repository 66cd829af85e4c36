//! Shutdown signals: after SIGTERM the service is not ready, still serves for `server.drain_seconds`, in
//! which load balancers notice, then finishes requests in flight and stops.

use std::{future::pending, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time,
};
use tracing::{info, warn};

use crate::model::readiness::Readiness;

/// Handlers of the shutdown signals, installed when this is created. Create it before the service is
/// announced: an earlier signal would kill the process.
pub struct Signals(Option<(Signal, Signal)>);

impl Signals {
    /// Installs the handlers. If the system does not allow that, signals end the process by default.
    #[must_use]
    pub fn listen() -> Self {
        let handlers = (
            signal(SignalKind::terminate()),
            signal(SignalKind::interrupt()),
        );
        let (Ok(terminate), Ok(interrupt)) = handlers else {
            warn!("signal handlers cannot be installed: no graceful shutdown");
            return Self(None);
        };
        Self(Some((terminate, interrupt)))
    }

    /// Completes when the process should stop. SIGTERM announces this: for `drain` the service is not ready
    /// and still serves. SIGINT, or a second signal, completes it at once.
    pub async fn wait_for_signal(self, readiness: Readiness, drain: Duration) {
        let Some((mut terminate, mut interrupt)) = self.0 else {
            return pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => return,
        }
        readiness.drain();
        let seconds = drain.as_secs();
        info!(seconds, "shutdown requested, draining");
        tokio::select! {
            () = time::sleep(drain) => {}
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}
