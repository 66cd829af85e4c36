//! Coming to an end: told by a signal, the service is no longer ready, finishes what is in flight,
//! and stops.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::signal::unix::{SignalKind, signal};
use tracing::warn;

/// Whether the service still wants requests; shared by all workers.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    draining: Arc<AtomicBool>,
}

impl Readiness {
    /// Whether the service is about to stop.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// From now on the service is about to stop.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }
}

/// Returns when the process is asked to stop, by SIGTERM or SIGINT. Where the system does not let
/// signals be listened to it never returns: then the system's own way of ending a process remains.
pub async fn asked() {
    let listened = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    );
    let (Ok(mut terminate), Ok(mut interrupt)) = listened else {
        warn!("signals cannot be listened to: the service will not stop gracefully");
        return pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
