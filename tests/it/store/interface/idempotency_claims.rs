//! Idempotency keys: their binding to ids, and their expiration.

use futures_util::future::join_all;
use switchboard::{
    model::{
        AllocationStrategy, BookResult, Booking, BookingOwner, CreateResult, IdempotencyClaim,
        IdempotencyKey, NewService, ServiceId, Timestamp,
    },
    store::Store,
};

use crate::support::{
    bookings::{booking_request, resource_group},
    ends::before_end,
    eventually, now,
    stores::{empty_service, in_ms, on_every_store, sleep_until},
};

on_every_store!(
    new_key_is_bound_to_offered_id,
    pending_key_returns_first_id,
    unused_key_expires,
    key_of_existing_service_replays_response,
    key_expires_with_its_service,
    key_follows_end_of_its_service,
    deleting_a_service_frees_its_key,
    service_does_not_change_key_of_another,
    different_keys_are_independent,
    concurrent_claims_return_one_id,
    repetitions_of_a_create_use_one_booking,
    booking_of_a_created_service_is_not_released_as_pending,
);

pub(super) fn fresh_key() -> IdempotencyKey {
    IdempotencyKey {
        key: ServiceId::generate().to_string(),
    }
}

/// Claims `key` with a new id, which is returned with the result.
pub(super) async fn claim(
    store: &dyn Store,
    key: &IdempotencyKey,
) -> (ServiceId, IdempotencyClaim) {
    let id = ServiceId::generate();
    let outcome = store.claim(key, id.clone(), in_ms(60_000)).await.unwrap();
    (id, outcome)
}

pub(super) async fn assert_free(store: &dyn Store, key: &IdempotencyKey) {
    let (id, outcome) = claim(store, key).await;
    assert_eq!(outcome, IdempotencyClaim::Create(id));
}

pub(super) async fn assert_replayed(store: &dyn Store, key: &IdempotencyKey, id: &ServiceId) {
    let (_, outcome) = claim(store, key).await;
    let expected = IdempotencyClaim::Replayed {
        id: id.clone(),
        stored: "the response".to_owned(),
    };
    assert_eq!(outcome, expected);
}

/// Creates the service that `key` was claimed for.
async fn create(store: &dyn Store, key: &IdempotencyKey, id: &ServiceId, end: Timestamp) {
    let service = NewService {
        id: id.clone(),
        end,
        idempotency: Some((key.clone(), "the response".to_owned())),
        ..empty_service()
    };
    assert_eq!(store.create(service).await.unwrap(), CreateResult::Created);
}

/// Claims a new key and creates its service.
async fn create_with_claim(store: &dyn Store, end: Timestamp) -> (IdempotencyKey, ServiceId) {
    let key = fresh_key();
    let (id, _) = claim(store, &key).await;
    create(store, &key, &id, end).await;
    (key, id)
}

async fn new_key_is_bound_to_offered_id(store: &dyn Store) {
    assert_free(store, &fresh_key()).await;
    let odd = ["", " ", "}{", "a\0b\n", "\u{1f980}", &"x".repeat(255)];
    for text in odd {
        let mut key = fresh_key();
        key.key.push_str(text);
        assert_free(store, &key).await;
        key.key.push_str(text);
        if !text.is_empty() {
            assert_free(store, &key).await;
        }
    }
}

async fn pending_key_returns_first_id(store: &dyn Store) {
    let key = fresh_key();
    let (first, _) = claim(store, &key).await;
    for _ in 0..2 {
        let (_, outcome) = claim(store, &key).await;
        assert_eq!(outcome, IdempotencyClaim::Create(first.clone()));
    }
    assert_eq!(store.definition(&first).await.unwrap(), None);
}

async fn unused_key_expires(store: &dyn Store) {
    let (key, first, end) = (fresh_key(), ServiceId::generate(), in_ms(150));
    store.claim(&key, first.clone(), end).await.unwrap();
    eventually("the key is free", async || {
        let before = now();
        let (id, outcome) = claim(store, &key).await;
        if outcome == IdempotencyClaim::Create(first.clone()) {
            assert!(before <= end, "still bound at {before}, after {end}");
            return None;
        }
        assert_eq!(outcome, IdempotencyClaim::Create(id));
        assert!(now() >= end, "free before {end}");
        Some(())
    })
    .await;
}

async fn key_of_existing_service_replays_response(store: &dyn Store) {
    let (key, id) = create_with_claim(store, in_ms(60_000)).await;
    assert_replayed(store, &key, &id).await;
    assert_replayed(store, &key, &id).await;
}

async fn key_expires_with_its_service(store: &dyn Store) {
    // Claimed for a shorter time than the TTL of the service, then for a longer one.
    let (key, id, claimed_until) = (fresh_key(), ServiceId::generate(), in_ms(100));
    store.claim(&key, id.clone(), claimed_until).await.unwrap();
    create(store, &key, &id, in_ms(60_000)).await;
    sleep_until(claimed_until).await;
    assert_replayed(store, &key, &id).await;

    let end = in_ms(100);
    let (key, _) = create_with_claim(store, end).await;
    sleep_until(end).await;
    assert_free(store, &key).await;
}

