//! The task that keeps a connection open.

use std::{sync::Arc, time::Duration};

use redis::{ConnectionAddr, aio::MultiplexedConnection};
use tokio::{sync::watch, time};
use tracing::{info, warn};

use super::{Connected, ConnectionState};
use crate::{
    store::redis::connection::{
        clock::{ServerClock, measure},
        connector::Connector,
        errors::is_lost,
    },
    telemetry::metrics::GaugeGuard,
};

/// The interval of health checks of an idle connection.
const HEALTH_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// The pause before a reconnect after a failed attempt: initial and maximum.
const RECONNECT_BACKOFF: (Duration, Duration) =
    (Duration::from_millis(50), Duration::from_millis(400));

/// Keeps the connection open until the task is aborted.
pub(super) async fn reconnect_loop(
    connector: Connector,
    address: ConnectionAddr,
    clocks: [Arc<ServerClock>; 2],
    state: watch::Sender<ConnectionState>,
    mut broken: watch::Receiver<u64>,
) {
    let mut generation = 0;
    let mut pause = RECONNECT_BACKOFF.0;
    loop {
        match connector.connect(&address).await {
            Ok((driven, time)) => {
                for clock in &clocks {
                    clock.reset(time);
                }
                generation += 1;
                pause = RECONNECT_BACKOFF.0;
                info!(server = %address, generation, "redis connection opened");
                let connection = driven.connection.clone();
                let connected = Connected {
                    driven,
                    generation,
                    opened_at: time::Instant::now(),
                    barrier: Arc::default(),
                };
                state.send_replace(ConnectionState::Up(connected));
                let gauge_guard = GaugeGuard::new(&connector.metrics.connections);
                let reason = wait_until_broken(connection, &clocks, &mut broken, generation).await;
                drop(gauge_guard);
                connector.metrics.disconnects.inc();
                warn!(server = %address, generation, reason, "redis connection lost");
                state.send_replace(ConnectionState::Connecting);
            }
            Err(finding) => {
                if !matches!(&*state.borrow(), ConnectionState::Failed(_)) {
                    warn!(
                        server = %address,
                        reason = finding.reason.name(), detail = finding.detail,
                        "redis connection failed"
                    );
                }
                state.send_replace(ConnectionState::Failed(finding));
                time::sleep(pause).await;
                pause = (pause * 2).min(RECONNECT_BACKOFF.1);
            }
        }
    }
}

/// Returns the reason when the connection is no longer usable.
///
/// The health check is a `TIME` command, which also updates the measured clock of the server.
async fn wait_until_broken(
    mut connection: MultiplexedConnection,
    clocks: &[Arc<ServerClock>; 2],
    broken: &mut watch::Receiver<u64>,
    generation: u64,
) -> String {
    loop {
        tokio::select! {
            // Requests that fail late report an earlier connection.
            _ = broken.wait_for(|broken| *broken == generation) => {
                return "a request failed".to_owned();
            }
            () = time::sleep(HEALTH_CHECK_INTERVAL) => {}
        }
        match measure(&mut connection).await {
            Ok(time) => {
                for clock in clocks {
                    clock.update(time);
                }
            }
            Err(error) if is_lost(&error) => return error.to_string(),
            Err(_) => {}
        }
    }
}
