//! Bookings that a match considers, and the list of failed matches.

use std::time::Duration;

use redis::{AsyncCommands, cmd};
use switchboard::{
    model::{
        AllocationStrategy, BookingOwner, BookingRequest, Call, Codes, FailedMatch,
        ListedFailedMatch, MatchFailure, MatchResult, ServiceId,
    },
    store::{AdminStore, BookingStore, MatchDiagnosticsStore, Store},
};

use crate::support::{
    bookings::{
        book_in_store, booking_request, create_service, number, resource_group, wait_for_clock_tick,
    },
    now,
    stores::{RedisFixture, on_every_store, sleep_until},
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
    store.failed_matches(before, limit).await.unwrap().matches
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
        let page = store.failed_matches(before.as_deref(), 3).await.unwrap();
        assert!(page.matches.len() <= 3);
        found.extend(page.matches.into_iter().map(|entry| entry.failed));
        before = page.next;
        if before.is_none() {
            break;
        }
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

#[tokio::test]
async fn unreadable_entries_do_not_end_the_list() {
    let mut redis = RedisFixture::shared().await;
    let key = format!("{}{{matches}}:failed", redis.prefix);
    let mut expected = Vec::new();
    for n in 0..3 {
        let entry = [failed(n)];
        redis.store.record_failed_matches(&entry, 10).await.unwrap();
        expected.insert(0, failed(n));
        let add = cmd("XADD").arg(&key).arg(&["*", "match", "{}"]).to_owned();
        let _id: String = add.query_async(&mut redis.connection).await.unwrap();
    }
    let (mut before, mut found) = (None, Vec::new());
    for _ in 0..6 {
        let page = redis.store.failed_matches(before.as_deref(), 1).await;
        let page = page.unwrap();
        found.extend(page.matches.into_iter().map(|entry| entry.failed));
        before = Some(page.next.unwrap());
    }
    assert_eq!(found, expected);
    let page = redis.store.failed_matches(before.as_deref(), 1).await;
    assert_eq!(page.unwrap().next, None);
}

/// Books a number with a code and the caller `+1`, until the booking expires. Returns the code.
async fn book_expired(store: &dyn Store) -> String {
    let group = resource_group(AllocationStrategy::RoundRobin, 1);
    let id = create_service(store, LONG_MILLIS).await;
    let codes = Codes {
        length: 4,
        prefixes: vec![String::new()],
    };
    let request = BookingRequest {
        caller: Some("+1".to_owned()),
        codes: Some(codes),
        ..booking_request(50)
    };
    let booked = book_in_store(store, BookingOwner::Existing(&id), &group, &request).await;
    sleep_until(now().after(Duration::from_millis(60))).await;
    booked.code.unwrap()
}

#[tokio::test]
async fn a_match_finds_expired_bookings_that_fit_otherwise() {
    for redis in [
        RedisFixture::shared().await,
        RedisFixture::on_cluster().await,
    ] {
        for (has_code, callers, has_expired) in [
            (false, vec![], true),
            (false, vec!["+1"], true),
            (false, vec!["+2"], false),
            (true, vec![], true),
            (true, vec!["+2", "+1"], false),
            (true, vec!["+1"], true),
        ] {
            let code = book_expired(&redis.store).await;
            let mut call = Call {
                dialed: vec![format!("+1{}", number(0))],
                code: has_code.then_some(code),
                callers: callers.iter().map(|&caller| caller.to_owned()).collect(),
                regions: Vec::new(),
            };
            let groups = ["none".to_owned(), "DNIS".to_owned(), "other".to_owned()];
            let found = redis.store.match_call(&groups, &call).await.unwrap();
            assert_eq!(found, MatchResult::NoMatch { has_expired }, "{call:?}");
            // The bookings are released: those of other callers by the next call.
            (call.code, call.callers) = (None, Vec::new());
            redis.store.match_call(&groups, &call).await.unwrap();
            let found = redis.store.match_call(&groups, &call).await.unwrap();
            assert_eq!(found, MatchResult::NoMatch { has_expired: false });
        }
    }
}