async fn key_follows_end_of_its_service(store: &dyn Store) {
    let ((key, id), end) = before_end(150, async |end| {
        let (key, id) = create_with_claim(store, end).await;
        store.set_end(&id, in_ms(60_000)).await.unwrap()?;
        Some((key, id))
    })
    .await;
    sleep_until(end).await;
    assert_replayed(store, &key, &id).await;

    let sooner = in_ms(50);
    store.set_end(&id, sooner).await.unwrap();
    sleep_until(sooner).await;
    assert_free(store, &key).await;
}

async fn deleting_a_service_frees_its_key(store: &dyn Store) {
    let (key, id) = create_with_claim(store, in_ms(60_000)).await;
    assert_eq!(store.delete(&id).await.unwrap(), Some(()));
    assert_free(store, &key).await;
}

async fn service_does_not_change_key_of_another(store: &dyn Store) {
    let (key, ends) = before_end(500, async |ends| {
        let (key, slow, slow_ends) = (fresh_key(), ServiceId::generate(), in_ms(50));
        store.claim(&key, slow.clone(), slow_ends).await.unwrap();
        sleep_until(slow_ends).await;
        let other = ServiceId::generate();
        let outcome = store.claim(&key, other.clone(), ends).await.unwrap();
        assert_eq!(outcome, IdempotencyClaim::Create(other.clone()));

        create(store, &key, &slow, in_ms(60_000)).await;
        store.set_end(&slow, in_ms(70_000)).await.unwrap();
        store.delete(&slow).await.unwrap();
        let (_, outcome) = claim(store, &key).await;
        (outcome == IdempotencyClaim::Create(other)).then_some(key)
    })
    .await;
    sleep_until(ends).await;
    assert_free(store, &key).await;
}

async fn different_keys_are_independent(store: &dyn Store) {
    let unique = ServiceId::generate().to_string();
    let key = |key: &str| IdempotencyKey {
        key: format!("{unique}{key}"),
    };
    for key in [key("a"), key("b"), key("a:b"), key("a}"), key("{a")] {
        assert_free(store, &key).await;
    }
}

async fn concurrent_claims_return_one_id(store: &dyn Store) {
    let key = fresh_key();
    let outcomes = join_all([(); 16].map(|()| claim(store, &key))).await;
    let offered = outcomes
        .iter()
        .map(|(id, _)| IdempotencyClaim::Create(id.clone()));
    let first = &outcomes[0].1;
    assert_eq!(offered.filter(|offer| offer == first).count(), 1);
    assert!(outcomes.iter().all(|(_, outcome)| outcome == first));
}

/// Books the only number of a group for a create with a key and this digest of its request.
async fn book(store: &dyn Store, id: &ServiceId, digest: &str) -> BookResult {
    let group = resource_group(AllocationStrategy::Exclusive, 1);
    let owner = BookingOwner::NewRepeatable(id, digest);
    store
        .book_number(owner, &group, &booking_request(60_000))
        .await
        .unwrap()
}

async fn book_expecting_success(store: &dyn Store, id: &ServiceId, digest: &str) -> Booking {
    match book(store, id, digest).await {
        BookResult::Booked(booking) => booking,
        other => panic!("{other:?}"),
    }
}

async fn repetitions_of_a_create_use_one_booking(store: &dyn Store) {
    let (id, other) = (ServiceId::generate(), ServiceId::generate());
    let digest = "0123456789abcdef".repeat(4);
    let first = book_expecting_success(store, &id, &digest).await;
    let second = book_expecting_success(store, &id, &digest).await;
    assert_eq!((&first.id, &first.number), (&second.id, &second.number));
    // Neither another request nor another service gets it.
    for (id, digest) in [(&id, "f".repeat(64)), (&other, digest.clone())] {
        let result = book(store, id, &digest).await;
        assert!(matches!(result, BookResult::Exhausted(_)), "{result:?}");
    }
    store.release_pending_number(&id, &first).await.unwrap();
    book_expecting_success(store, &other, &digest).await;
}

async fn booking_of_a_created_service_is_not_released_as_pending(store: &dyn Store) {
    let (id, other) = (ServiceId::generate(), ServiceId::generate());
    let digest = "0123456789abcdef".repeat(4);
    let booking = book_expecting_success(store, &id, &digest).await;
    let service = NewService {
        id: id.clone(),
        end: in_ms(60_000),
        booking: Some(booking.clone()),
        idempotency: Some((fresh_key(), "the response".to_owned())),
        ..empty_service()
    };
    let created = store.create(service).await.unwrap();
    assert_eq!(created, CreateResult::Created);
    let expected = BookResult::Replayed("the response".to_owned());
    assert_eq!(book(store, &id, &digest).await, expected);
    store.release_pending_number(&id, &booking).await.unwrap();
    let result = book(store, &other, &digest).await;
    assert!(matches!(result, BookResult::Exhausted(_)), "{result:?}");
    store.delete(&id).await.unwrap();
    store.release_number(&id, &booking).await.unwrap();
    book_expecting_success(store, &other, &digest).await;
}
