//! The responses of requests about webhooks.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    http::admin_api::format_cursor,
    model::{
        Page, ServiceId, Timestamp,
        webhook::{DeadLetter, EventType},
    },
    service::Webhook,
};

/// Webhooks of the catalog, and others that still have events
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Webhooks)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookListResponse {
    webhooks: Vec<WebhookResponse>,
}

/// A webhook and its state
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Webhook)]
#[serde(deny_unknown_fields)]
struct WebhookResponse {
    /// `services/` or `resources/` and the name of the catalog entry
    endpoint: String,
    /// The URL; null if the webhook is not in the catalog any more, and nothing is delivered
    #[schema(required)]
    url: Option<String>,
    /// The types of the events
    events: Vec<&'static str>,
    /// Whether events contain user data
    user_data: bool,
    /// Undelivered events
    pending: u64,
    /// The age of the oldest undelivered event; null if there is none
    #[schema(required)]
    lag_seconds: Option<f64>,
    dead_letters: u64,
    /// Events delivered so far
    delivered: u64,
    /// Failed attempts so far
    failed: u64,
    #[schema(required, value_type = Option<String>, format = DateTime)]
    last_success: Option<String>,
    /// The last failed attempt; null if there was none
    #[schema(required, inline)]
    last_failure: Option<FailureResponse>,
    /// The time of the response 410 that stopped the webhook; null if it is not stopped
    #[schema(required, value_type = Option<String>, format = DateTime)]
    stopped_since: Option<String>,
}

/// A failed attempt
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FailureResponse {
    #[schema(format = DateTime)]
    time: String,
    error: String,
}

/// Dead letters of a webhook
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetters)]
#[serde(deny_unknown_fields)]
pub(super) struct DeadLetterPageResponse {
    dead_letters: Vec<DeadLetterResponse>,
    /// Cursor of the next page, for `after`; null on the last page
    #[schema(required)]
    next: Option<String>,
}

/// An event that is not delivered any more
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetter)]
#[serde(deny_unknown_fields)]
struct DeadLetterResponse {
    /// The id of the event
    id: String,
    /// The type of the event
    #[serde(rename = "type")]
    event_type: &'static str,
    /// The time of the event
    #[schema(format = DateTime)]
    time: String,
    /// The id of the service; null if it concerns none
    #[schema(required)]
    service: Option<String>,
    /// Failed attempts
    attempts: u32,
    /// The last error, or why there was no attempt
    reason: String,
    /// When it became a dead letter
    #[schema(format = DateTime)]
    dead_since: String,
}

/// Dead letters that are sent again
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Resent)]
#[serde(deny_unknown_fields)]
pub(super) struct ResendResponse {
    /// Their number
    pub(super) resent: u64,
}

/// Events of a webhook that were deleted
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeletedEvents)]
#[serde(deny_unknown_fields)]
pub(super) struct DeleteEventsResponse {
    /// Their number
    pub(super) deleted: u64,
}

/// A resumed webhook
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Resumed)]
#[serde(deny_unknown_fields)]
pub(super) struct ResumeResponse {
    /// Whether it was stopped
    pub(super) was_stopped: bool,
}

/// A test event
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TestEvent)]
#[serde(deny_unknown_fields)]
pub(super) struct TestResponse {
    /// The id of the event, as in the header `webhook-id`
    pub(super) event: String,
}

impl From<Vec<Webhook>> for WebhookListResponse {
    fn from(webhooks: Vec<Webhook>) -> Self {
        let webhooks = webhooks.into_iter().map(WebhookResponse::from);
        Self {
            webhooks: webhooks.collect(),
        }
    }
}

impl From<Webhook> for WebhookResponse {
    fn from(webhook: Webhook) -> Self {
        let (options, status) = (webhook.options, webhook.status);
        let subscription = options.as_ref().map(|options| options.subscription);
        let events = subscription.iter().flat_map(|one| one.events.iter());
        let text = |time: Timestamp| time.to_string();
        Self {
            endpoint: webhook.endpoint.to_string(),
            events: events.map(EventType::as_str).collect(),
            user_data: subscription.is_some_and(|one| one.with_user_data),
            url: options.map(|options| options.url),
            pending: status.pending,
            lag_seconds: webhook.lag.map(|lag| lag.as_secs_f64()),
            dead_letters: status.dead,
            delivered: status.delivered,
            failed: status.failed,
            last_success: status.last_success.map(text),
            last_failure: status.last_failure.map(|(time, error)| FailureResponse {
                time: text(time),
                error,
            }),
            stopped_since: status.stopped_since.map(text),
        }
    }
}

impl From<Page<DeadLetter>> for DeadLetterPageResponse {
    fn from(page: Page<DeadLetter>) -> Self {
        let dead_letters = page.entries.into_iter().map(DeadLetterResponse::from);
        Self {
            dead_letters: dead_letters.collect(),
            next: page.next.as_ref().map(format_cursor),
        }
    }
}

impl From<DeadLetter> for DeadLetterResponse {
    fn from(dead: DeadLetter) -> Self {
        let event = dead.event;
        let service = event.service.as_ref().map(ServiceId::as_str);
        Self {
            id: event.id.to_string(),
            event_type: event.event_type.as_str(),
            time: event.time.to_string(),
            service: service.map(str::to_owned),
            attempts: dead.attempts,
            reason: dead.reason,
            dead_since: dead.at.to_string(),
        }
    }
}
