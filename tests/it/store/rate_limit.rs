//! Counts that limits are held against.

use std::time::Duration;

use futures_util::future::join_all;
use switchboard::store::{RateLimitKey, ServiceId, Store};

use crate::support::{
    eventually,
    stores::{LONG_TTL, on_every_store},
};

on_every_store!(
    each_thing_is_counted_for_itself,
    a_count_ends_and_the_next_one_is_the_first_again,
    what_is_taken_back_was_not_counted,
    of_many_at_once_each_counts,
    what_is_one_too_many_does_not_count,
);

/// More than are counted.
const MANY: u64 = 1_000;

/// One that no other test counts.
fn fresh() -> String {
    ServiceId::generate().to_string()
}

async fn count(store: &dyn Store, tally: &RateLimitKey) -> u64 {
    let counted = store.rate_limit_take(tally, MANY, LONG_TTL).await.unwrap();
    assert!(counted.resets_in <= LONG_TTL, "{:?}", counted.resets_in);
    assert!(counted.resets_in > LONG_TTL / 2, "{:?}", counted.resets_in);
    counted.count
}

async fn each_thing_is_counted_for_itself(store: &dyn Store) {
    let name = fresh();
    let tallies = [
        RateLimitKey::CreatesByAddress(name.clone()),
        RateLimitKey::CreatesByService(name.clone()),
        RateLimitKey::FailedMatches(name),
        RateLimitKey::CreatesByAddress(fresh()),
    ];
    for expected in 1..=3 {
        for tally in &tallies {
            assert_eq!(count(store, tally).await, expected);
        }
    }
}

async fn a_count_ends_and_the_next_one_is_the_first_again(store: &dyn Store) {
    let tally = RateLimitKey::CreatesByService(fresh());
    let window = Duration::from_millis(200);
    store.rate_limit_take(&tally, MANY, window).await.unwrap();
    // Counting on does not make it last longer.
    eventually("the count ends", async || {
        let counted = store.rate_limit_take(&tally, MANY, window).await.unwrap();
        (counted.count == 1).then_some(())
    })
    .await;
}

async fn what_is_taken_back_was_not_counted(store: &dyn Store) {
    let tally = RateLimitKey::FailedMatches(fresh());
    store.rate_limit_refund(&tally).await.unwrap();
    assert_eq!(count(store, &tally).await, 1);
    assert_eq!(count(store, &tally).await, 2);
    store.rate_limit_refund(&tally).await.unwrap();
    assert_eq!(count(store, &tally).await, 2);
    for _ in 0..5 {
        store.rate_limit_refund(&tally).await.unwrap();
    }
    assert_eq!(count(store, &tally).await, 1);
}

async fn of_many_at_once_each_counts(store: &dyn Store) {
    let tally = RateLimitKey::CreatesByAddress(fresh());
    let all = join_all((0..50).map(|_| count(store, &tally))).await;
    let mut all: Vec<u64> = all;
    all.sort_unstable();
    assert!(all.into_iter().eq(1..=50));
}

async fn what_is_one_too_many_does_not_count(store: &dyn Store) {
    let tally = RateLimitKey::FailedSignIns(fresh());
    let times = async || {
        store
            .rate_limit_take(&tally, 2, LONG_TTL)
            .await
            .unwrap()
            .count
    };
    for expected in [1, 2, 3, 3, 3] {
        assert_eq!(times().await, expected);
    }
    store.rate_limit_refund(&tally).await.unwrap();
    assert_eq!(times().await, 2);
    store.rate_limit_refund(&tally).await.unwrap();
    store.rate_limit_refund(&tally).await.unwrap();
    assert_eq!(times().await, 1);
    // A limit that was lowered since.
    assert_eq!(times().await, 2);
    assert_eq!(
        store
            .rate_limit_take(&tally, 1, LONG_TTL)
            .await
            .unwrap()
            .count,
        3
    );
    assert_eq!(times().await, 3);
}
