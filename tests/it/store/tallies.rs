//! Counts that limits are held against.

use std::time::Duration;

use futures_util::future::join_all;
use switchboard::store::{ServiceId, Store, Tally};

use crate::support::{
    eventually,
    stores::{LONG, on_every_store},
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
    ServiceId::fresh().to_string()
}

async fn times(store: &dyn Store, tally: &Tally) -> u64 {
    let counted = store.count(tally, MANY, LONG).await.unwrap();
    assert!(counted.left <= LONG, "{:?}", counted.left);
    assert!(counted.left > LONG / 2, "{:?}", counted.left);
    counted.times
}

async fn each_thing_is_counted_for_itself(store: &dyn Store) {
    let name = fresh();
    let tallies = [
        Tally::CreatesFrom(name.clone()),
        Tally::CreatesOf(name.clone()),
        Tally::FailedMatches(name),
        Tally::CreatesFrom(fresh()),
    ];
    for expected in 1..=3 {
        for tally in &tallies {
            assert_eq!(times(store, tally).await, expected);
        }
    }
}

async fn a_count_ends_and_the_next_one_is_the_first_again(store: &dyn Store) {
    let tally = Tally::CreatesOf(fresh());
    let window = Duration::from_millis(200);
    store.count(&tally, MANY, window).await.unwrap();
    // Counting on does not make it last longer.
    eventually("the count ends", async || {
        let counted = store.count(&tally, MANY, window).await.unwrap();
        (counted.times == 1).then_some(())
    })
    .await;
}

async fn what_is_taken_back_was_not_counted(store: &dyn Store) {
    let tally = Tally::FailedMatches(fresh());
    store.uncount(&tally).await.unwrap();
    assert_eq!(times(store, &tally).await, 1);
    assert_eq!(times(store, &tally).await, 2);
    store.uncount(&tally).await.unwrap();
    assert_eq!(times(store, &tally).await, 2);
    for _ in 0..5 {
        store.uncount(&tally).await.unwrap();
    }
    assert_eq!(times(store, &tally).await, 1);
}

async fn of_many_at_once_each_counts(store: &dyn Store) {
    let tally = Tally::CreatesFrom(fresh());
    let all = join_all((0..50).map(|_| times(store, &tally))).await;
    let mut all: Vec<u64> = all;
    all.sort_unstable();
    assert!(all.into_iter().eq(1..=50));
}

async fn what_is_one_too_many_does_not_count(store: &dyn Store) {
    let tally = Tally::FailedSignIns(fresh());
    let times = async || store.count(&tally, 2, LONG).await.unwrap().times;
    for expected in [1, 2, 3, 3, 3] {
        assert_eq!(times().await, expected);
    }
    store.uncount(&tally).await.unwrap();
    assert_eq!(times().await, 2);
    store.uncount(&tally).await.unwrap();
    store.uncount(&tally).await.unwrap();
    assert_eq!(times().await, 1);
    // A limit that was lowered since.
    assert_eq!(times().await, 2);
    assert_eq!(store.count(&tally, 1, LONG).await.unwrap().times, 3);
    assert_eq!(times().await, 3);
}
