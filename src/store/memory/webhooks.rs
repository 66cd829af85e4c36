//! Webhooks in the embedded store. Changes add their events directly to the queues of the endpoints.

use std::time::Duration;

use async_trait::async_trait;

use super::{MemoryStore, admin_queries::page, state::EndpointQueue};
use crate::{
    model::{
        Cursor, Page, StoreError,
        webhook::{
            ClaimedQueue, DeadLetter, EndpointStatus, Event, MAX_LISTED_ENDPOINTS, QueueResult,
            Resend, WebhookEndpoint,
        },
    },
    store::{WebhookHub, WebhookSignalSource, WebhookStore},
};

impl MemoryStore {
    /// Uses `hub` instead of its own.
    #[must_use]
    pub fn with_webhooks(self, hub: WebhookHub) -> Self {
        self.state().webhooks.hub = hub.clone();
        Self {
            webhooks: hub,
            ..self
        }
    }
}

#[async_trait]
impl WebhookStore for MemoryStore {
    async fn claim_deliveries(
        &self,
        endpoint: &WebhookEndpoint,
        max_queues: usize,
        lease: Duration,
    ) -> Result<Vec<ClaimedQueue>, StoreError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let queue = state.webhooks.queue(endpoint);
        Ok(queue.claim(max_queues, lease, now))
    }

    async fn finish_deliveries(
        &self,
        endpoint: &WebhookEndpoint,
        results: Vec<QueueResult>,
    ) -> Result<(), StoreError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let queue = state.webhooks.queue(endpoint);
        for result in results {
            queue.finish(&result, now, self.webhooks.limits());
        }
        Ok(())
    }

    async fn webhook_status(
        &self,
        endpoints: &[WebhookEndpoint],
    ) -> Result<Vec<EndpointStatus>, StoreError> {
        let state = self.state();
        let status = |endpoint| {
            let queue = state.webhooks.endpoints.get(endpoint);
            queue.map_or_else(EndpointStatus::default, EndpointQueue::status)
        };
        Ok(endpoints.iter().map(status).collect())
    }

    async fn webhook_endpoints(&self) -> Result<Vec<WebhookEndpoint>, StoreError> {
        let state = self.state();
        let endpoints = state.webhooks.endpoints.keys().take(MAX_LISTED_ENDPOINTS);
        Ok(endpoints.cloned().collect())
    }

    async fn dead_letters(
        &self,
        endpoint: &WebhookEndpoint,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<DeadLetter>, StoreError> {
        let letters = self.state().webhooks.queue(endpoint).dead_letters();
        let position = |letter: &DeadLetter| Cursor {
            end: letter.at,
            name: letter.event.id.to_string(),
        };
        Ok(page(letters, after, limit, position))
    }

    async fn resend_dead_letters(
        &self,
        endpoint: &WebhookEndpoint,
        which: Resend,
    ) -> Result<u64, StoreError> {
        let (mut state, now) = (self.state(), self.clock.now());
        let limits = self.webhooks.limits();
        let resent = state.webhooks.queue(endpoint).resend(&which, now, limits);
        drop(state);
        self.webhooks.signal(endpoint);
        Ok(resent)
    }

    async fn delete_webhook_events(&self, endpoint: &WebhookEndpoint) -> Result<u64, StoreError> {
        Ok(self.state().webhooks.queue(endpoint).delete_events())
    }

    async fn resume_endpoint(&self, endpoint: &WebhookEndpoint) -> Result<bool, StoreError> {
        let was_stopped = self.state().webhooks.queue(endpoint).resume();
        self.webhooks.signal(endpoint);
        Ok(was_stopped)
    }

    async fn add_event(&self, endpoint: &WebhookEndpoint, event: Event) -> Result<(), StoreError> {
        let (mut state, now) = (self.state(), self.clock.now());
        state.webhooks.add(endpoint, event, now);
        Ok(())
    }
}

#[async_trait]
impl WebhookSignalSource for MemoryStore {
    async fn next_webhook_signal(&self) -> WebhookEndpoint {
        self.webhooks.next_signal().await
    }
}
