//! Webhooks: their state, dead letters, and the requests of operators.

use std::time::Duration;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    Actor, Admin, AdminError,
    audit_log::{AuditAction, AuditRecord},
};
use crate::{
    model::{
        Cursor, Page,
        webhook::{
            DeadLetter, EndpointStatus, Event, EventId, EventType, Resend, Subscription,
            WebhookEndpoint,
        },
    },
    service::webhooks::WebhookConfig,
};

/// The kind of the target in the audit log.
const AUDIT_KIND: &str = "webhook";

/// A webhook and its state.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// The catalog entry that it belongs to.
    pub endpoint: WebhookEndpoint,
    /// Its options; `None` if it is not in the catalog any more. Nothing is delivered then.
    pub options: Option<WebhookOptions>,
    /// The state of its events.
    pub status: EndpointStatus,
    /// The age of the oldest undelivered event; `None` if there is none.
    pub lag: Option<Duration>,
}

/// The options of a webhook.
#[derive(Debug, Clone)]
pub struct WebhookOptions {
    /// The URL.
    pub url: String,
    /// What it subscribes to.
    pub subscription: Subscription,
}

impl Webhook {
    /// Whether it is in the catalog, or has events although it is not there any more.
    fn exists(&self) -> bool {
        self.options.is_some() || self.status.pending > 0 || self.status.dead > 0
    }
}

impl Admin {
    /// All webhooks of the catalog, those of deleted entries of which services may be active, and others that still have
    /// events.
    ///
    /// # Errors
    /// [`AdminError::Service`] for errors of the store.
    pub async fn list_webhooks(&self) -> Result<Vec<Webhook>, AdminError> {
        let configured = self.context.current_catalog.load().webhooks();
        let used = self.store.webhook_endpoints().await?;
        let others = used
            .into_iter()
            .filter(|endpoint| !configured.contains_key(endpoint));
        let mut others: Vec<WebhookEndpoint> = others.collect();
        others.sort();
        let others = others.into_iter().map(|endpoint| (endpoint, None));
        let configured = configured.iter();
        let configured = configured.map(|(endpoint, config)| (endpoint.clone(), Some(&**config)));
        let all: Vec<_> = configured.chain(others).collect();
        let mut webhooks = self.with_status(&all).await?;
        webhooks.retain(Webhook::exists);
        Ok(webhooks)
    }

    /// The webhook of this name. It may be one that is not in the catalog any more, but still has events.
    ///
    /// # Errors
    /// [`AdminError::NoSuchWebhook`], errors of the store.
    pub async fn get_webhook(&self, name: &str) -> Result<Webhook, AdminError> {
        let missing = || AdminError::NoSuchWebhook(name.to_owned());
        let endpoint = WebhookEndpoint::parse(name).ok_or_else(missing)?;
        let webhooks = self.context.current_catalog.load().webhooks();
        let config = webhooks.get(&endpoint).map(|config| &**config);
        let found = self.with_status(&[(endpoint, config)]).await?.pop();
        found.filter(Webhook::exists).ok_or_else(missing)
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
        let endpoint = self.get_webhook(name).await?.endpoint;
        Ok(self.store.dead_letters(&endpoint, after, limit).await?)
    }

    /// Deletes the pending events and the dead letters of a webhook, and returns their number.
    ///
    /// # Errors
    /// As [`Admin::resend_dead_letters`].
    pub async fn delete_webhook_events(&self, name: &str, by: &Actor) -> Result<u64, AdminError> {
        let Webhook {
            endpoint, status, ..
        } = self.get_webhook(name).await?;
        let (now, action) = (self.store.now()?, AuditAction::Delete);
        let mut event = AuditRecord::new(by, now, action, AUDIT_KIND, name);
        event.before = Some(json!({"pending": status.pending, "dead_letters": status.dead}));
        self.append_audit_event(&event).await?;
        Ok(self.store.delete_webhook_events(&endpoint).await?)
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
        let endpoint = self.configured_endpoint(name)?;
        let mut event = AuditRecord::new(by, self.store.now()?, action, AUDIT_KIND, name);
        event.after = after;
        self.append_audit_event(&event).await?;
        Ok(endpoint)
    }

    fn configured_endpoint(&self, name: &str) -> Result<WebhookEndpoint, AdminError> {
        let webhooks = self.context.current_catalog.load().webhooks();
        let endpoint =
            WebhookEndpoint::parse(name).filter(|endpoint| webhooks.contains_key(endpoint));
        endpoint.ok_or_else(|| AdminError::NoSuchWebhook(name.to_owned()))
    }

    async fn with_status(
        &self,
        webhooks: &[(WebhookEndpoint, Option<&WebhookConfig>)],
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
                options: config.map(|config| WebhookOptions {
                    url: config.url().to_owned(),
                    subscription: config.subscription(),
                }),
                lag: status.oldest.map(|oldest| now.since(oldest)),
                status,
            });
        Ok(all.collect())
    }
}
