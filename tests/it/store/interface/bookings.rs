//! Bookings: their release, and lists of the bookings of several groups.

use std::sync::Arc;

use switchboard::{
    model::{
        AllocationStrategy, Booking, BookingOwner, Call, ExpiryOrder, Group, ListRange,
        MatchResult, ServiceId,
    },
    store::{AdminStore, Store},
};

use crate::support::{
    bookings::{book_in_store, booking_request, create_service, number, resource_group},
    stores::on_every_store,
};

on_every_store!(
    a_booking_is_released_once,
    bookings_of_many_groups_are_listed_in_order,
    bookings_of_a_number_are_limited_in_total,
);

/// Enough time for a test.
const LONG_MILLIS: u64 = 100_000;
/// More groups than one pipeline to Redis reads.
const MANY_GROUPS: usize = 60;

/// Groups with the same number, which can be booked several times.
fn groups(count: usize) -> Vec<Arc<Group>> {
    let group = |n| {
        let mut group = resource_group(AllocationStrategy::RoundRobin, 1);
        Arc::get_mut(&mut group).unwrap().name = format!("group-{n:02}");
        group
    };
    (0..count).map(group).collect()
}

fn names(groups: &[Arc<Group>]) -> Vec<&str> {
    groups.iter().map(|group| group.name.as_str()).collect()
}

/// Books the number of a group for a new service.
async fn book(store: &dyn AdminStore, group: &Group, millis: u64) -> (ServiceId, Booking) {
    let store: &dyn Store = store;
    let id = create_service(store, 10 * LONG_MILLIS).await;
    let owner = BookingOwner::Existing(&id);
    let booking = book_in_store(store, owner, group, &booking_request(millis)).await;
    (id, booking)
}

async fn a_booking_is_released_once(store: &dyn AdminStore) {
    let groups = groups(1);
    let (id, booking) = book(store, &groups[0], LONG_MILLIS).await;
    assert!(store.release_number(&id, &booking).await.unwrap());
    assert!(!store.release_number(&id, &booking).await.unwrap());
    // A match releases the number too.
    let (id, booking) = book(store, &groups[0], LONG_MILLIS).await;
    let call = Call {
        dialed: vec![format!("+1{}", booking.number)],
        code: None,
        callers: Vec::new(),
        regions: Vec::new(),
    };
    let matched = store.match_call(&[groups[0].name.clone()], &call).await;
    assert_eq!(matched.unwrap(), MatchResult::Matched(id.clone()));
    assert!(!store.release_number(&id, &booking).await.unwrap());
}

async fn bookings_of_many_groups_are_listed_in_order(store: &dyn AdminStore) {
    let groups = groups(MANY_GROUPS);
    let mut expected = vec![String::new(); MANY_GROUPS];
    for (n, group) in groups.iter().enumerate() {
        let rank = 7 * n % MANY_GROUPS;
        let millis = LONG_MILLIS + 5_000 * u64::try_from(rank).unwrap();
        book(store, group, millis).await;
        expected[rank].clone_from(&group.name);
    }
    let names = names(&groups);
    let count = store.count_bookings(&names).await.unwrap();
    assert_eq!(count, MANY_GROUPS as u64);
    let exhausted = store.exhausted_at(&names).await.unwrap();
    assert_eq!(exhausted, vec![None; MANY_GROUPS]);
    for order in [ExpiryOrder::SoonestFirst, ExpiryOrder::LatestFirst] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let range = ListRange {
                order,
                after,
                expires_before: None,
            };
            let page = store.bookings_by_end(&names, &range, 7).await.unwrap();
            found.extend(page.entries.into_iter().map(|(group, _)| group));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "{order:?}");
        expected.reverse();
    }
}

async fn bookings_of_a_number_are_limited_in_total(store: &dyn AdminStore) {
    let groups = groups(3);
    for group in &groups {
        for _ in 0..4 {
            book(store, group, LONG_MILLIS).await;
        }
    }
    let (names, subscriber) = (names(&groups), format!("+1{}", number(0)));
    for (limit, expected) in [(0, [0; 3]), (6, [4, 2, 0]), (8, [4, 4, 0]), (20, [4; 3])] {
        let found = store.bookings_of_number(&names, &subscriber, limit).await;
        let found = found.unwrap();
        let count = |name: &&str| found.iter().filter(|(group, _)| group == name).count();
        let counts: Vec<usize> = names.iter().map(count).collect();
        assert_eq!(counts, expected, "{limit}");
    }
}
