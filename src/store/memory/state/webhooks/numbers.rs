//! The events of numbers.

use std::time::Duration;

use super::NumberEvent;
use crate::{
    model::{
        BookingId, BookingRequest,
        webhook::{EventType, Subscription, WebhookEndpoint},
    },
    store::memory::state::{GroupState, State, group_state::BookingRecord},
};

/// The interval of `number.exhausted` for each endpoint and group.
const EXHAUSTED_INTERVAL: Duration = Duration::from_secs(60);

impl GroupState {
    /// Adds an event about a booking, if an endpoint may have subscribed to it.
    pub(in crate::store::memory::state) fn add_booking_event(
        &mut self,
        id: &BookingId,
        entry: &BookingRecord,
        event_type: EventType,
    ) {
        if let Some(webhooks) = &entry.webhooks {
            self.events.push(NumberEvent {
                event_type,
                booking: id.as_str().to_owned(),
                number: entry.number.text.clone(),
                service: Some(entry.service.clone()),
                code: entry.code.clone(),
                caller: entry.caller.clone(),
                webhooks: webhooks.clone(),
            });
        }
    }

    pub(in crate::store::memory::state) fn add_exhausted_event(
        &mut self,
        request: &BookingRequest,
    ) {
        if let Some(webhooks) = &request.webhooks {
            self.events.push(NumberEvent {
                event_type: EventType::NumberExhausted,
                booking: String::new(),
                number: String::new(),
                service: None,
                code: None,
                caller: None,
                webhooks: webhooks.clone(),
            });
        }
    }
}

impl State {
    /// Moves the events of a group to the queues of its endpoints.
    pub(in crate::store::memory) fn add_number_events(&mut self, group: &str) {
        let (now, micros) = (self.clock.now(), self.clock.now_micros());
        let Some(state) = self.groups.get_mut(group) else {
            return;
        };
        for number_event in state.events.drain(..) {
            let is_exhausted = number_event.event_type == EventType::NumberExhausted;
            let webhooks = &number_event.webhooks;
            let fact = if is_exhausted {
                micros.to_string()
            } else {
                number_event.booking.clone()
            };
            for (endpoint, subscription) in [
                (WebhookEndpoint::of_group(group), webhooks.of_group),
                (
                    WebhookEndpoint::of_definition(&webhooks.definition),
                    webhooks.of_definition,
                ),
            ] {
                let contains = |subscription: &Subscription| {
                    subscription.events.contains(number_event.event_type)
                };
                let Some(subscription) = subscription.filter(contains) else {
                    continue;
                };
                if is_exhausted {
                    let last = state.exhausted_at.get(&endpoint);
                    if last.is_some_and(|last| now.since(*last) < EXHAUSTED_INTERVAL) {
                        continue;
                    }
                    state.exhausted_at.insert(endpoint.clone(), now);
                }
                let event = number_event.to_event(group, &fact, subscription, now);
                self.webhooks.add(&endpoint, event, now);
            }
        }
    }
}
