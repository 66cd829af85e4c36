//! Webhooks: the events that are pending for each endpoint, and their delivery.
//!
//! The other operations write an event atomically with the change that it reports, if an endpoint subscribed to it. Events
//! of one service form a *queue*: they are delivered in order, independently of other queues.

use std::time::Duration;

use async_trait::async_trait;

use crate::model::{
    Cursor, Page, StoreError,
    webhook::{
        ClaimedQueue, DeadLetter, EndpointStatus, Event, QueueResult, Resend, WebhookEndpoint,
    },
};

/// The store of pending events and dead letters.
#[async_trait]
pub trait WebhookStore: Send + Sync {
    /// Claims the first events of at most `max_queues` queues that are due, for `lease`: until then they are not
    /// claimed again. A stopped endpoint has no due queues.
    async fn claim_deliveries(
        &self,
        endpoint: &WebhookEndpoint,
        max_queues: usize,
        lease: Duration,
    ) -> Result<Vec<ClaimedQueue>, StoreError>;

    /// Records the results of claimed queues. Delivered events are removed even if the lease has ended; a failure is
    /// then ignored, because the queue may have been claimed again.
    async fn finish_deliveries(
        &self,
        endpoint: &WebhookEndpoint,
        results: Vec<QueueResult>,
    ) -> Result<(), StoreError>;

    /// Returns the state of each of these endpoints, in this order.
    async fn webhook_status(
        &self,
        endpoints: &[WebhookEndpoint],
    ) -> Result<Vec<EndpointStatus>, StoreError>;

    /// Returns the endpoints that were used in the last days, the least recently used first; at most
    /// [`MAX_LISTED_ENDPOINTS`](crate::model::webhook::MAX_LISTED_ENDPOINTS).
    async fn webhook_endpoints(&self) -> Result<Vec<WebhookEndpoint>, StoreError>;

    /// Lists dead letters by the time at which they became that, the oldest first.
    async fn dead_letters(
        &self,
        endpoint: &WebhookEndpoint,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<DeadLetter>, StoreError>;

    /// Makes dead letters pending again, at the end of their queues, and returns their number.
    async fn resend_dead_letters(
        &self,
        endpoint: &WebhookEndpoint,
        which: Resend,
    ) -> Result<u64, StoreError>;

    /// Deletes the pending events and the dead letters of an endpoint, and returns their number.
    async fn delete_webhook_events(&self, endpoint: &WebhookEndpoint) -> Result<u64, StoreError>;

    /// Continues the deliveries to a stopped endpoint. Returns whether it was stopped.
    async fn resume_endpoint(&self, endpoint: &WebhookEndpoint) -> Result<bool, StoreError>;

    /// Adds an event that belongs to no change. An event that is pending already is unchanged.
    async fn add_event(&self, endpoint: &WebhookEndpoint, event: Event) -> Result<(), StoreError>;
}

/// The signals of the stores of this process about due events.
#[async_trait]
pub trait WebhookSignalSource: Send + Sync {
    /// Waits until this process has made events of an endpoint due, and returns the endpoint. Signals can be lost, and
    /// there are none about the changes of other processes. Only one task of a process may call it.
    async fn next_webhook_signal(&self) -> WebhookEndpoint;
}
