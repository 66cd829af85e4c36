//! The state of all endpoints, for metrics.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::sleep;
use tracing::debug;

use super::supervisor::restart_after_panic;
use crate::{
    model::{StoreError, cleanup_status::CleanupStatus, webhook::WebhookEndpoint},
    service::CurrentCatalog,
    store::AdminStore,
    telemetry::metrics::EndpointGauges,
};

/// The interval between samples.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(5);

/// The last sample. Clones share it.
#[derive(Clone, Default)]
pub struct WebhookStatistics(Arc<Mutex<Vec<EndpointGauges>>>);

impl WebhookStatistics {
    /// The last sample; empty on replicas that do not sample.
    #[must_use]
    pub fn last(&self) -> Vec<EndpointGauges> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Samples the endpoints in `catalog` for as long as this future is polled, while this replica is the cleanup leader.
    pub async fn run(
        self,
        store: Arc<dyn AdminStore>,
        catalog: CurrentCatalog,
        cleanup: CleanupStatus,
    ) {
        restart_after_panic("webhook statistics", || {
            self.sample_repeatedly(&*store, &catalog, &cleanup)
        })
        .await;
    }

    async fn sample_repeatedly(
        &self,
        store: &dyn AdminStore,
        catalog: &CurrentCatalog,
        cleanup: &CleanupStatus,
    ) {
        loop {
            let endpoints = catalog.load().webhooks().into_keys();
            let endpoints: Vec<WebhookEndpoint> = if cleanup.is_leader() {
                endpoints.collect()
            } else {
                Vec::new()
            };
            match sample(store, &endpoints).await {
                Ok(sample) => *self.0.lock().unwrap_or_else(PoisonError::into_inner) = sample,
                // The last sample remains.
                Err(error) => debug!(%error, "state of webhooks not read"),
            }
            sleep(SAMPLE_INTERVAL).await;
        }
    }
}

/// The state of these endpoints.
async fn sample(
    store: &dyn AdminStore,
    endpoints: &[WebhookEndpoint],
) -> Result<Vec<EndpointGauges>, StoreError> {
    let statuses = store.webhook_status(endpoints).await?;
    let now = store.now()?;
    let both = endpoints.iter().zip(statuses);
    let all = both.map(|(endpoint, status)| EndpointGauges {
        endpoint: endpoint.to_string(),
        pending: status.pending,
        dead_letters: status.dead,
        lag: status
            .oldest
            .map_or(Duration::ZERO, |oldest| now.since(oldest)),
        is_stopped: status.stopped_since.is_some(),
    });
    Ok(all.collect())
}
