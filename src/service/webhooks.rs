//! Webhooks: events of services, numbers and chats that are sent to URLs of operators.
//!
//! [`WebhookConfig`] is what the catalog says about one webhook. The [`WebhookDeliverer`] has a task for each webhook of
//! the catalog, an [endpoint](crate::model::webhook::WebhookEndpoint), so that a slow one delays no other. The task claims
//! events from the store, sends them and records the results.

pub(super) use self::config::{SECRET_OPTION, WebhookConfig, take_webhook};
pub use self::{config::WebhookRules, deliverer::WebhookDeliverer, statistics::WebhookStatistics};

mod client;
mod config;
mod deliverer;
mod endpoint_task;
mod payload;
mod queue_delivery;
mod schedule;
mod signature;
mod statistics;
mod supervisor;
