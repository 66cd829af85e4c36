//! Rate limit counters.

use std::time::Duration;

use futures_util::future::join_all;
use switchboard::{
    model::{RateLimitKey, ServiceId},
    store::Store,
};

use crate::support::{
    eventually,
    stores::{LONG_TTL, on_every_store},
};

on_every_store!(
    counters_are_independent,
    counter_restarts_after_its_window,
    refund_decrements_counter,
    concurrent_operations_are_all_counted,
    rejected_operation_is_not_counted,
    reading_a_counter_changes_nothing,
);

/// A limit that no test reaches.
const MANY: u64 = 1_000;

/// A name that no other test uses.
fn fresh() -> String {
    ServiceId::generate().to_string()
}

async fn count(store: &dyn Store, key: &RateLimitKey) -> u64 {
    let state = store.rate_limit_take(key, MANY, LONG_TTL).await.unwrap();
    assert!(state.resets_in <= LONG_TTL, "{:?}", state.resets_in);
    assert!(state.resets_in > LONG_TTL / 2, "{:?}", state.resets_in);
    state.count
}

async fn counters_are_independent(store: &dyn Store) {
    let name = fresh();
    let keys = [
        RateLimitKey::CreatesByAddress(name.clone()),
        RateLimitKey::CreatesByService(name.clone()),
        RateLimitKey::FailedMatches(name),
        RateLimitKey::CreatesByAddress(fresh()),
    ];
    for expected in 1..=3 {
        for key in &keys {
            assert_eq!(count(store, key).await, expected);
        }
    }
}

async fn counter_restarts_after_its_window(store: &dyn Store) {
    let key = RateLimitKey::CreatesByService(fresh());
    let window = Duration::from_millis(200);
    store.rate_limit_take(&key, MANY, window).await.unwrap();
    // Further increments do not extend the window.
    eventually("the count ends", async || {
        let state = store.rate_limit_take(&key, MANY, window).await.unwrap();
        (state.count == 1).then_some(())
    })
    .await;
}

async fn refund_decrements_counter(store: &dyn Store) {
    let key = RateLimitKey::FailedMatches(fresh());
    store.rate_limit_refund(&key).await.unwrap();
    assert_eq!(count(store, &key).await, 1);
    assert_eq!(count(store, &key).await, 2);
    store.rate_limit_refund(&key).await.unwrap();
    assert_eq!(count(store, &key).await, 2);
    for _ in 0..5 {
        store.rate_limit_refund(&key).await.unwrap();
    }
    assert_eq!(count(store, &key).await, 1);
}

async fn concurrent_operations_are_all_counted(store: &dyn Store) {
    let key = RateLimitKey::CreatesByAddress(fresh());
    let all = join_all((0..50).map(|_| count(store, &key))).await;
    let mut all: Vec<u64> = all;
    all.sort_unstable();
    assert!(all.into_iter().eq(1..=50));
}

async fn reading_a_counter_changes_nothing(store: &dyn Store) {
    let key = RateLimitKey::FailedMatches(fresh());
    let read = async || store.rate_limit_state(&key).await.unwrap();
    for _ in 0..2 {
        let state = read().await;
        assert_eq!((state.count, state.resets_in), (0, Duration::ZERO));
    }
    for expected in 1..=3 {
        assert_eq!(count(store, &key).await, expected);
        for _ in 0..2 {
            let state = read().await;
            assert_eq!(state.count, expected);
            assert!(state.resets_in <= LONG_TTL, "{:?}", state.resets_in);
            assert!(state.resets_in > LONG_TTL / 2, "{:?}", state.resets_in);
        }
    }
    let key = RateLimitKey::FailedMatches(fresh());
    let window = Duration::from_millis(200);
    store.rate_limit_take(&key, MANY, window).await.unwrap();
    // Reads do not extend the window.
    eventually("the count ends", async || {
        let state = store.rate_limit_state(&key).await.unwrap();
        (state.count == 0).then_some(())
    })
    .await;
}

async fn rejected_operation_is_not_counted(store: &dyn Store) {
    let key = RateLimitKey::FailedSignIns(fresh());
    let count = async || {
        store
            .rate_limit_take(&key, 2, LONG_TTL)
            .await
            .unwrap()
            .count
    };
    for expected in [1, 2, 3, 3, 3] {
        assert_eq!(count().await, expected);
    }
    store.rate_limit_refund(&key).await.unwrap();
    assert_eq!(count().await, 2);
    store.rate_limit_refund(&key).await.unwrap();
    store.rate_limit_refund(&key).await.unwrap();
    assert_eq!(count().await, 1);
    // The limit was lowered meanwhile.
    assert_eq!(count().await, 2);
    assert_eq!(
        store
            .rate_limit_take(&key, 1, LONG_TTL)
            .await
            .unwrap()
            .count,
        3
    );
    assert_eq!(count().await, 3);
}
