//! Keys under which a create may be repeated: who gets which id, and for how long.

use futures_util::future::join_all;
use switchboard::store::{
    CreateResult, IdempotencyClaim, IdempotencyKey, NewService, ServiceId, Store, Timestamp,
};

use crate::support::{
    eventually, now,
    stores::{empty_service, in_ms, on_every_store, sleep_until},
};

on_every_store!(
    a_new_key_is_bound_to_the_id_offered,
    a_key_whose_create_has_not_come_gives_its_first_id_to_all,
    a_key_whose_create_never_comes_is_free_when_its_time_is_over,
    the_key_of_a_standing_service_gives_its_answer,
    a_key_lasts_as_long_as_its_service_and_no_longer,
    a_key_follows_the_end_of_its_service,
    deleting_a_service_frees_its_key,
    a_service_leaves_a_key_alone_that_another_has_taken,
    another_key_is_free,
    of_concurrent_claims_one_id_is_told_to_all,
);

fn fresh_key() -> IdempotencyKey {
    IdempotencyKey {
        key: ServiceId::generate().to_string(),
    }
}

/// Claims `key` with a fresh id, which is returned beside the outcome.
async fn claim(store: &dyn Store, key: &IdempotencyKey) -> (ServiceId, IdempotencyClaim) {
    let id = ServiceId::generate();
    let outcome = store.claim(key, id.clone(), in_ms(60_000)).await.unwrap();
    (id, outcome)
}

async fn assert_free(store: &dyn Store, key: &IdempotencyKey) {
    let (id, outcome) = claim(store, key).await;
    assert_eq!(outcome, IdempotencyClaim::Create(id));
}

async fn assert_replayed(store: &dyn Store, key: &IdempotencyKey, id: &ServiceId) {
    let (_, outcome) = claim(store, key).await;
    let answered = IdempotencyClaim::Replayed {
        id: id.clone(),
        stored: "the answer".to_owned(),
    };
    assert_eq!(outcome, answered);
}

/// Makes the service that `key` was claimed for.
async fn create(store: &dyn Store, key: &IdempotencyKey, id: &ServiceId, end: Timestamp) {
    let service = NewService {
        id: id.clone(),
        end,
        idempotency: Some((key.clone(), "the answer".to_owned())),
        ..empty_service()
    };
    assert_eq!(store.create(service).await.unwrap(), CreateResult::Created);
}

/// Claims a fresh key and makes its service.
async fn create_with_claim(store: &dyn Store, end: Timestamp) -> (IdempotencyKey, ServiceId) {
    let key = fresh_key();
    let (id, _) = claim(store, &key).await;
    create(store, &key, &id, end).await;
    (key, id)
}

async fn a_new_key_is_bound_to_the_id_offered(store: &dyn Store) {
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

async fn a_key_whose_create_has_not_come_gives_its_first_id_to_all(store: &dyn Store) {
    let key = fresh_key();
    let (first, _) = claim(store, &key).await;
    for _ in 0..2 {
        let (_, outcome) = claim(store, &key).await;
        assert_eq!(outcome, IdempotencyClaim::Create(first.clone()));
    }
    assert_eq!(store.definition(&first).await.unwrap(), None);
}

async fn a_key_whose_create_never_comes_is_free_when_its_time_is_over(store: &dyn Store) {
    let (key, first, end) = (fresh_key(), ServiceId::generate(), in_ms(150));
    store.claim(&key, first.clone(), end).await.unwrap();
    eventually("the key is free", async || {
        let asked = now();
        let (id, outcome) = claim(store, &key).await;
        if outcome == IdempotencyClaim::Create(first.clone()) {
            assert!(asked <= end, "still bound at {asked}, after {end}");
            return None;
        }
        assert_eq!(outcome, IdempotencyClaim::Create(id));
        assert!(now() >= end, "free before {end}");
        Some(())
    })
    .await;
}

async fn the_key_of_a_standing_service_gives_its_answer(store: &dyn Store) {
    let (key, id) = create_with_claim(store, in_ms(60_000)).await;
    assert_replayed(store, &key, &id).await;
    assert_replayed(store, &key, &id).await;
}

async fn a_key_lasts_as_long_as_its_service_and_no_longer(store: &dyn Store) {
    // Claimed for less than the service lives, then for more.
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

async fn a_key_follows_the_end_of_its_service(store: &dyn Store) {
    let end = in_ms(150);
    let (key, id) = create_with_claim(store, end).await;
    let moved = store.set_end(&id, in_ms(60_000)).await.unwrap();
    assert_eq!(moved, Some(()));
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

async fn a_service_leaves_a_key_alone_that_another_has_taken(store: &dyn Store) {
    let (key, slow, ends) = (fresh_key(), ServiceId::generate(), in_ms(50));
    store.claim(&key, slow.clone(), ends).await.unwrap();
    sleep_until(ends).await;
    let (other, ends) = (ServiceId::generate(), in_ms(300));
    let outcome = store.claim(&key, other.clone(), ends).await.unwrap();
    assert_eq!(outcome, IdempotencyClaim::Create(other.clone()));

    create(store, &key, &slow, in_ms(60_000)).await;
    store.set_end(&slow, in_ms(70_000)).await.unwrap();
    store.delete(&slow).await.unwrap();
    let (_, outcome) = claim(store, &key).await;
    assert_eq!(outcome, IdempotencyClaim::Create(other));
    sleep_until(ends).await;
    assert_free(store, &key).await;
}

async fn another_key_is_free(store: &dyn Store) {
    let unique = ServiceId::generate().to_string();
    let key = |key: &str| IdempotencyKey {
        key: format!("{unique}{key}"),
    };
    for key in [key("a"), key("b"), key("a:b"), key("a}"), key("{a")] {
        assert_free(store, &key).await;
    }
}

async fn of_concurrent_claims_one_id_is_told_to_all(store: &dyn Store) {
    let key = fresh_key();
    let outcomes = join_all([(); 16].map(|()| claim(store, &key))).await;
    let offered = outcomes
        .iter()
        .map(|(id, _)| IdempotencyClaim::Create(id.clone()));
    let told = &outcomes[0].1;
    assert_eq!(offered.filter(|offer| offer == told).count(), 1);
    assert!(outcomes.iter().all(|(_, outcome)| outcome == told));
}
