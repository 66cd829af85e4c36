//! The events of numbers.

use serde_json::json;
use switchboard::{
    model::{
        AllocationStrategy, BookResult, Booking, BookingOwner, BookingRequest, Call, MatchResult,
        NewService, ServiceId,
        webhook::{
            Event,
            EventType::{
                NumberBooked, NumberExhausted, NumberLapsed, NumberMatched, NumberReleased,
            },
        },
    },
    store::Store,
};

use super::{create, data, of_definition, of_group};
use crate::support::{
    bookings::{booking_request, resource_group},
    stores::{in_ms, on_every_store, sleep_until},
    webhooks::{
        DEFINITION, EventRelay, GROUP, about, booking_webhooks, deliver, events,
        service_with_webhook, types,
    },
};

on_every_store!(
    numbers_have_events_for_both_endpoints,
    bookings_lapse_when_they_expire,
    a_call_is_matched_once,
    exhaustion_is_reported_once_a_minute,
);

fn request(millis: u64) -> BookingRequest {
    BookingRequest {
        caller: Some("+12025550100".to_owned()),
        webhooks: Some(booking_webhooks()),
        ..booking_request(millis)
    }
}

async fn book(store: &dyn Store, id: &ServiceId, millis: u64) -> BookResult {
    let group = resource_group(AllocationStrategy::Exclusive, 1);
    let owner = BookingOwner::New(id);
    store
        .book_number(owner, &group, &request(millis))
        .await
        .unwrap()
}

async fn booked(store: &dyn Store, id: &ServiceId, millis: u64) -> Booking {
    let BookResult::Booked(booking) = book(store, id, millis).await else {
        panic!("no number is free");
    };
    booking
}

/// Creates a service with a number, which is booked for this time.
pub(super) async fn create_with_number(store: &dyn Store, millis: u64) -> (ServiceId, Booking) {
    let id = ServiceId::generate();
    let booking = booked(store, &id, millis).await;
    let service = NewService {
        id,
        booking: Some(booking.clone()),
        webhook: None,
        ..service_with_webhook(false)
    };
    (create(store, service).await, booking)
}

async fn numbers_have_events_for_both_endpoints(store: &impl EventRelay) {
    store
        .relaying(async {
            let id = ServiceId::generate();
            let booking = booked(store, &id, 60_000).await;
            for _ in 0..2 {
                store.release_pending_number(&id, &booking).await.unwrap();
            }
            let for_group = events(store, &of_group(), 2).await;
            let for_definition = events(store, &of_definition(), 2).await;
            assert_eq!(types(&for_group), [NumberBooked, NumberReleased]);
            let ids = |events: &[Event]| -> Vec<_> {
                events.iter().map(|event| event.id.clone()).collect()
            };
            assert_eq!(ids(&for_group), ids(&for_definition));
            let number = &booking.number;
            for event in &for_group {
                assert_eq!(data(event), json!({"group": GROUP, "number": number}));
                assert_eq!(event.service.as_ref(), Some(&id));
                assert_eq!(event.definition.as_deref(), Some(DEFINITION));
            }
            for event in &for_definition {
                let expected = json!({"group": GROUP, "number": number, "caller": "+12025550100"});
                assert_eq!(data(event), expected);
            }
        })
        .await;
}

async fn bookings_lapse_when_they_expire(store: &impl EventRelay) {
    store
        .relaying(async {
            let (id, _) = create_with_number(store, 50).await;
            let expired_at = in_ms(60);
            sleep_until(expired_at).await;
            // The next booking releases the number.
            let (other, booking) = create_with_number(store, 60_000).await;
            store.release_number(&other, &booking).await.unwrap();
            let all = events(store, &of_group(), 4).await;
            let about = |id: &ServiceId| types(&about(&all, id));
            assert_eq!(about(&id), [NumberBooked, NumberLapsed]);
            assert_eq!(about(&other), [NumberBooked, NumberReleased]);
        })
        .await;
}

async fn a_call_is_matched_once(store: &impl EventRelay) {
    store
        .relaying(async {
            let (id, booking) = create_with_number(store, 60_000).await;
            let call = Call {
                dialed: vec![format!("+1{}", booking.number)],
                code: None,
                callers: Vec::new(),
                regions: Vec::new(),
            };
            let groups = [GROUP.to_owned()];
            let calls = (0..4).map(|_| store.match_call(&groups, &call));
            let results = futures_util::future::join_all(calls).await;
            let matched = results
                .into_iter()
                .filter(|result| *result.as_ref().unwrap() == MatchResult::Matched(id.clone()));
            assert_eq!(matched.count(), 1);
            store.delete(&id).await.unwrap().unwrap();
            let all = events(store, &of_group(), 2).await;
            assert_eq!(types(&all), [NumberBooked, NumberMatched]);
            assert_eq!(deliver(store, &of_group()).await, []);
        })
        .await;
}

async fn exhaustion_is_reported_once_a_minute(store: &impl EventRelay) {
    store
        .relaying(async {
            let (id, booking) = create_with_number(store, 60_000).await;
            for _ in 0..3 {
                let result = book(store, &ServiceId::generate(), 60_000).await;
                assert!(matches!(result, BookResult::Exhausted(_)), "{result:?}");
            }
            store.release_number(&id, &booking).await.unwrap();
            for endpoint in [of_group(), of_definition()] {
                let all = events(store, &endpoint, 3).await;
                let mut all_types = types(&all);
                all_types.sort();
                assert_eq!(all_types, [NumberBooked, NumberReleased, NumberExhausted]);
                let exhausted = all.iter().find(|event| event.event_type == NumberExhausted);
                let exhausted = exhausted.unwrap();
                assert_eq!(data(exhausted), json!({"group": GROUP}));
                assert_eq!(exhausted.service, None);
            }
        })
        .await;
}
