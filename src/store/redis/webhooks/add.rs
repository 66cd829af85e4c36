//! Adds events to the queues of endpoints, and records which endpoints are in use.

use redis::cmd;
use tracing::debug;

use super::record::EventRecord;
use crate::{
    model::{StoreError, webhook::WebhookEndpoint},
    store::redis::{
        RedisStore,
        scripts::{ADD_EVENTS, evalsha},
    },
};

/// The maximum number of events that a script adds.
const ADD_BATCH: usize = 250;

impl RedisStore {
    /// Adds events to an endpoint, and signals it. Events that are known are unchanged.
    pub(super) async fn add_events(
        &self,
        endpoint: &WebhookEndpoint,
        events: &[EventRecord],
    ) -> Result<(), StoreError> {
        self.record_use(endpoint).await;
        let limits = self.webhooks.limits();
        for batch in events.chunks(ADD_BATCH) {
            let mut add = evalsha(&ADD_EVENTS, &self.keys.webhook(endpoint));
            add.arg(limits.max_pending).arg(limits.max_dead_letters);
            for event in batch {
                add.arg(&event.id).arg(&event.queue);
                add.arg(event.time).arg(&event.text);
            }
            self.redis.query_replicated::<()>(&add).await?;
        }
        self.webhooks.signal(endpoint);
        Ok(())
    }

    /// Records once an hour that an endpoint is in use, so that the sweep does not remove it.
    pub(super) async fn record_use(&self, endpoint: &WebhookEndpoint) {
        if !self.webhooks.starts_use_interval(endpoint) {
            return;
        }
        let record = async {
            let mut record = cmd("ZADD");
            record.arg(self.keys.webhook_endpoints());
            record.arg(self.redis.now()?.millis());
            record.arg(endpoint.to_string());
            self.redis.query::<()>(&record).await
        };
        // Such as in a Redis without free memory, which must not stop deliveries.
        if let Err(error) = record.await {
            self.webhooks.restart_use_interval(endpoint);
            debug!(%endpoint, %error, "use of a webhook endpoint not recorded");
        }
    }
}
