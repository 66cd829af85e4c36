//! Webhooks: their state, dead letters, and the requests of operators.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    Actor, Admin, AdminError,
    audit_log::{AuditAction, AuditRecord},
};
use crate::{
    model::{
        Cursor, Page, StoreError,
        webhook::{
            DeadLetter, EndpointStatus, Event, EventId, EventType, Resend, Subscription,
            WebhookEndpoint,
        },
    },
    service::webhooks::WebhookConfig,
};

/// The kind of the target in the audit log.
const AUDIT_KIND: &str = "webhook";

/// A webhook of the catalog and its state.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// The catalog entry that it belongs to.
    pub endpoint: WebhookEndpoint,
    /// The URL.
    pub url: String,
    /// What it subscribes to.
    pub subscription: Subscription,
    /// The state of its events.
    pub status: EndpointStatus,
    /// The age of the oldest undelivered event; `None` if there is none.
    pub lag: Option<Duration>,
}

impl Admin {
    /// All webhooks of the catalog, and those of deleted entries of which services may be active.
    ///
    /// # Errors
    /// [`AdminError::Service`] for errors of the store.
    pub async fn list_webhooks(&self) -> Result<Vec<Webhook>, AdminError> {
        let webhooks = self.context.current_catalog.load().webhooks();
        let webhooks: Vec<_> = webhooks.into_iter().collect();
        self.with_status(&webhooks).await
    }

    /// The webhook of this name.
    ///
    /// # Errors
    /// [`AdminError::NoSuchWebhook`], errors of the store.
    pub async fn get_webhook(&self, name: &str) -> Result<Webhook, AdminError> {
        let webhook = self.find_webhook(name)?;
        let found = self.with_status(&[webhook]).await?.pop();
        found.ok_or_else(|| StoreError::Corrupt("state of a webhook is missing".to_owned()).into())
    }

    /// Dead letters of a webhook, the oldest first.
    ///
    /// # Errors
    /// As [`Admin::get_webhook`].
    pub async fn dead_letters(
        &self,
        name: &str,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<DeadLetter>, AdminError> {
        let (endpoint, _) = self.find_webhook(name)?;
        Ok(self.store.dead_letters(&endpoint, after, limit).await?)
    }

    /// Sends dead letters again, and returns their number.
    ///
    /// # Errors
    /// As [`Admin::get_webhook`]. The request can still fail after the audit log entry is written.
    pub async fn resend_dead_letters(
        &self,
        name: &str,
        which: Resend,
        by: &Actor,
    ) -> Result<u64, AdminError> {
        let which_state = match &which {
            Resend::One(id) => json!({"event": id.as_str()}),
            Resend::Since(time) => json!({"since": time.to_string()}),
        };
        let endpoint = self.record(name, AuditAction::Resend, Some(which_state), by);
        Ok(self
            .store
            .resend_dead_letters(&endpoint.await?, which)
            .await?)
    }

    /// Resumes a stopped webhook. Returns whether it was stopped.
    ///
    /// # Errors
    /// As [`Admin::resend_dead_letters`].
    pub async fn resume_webhook(&self, name: &str, by: &Actor) -> Result<bool, AdminError> {
        let endpoint = self.record(name, AuditAction::Resume, None, by).await?;
        Ok(self.store.resume_endpoint(&endpoint).await?)
    }

    /// Adds a test event, whose id this returns, to the events of a webhook.
    ///
    /// # Errors
    /// As [`Admin::resend_dead_letters`].
    pub async fn send_test_event(&self, name: &str, by: &Actor) -> Result<EventId, AdminError> {
        let unique = Uuid::new_v4().to_string();
        let id = EventId::new(EventType::WebhookTest, name, &unique);
        let state = json!({"event": id.as_str()});
        let endpoint = self
            .record(name, AuditAction::Test, Some(state), by)
            .await?;
        let message = "Test event requested by an operator";
        let data = Map::from_iter([("message".to_owned(), Value::from(message))]);
        let event = Event {
            id: id.clone(),
            event_type: EventType::WebhookTest,
            time: self.store.now()?,
            service: None,
            definition: None,
            data,
        };
        self.store.add_event(&endpoint, event).await?;
        Ok(id)
    }

    /// Records a request about a webhook in the audit log.
    async fn record(
        &self,
        name: &str,
        action: AuditAction,
        after: Option<Value>,
        by: &Actor,
    ) -> Result<WebhookEndpoint, AdminError> {
        let (endpoint, _) = self.find_webhook(name)?;
        let mut event = AuditRecord::new(by, self.store.now()?, action, AUDIT_KIND, name);
        event.after = after;
        self.append_audit_event(&event).await?;
        Ok(endpoint)
    }

    fn find_webhook(
        &self,
        name: &str,
    ) -> Result<(WebhookEndpoint, Arc<WebhookConfig>), AdminError> {
        let mut webhooks = self.context.current_catalog.load().webhooks();
        let found = WebhookEndpoint::parse(name);
        let found = found.and_then(|endpoint| webhooks.remove_entry(&endpoint));
        found.ok_or_else(|| AdminError::NoSuchWebhook(name.to_owned()))
    }

    async fn with_status(
        &self,
        webhooks: &[(WebhookEndpoint, Arc<WebhookConfig>)],
    ) -> Result<Vec<Webhook>, AdminError> {
        let endpoints = webhooks.iter().map(|(endpoint, _)| endpoint.clone());
        let endpoints: Vec<_> = endpoints.collect();
        let statuses = self.store.webhook_status(&endpoints).await?;
        let now = self.store.now()?;
        let all = webhooks
            .iter()
            .zip(statuses)
            .map(|((endpoint, config), status)| Webhook {
                endpoint: endpoint.clone(),
                url: config.url().to_owned(),
                subscription: config.subscription(),
                lag: status.oldest.map(|oldest| now.since(oldest)),
                status,
            });
        Ok(all.collect())
    }
}
