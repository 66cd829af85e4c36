//! Bookings that a match considers, and the list of failed matches.

use redis::AsyncCommands;
use switchboard::{
    model::{
        AllocationStrategy, BookingOwner, BookingRequest, FailedMatch, ListedFailedMatch,
        MatchFailure, ServiceId,
    },
    store::{AdminStore, MatchDiagnosticsStore, Store},
};

use crate::support::{
    bookings::{
        book_in_store, booking_request, create_service, number, resource_group, wait_for_clock_tick,
    },
    stores::{RedisFixture, on_every_store},
};

on_every_store!(
    the_last_failed_matches_are_retained,
    failed_matches_are_read_from_a_position,
    activity_of_services_is_returned_in_order,
    candidates_are_the_newest_bookings,
);

/// Enough time for a test.
const LONG_MILLIS: u64 = 60_000;

fn failed(n: usize) -> FailedMatch {
    FailedMatch {
        time: "2026-11-23T17:45:43.120Z".to_owned(),
        access_number: number(n),
        caller: n.is_multiple_of(2).then(|| "…0199".to_owned()),
        has_code: n.is_multiple_of(3),
        reason: MatchFailure::ALL[n % MatchFailure::ALL.len()],
    }
}

async fn read(
    store: &dyn AdminStore,
    before: Option<&str>,
    limit: usize,
) -> Vec<ListedFailedMatch> {
    store.failed_matches(before, limit).await.unwrap()
}

async fn the_last_failed_matches_are_retained(store: &dyn AdminStore) {
    assert_eq!(read(store, None, 10).await, []);
    for batch in 0..26 {
        let batch: Vec<_> = (0..10).map(|n| failed(10 * batch + n)).collect();
        store.record_failed_matches(&batch, 200).await.unwrap();
    }
    let listed = read(store, None, 1_000).await.into_iter();
    let listed: Vec<_> = listed.map(|entry| entry.failed).collect();
    let expected: Vec<_> = (60..260).rev().map(failed).collect();
    assert_eq!(listed, expected);
}

async fn failed_matches_are_read_from_a_position(store: &dyn AdminStore) {
    let all: Vec<_> = (0..7).map(failed).collect();
    store.record_failed_matches(&all, 100).await.unwrap();
    let (mut before, mut found) = (None, Vec::new());
    loop {
        let page = read(store, before.as_deref(), 3).await;
        let Some(last) = page.last() else {
            break;
        };
        assert!(page.len() <= 3);
        before = Some(last.id.clone());
        found.extend(page.into_iter().map(|entry| entry.failed));
    }
    found.reverse();
    assert_eq!(found, all);
}

async fn activity_of_services_is_returned_in_order(store: &dyn AdminStore) {
    let active = create_service(as_store(store), LONG_MILLIS).await;
    let ids = [ServiceId::generate(), active, ServiceId::generate()];
    let states = store.are_active(&ids).await.unwrap();
    assert_eq!(states, [false, true, false]);
    assert_eq!(store.are_active(&[]).await.unwrap(), [false; 0]);
}

fn as_store(store: &dyn AdminStore) -> &dyn Store {
    store
}

/// Books the only number of a group `count` times.
async fn book(store: &dyn AdminStore, count: usize) -> Vec<ServiceId> {
    let group = resource_group(AllocationStrategy::RoundRobin, 1);
    let mut services = Vec::new();
    for n in 0..count {
        let id = create_service(as_store(store), LONG_MILLIS).await;
        let request = BookingRequest {
            caller: (n % 2 == 1).then(|| format!("+1650469{n:04}")),
            ..booking_request(LONG_MILLIS)
        };
        book_in_store(
            as_store(store),
            BookingOwner::Existing(&id),
            &group,
            &request,
        )
        .await;
        services.push(id);
        wait_for_clock_tick().await;
    }
    services
}

async fn candidates_are_the_newest_bookings(store: &dyn AdminStore) {
    let services = book(store, 5).await;
    let dialed = ["+18005550000".to_owned(), "+18005550009".to_owned()];
    for (limit, is_complete) in [(10, true), (5, true), (4, false), (1, false)] {
        let found = store.match_candidates("DNIS", &dialed, limit).await;
        let found = found.unwrap();
        assert_eq!(found.is_complete, is_complete, "{limit}");
        let newest = services.iter().rev().take(limit);
        assert!(found.bookings.iter().map(|one| &one.service).eq(newest));
        assert!(found.bookings.iter().all(|one| !one.has_expired));
        assert_eq!(found.bookings[0].caller, None);
        assert_eq!(found.bookings[0].number, number(0));
    }
    let other = store.match_candidates("none", &dialed, 10).await.unwrap();
    assert!(other.bookings.is_empty() && other.is_complete);
}

#[tokio::test]
async fn the_list_of_failed_matches_expires_in_a_week() {
    let mut redis = RedisFixture::shared().await;
    redis
        .store
        .record_failed_matches(&[failed(1)], 10)
        .await
        .unwrap();
    let key = format!("{}{{matches}}:failed", redis.prefix);
    let millis: i64 = redis.connection.pttl(key).await.unwrap();
    let week = 7 * 24 * 3_600 * 1_000;
    assert!((week - 60_000..=week).contains(&millis), "{millis}");
}
