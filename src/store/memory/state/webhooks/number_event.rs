//! An event of a number.

use serde_json::{Map, json};

use crate::model::{
    ServiceId, Timestamp,
    webhook::{BookingWebhooks, Event, EventId, EventType, Subscription},
};

/// An event of a group that is not in the queues of its endpoints yet.
#[derive(Debug)]
pub(in crate::store::memory::state) struct NumberEvent {
    pub(in crate::store::memory::state) event_type: EventType,
    /// The booking; empty if there was no free number.
    pub(in crate::store::memory::state) booking: String,
    pub(in crate::store::memory::state) number: String,
    pub(in crate::store::memory::state) service: Option<ServiceId>,
    pub(in crate::store::memory::state) code: Option<String>,
    pub(in crate::store::memory::state) caller: Option<String>,
    pub(in crate::store::memory::state) webhooks: BookingWebhooks,
}

impl NumberEvent {
    /// The event of `group` for an endpoint with this subscription.
    pub(super) fn to_event(
        &self,
        group: &str,
        fact: &str,
        subscription: Subscription,
        time: Timestamp,
    ) -> Event {
        let mut data = Map::from_iter([("group".to_owned(), json!(group))]);
        if !self.number.is_empty() {
            data.insert("number".to_owned(), json!(self.number));
        }
        if let Some(code) = &self.code {
            data.insert("code".to_owned(), json!(code));
        }
        if let Some(caller) = &self.caller
            && subscription.with_user_data
        {
            data.insert("caller".to_owned(), json!(caller));
        }
        Event {
            id: EventId::new(self.event_type, group, fact),
            event_type: self.event_type,
            time,
            service: self.service.clone(),
            definition: Some(self.webhooks.definition.clone()),
            data,
        }
    }
}
