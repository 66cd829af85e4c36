//! Quarantined numbers of a group.

use std::{collections::HashSet, sync::Arc};

use switchboard::{
    model::{
        AllocationStrategy, BookResult, Booking, BookingOwner, Call, Group, MatchResult,
        NumberState, PoolUsage, ServiceId,
    },
    store::{AdminStore, Store},
};

use crate::support::{
    bookings::{book_in_store, booking_request, create_service, resource_group},
    stores::on_every_store,
};

on_every_store!(
    a_quarantined_number_is_not_booked,
    a_booking_of_a_quarantined_number_is_matched_and_not_given_out_again,
    a_quarantine_that_ends_during_a_booking_leaves_the_number_booked,
    shared_numbers_are_quarantined,
);

/// Enough time for a test.
const LONG_MILLIS: u64 = 100_000;
const BY: &str = "olga\nof the night shift";

async fn book(store: &dyn Store, group: &Group) -> (ServiceId, Booking) {
    let id = create_service(store, 10 * LONG_MILLIS).await;
    let owner = BookingOwner::Existing(&id);
    let booking = book_in_store(store, owner, group, &booking_request(LONG_MILLIS)).await;
    (id, booking)
}

async fn is_exhausted(store: &dyn Store, group: &Group) -> bool {
    let id = ServiceId::generate();
    let request = booking_request(LONG_MILLIS);
    let result = store.book_number(BookingOwner::New(&id), group, &request);
    matches!(result.await.unwrap(), BookResult::Exhausted(_))
}

async fn quarantine(store: &dyn AdminStore, group: &Group, number: usize) {
    let number = &group.numbers[number];
    let quarantined = store.quarantine_number(group, number, BY).await;
    assert!(quarantined.unwrap(), "{number:?}");
}

async fn end(store: &dyn AdminStore, group: &Group, number: usize) -> bool {
    let ended = store.end_quarantine(group, &group.numbers[number]).await;
    ended.unwrap()
}

async fn states(store: &dyn AdminStore, group: &Group) -> Vec<NumberState> {
    let states = store.number_states(&group.name, &group.numbers);
    states.await.unwrap()
}

/// Numbers, free numbers and quarantined numbers.
async fn counts(store: &dyn AdminStore, group: &Group) -> [u64; 3] {
    let usages = store.pool_usages(&[&group.name]).await.unwrap();
    let PoolUsage {
        size,
        free,
        quarantined,
    } = usages[0];
    [size, free, quarantined]
}

async fn a_quarantined_number_is_not_booked(store: &dyn AdminStore) {
    let group = resource_group(AllocationStrategy::Exclusive, 3);
    let start = store.now().unwrap();
    // The first booking would take it. The group has no numbers in the store yet.
    quarantine(store, &group, 0).await;
    assert_eq!(counts(store, &group).await, [2, 2, 1]);
    let stored = states(store, &group).await.remove(0).quarantine.unwrap();
    assert_eq!(stored.by, BY);
    assert!(stored.since >= start && stored.since <= store.now().unwrap());
    let listed = store.quarantined_numbers(&group.name).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].number, group.numbers[0].text);
    assert_eq!(listed[0].quarantine, stored);
    let booked = [book(store, &group).await.1, book(store, &group).await.1];
    let expected = [&group.numbers[1].text, &group.numbers[2].text];
    assert_eq!([&booked[0].number, &booked[1].number], expected);
    assert_eq!(booked[1].pool.unwrap().free, 0);
    assert!(is_exhausted(store, &group).await);
    // Another quarantine changes nothing.
    let again = store.quarantine_number(&group, &group.numbers[0], "vera");
    assert!(again.await.unwrap());
    assert_eq!(states(store, &group).await[0].quarantine, Some(stored));
    assert!(end(store, &group, 0).await);
    assert!(!end(store, &group, 0).await);
    assert_eq!(counts(store, &group).await, [3, 1, 0]);
    let (_, booking) = book(store, &group).await;
    assert_eq!(booking.number, group.numbers[0].text);
    assert_eq!(states(store, &group).await[0].quarantine, None);
    let unknown = resource_group(AllocationStrategy::Exclusive, 4);
    let unknown = store.quarantine_number(&group, &unknown.numbers[3], BY);
    assert!(!unknown.await.unwrap());
}

async fn a_booking_of_a_quarantined_number_is_matched_and_not_given_out_again(
    store: &dyn AdminStore,
) {
    let group = resource_group(AllocationStrategy::Exclusive, 1);
    let (service, booking) = book(store, &group).await;
    quarantine(store, &group, 0).await;
    let [state] = states(store, &group).await.try_into().unwrap();
    assert_eq!(state.booking.unwrap().id, booking.id);
    assert!(state.quarantine.is_some());
    assert_eq!(counts(store, &group).await, [0, 0, 1]);
    let call = Call {
        dialed: vec![group.numbers[0].subscriber.clone()],
        code: None,
        callers: Vec::new(),
        regions: Vec::new(),
    };
    let matched = store.match_call(std::slice::from_ref(&group.name), &call);
    assert_eq!(matched.await.unwrap(), MatchResult::Matched(service));
    assert_eq!(counts(store, &group).await, [0, 0, 1]);
    assert!(is_exhausted(store, &group).await);
    assert!(end(store, &group, 0).await);
    assert_eq!(counts(store, &group).await, [1, 1, 0]);
    book(store, &group).await;
}

async fn a_quarantine_that_ends_during_a_booking_leaves_the_number_booked(store: &dyn AdminStore) {
    let group = resource_group(AllocationStrategy::Exclusive, 1);
    let (service, booking) = book(store, &group).await;
    quarantine(store, &group, 0).await;
    assert!(end(store, &group, 0).await);
    assert_eq!(counts(store, &group).await, [1, 0, 0]);
    assert!(is_exhausted(store, &group).await);
    assert!(store.release_number(&service, &booking).await.unwrap());
    assert_eq!(counts(store, &group).await, [1, 1, 0]);
}

async fn shared_numbers_are_quarantined(store: &dyn AdminStore) {
    for strategy in [AllocationStrategy::RoundRobin, AllocationStrategy::Random] {
        let mut group = resource_group(strategy, 3);
        Arc::get_mut(&mut group).unwrap().name = format!("{strategy:?}");
        book(store, &group).await;
        quarantine(store, &group, 1).await;
        let mut booked = HashSet::new();
        for _ in 0..30 {
            booked.insert(book(store, &group).await.1.number);
        }
        let quarantined = &group.numbers[1].text;
        assert_eq!(booked.len(), 2, "{strategy:?}: {booked:?}");
        assert!(!booked.contains(quarantined), "{strategy:?}");
        assert!(end(store, &group, 1).await);
        let mut is_booked = false;
        for _ in 0..200 {
            is_booked |= book(store, &group).await.1.number == *quarantined;
        }
        assert!(is_booked, "{strategy:?}");
    }
}
