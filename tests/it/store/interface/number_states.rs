//! The states of the numbers of a group.

use std::time::Duration;

use switchboard::{
    model::{AllocationStrategy, Booking, BookingOwner, Group, NumberState, ServiceId},
    store::{AdminStore, Store},
};

use crate::support::{
    bookings::{book_in_store, booking_request, resource_group, wait_for_clock_tick},
    now,
    stores::{CLOCK_ERROR, on_every_store, sleep_until},
};

on_every_store!(
    exclusive_numbers_have_a_holder_and_a_last_use,
    shared_numbers_have_their_latest_holder,
    states_of_many_numbers_are_read_in_order,
);

/// Enough time for a test.
const LONG_MILLIS: u64 = 60_000;

async fn book(store: &dyn Store, group: &Group) -> (ServiceId, Booking) {
    let id = ServiceId::generate();
    let request = booking_request(LONG_MILLIS);
    let booking = book_in_store(store, BookingOwner::New(&id), group, &request).await;
    (id, booking)
}

async fn states(store: &dyn AdminStore, group: &Group) -> Vec<NumberState> {
    let states = store.number_states(&group.name, &group.numbers);
    states.await.unwrap()
}

async fn exclusive_numbers_have_a_holder_and_a_last_use(store: &dyn AdminStore) {
    let group = resource_group(AllocationStrategy::Exclusive, 3);
    assert_eq!(states(store, &group).await, vec![NumberState::default(); 3]);
    let start = store.now().unwrap();
    let (service, booking) = book(store, &group).await;
    let [booked, free, last] = states(store, &group).await.try_into().unwrap();
    let holder = booked.booking.unwrap();
    assert_eq!(
        (holder.id, holder.service),
        (booking.id.clone(), service.clone())
    );
    assert_eq!(holder.number, booking.number);
    assert_eq!(booked.bookings, 1);
    let booked_at = booked.last_used.unwrap();
    let booked_before = store.now().unwrap();
    assert!(
        start <= booked_at.after(CLOCK_ERROR) && booked_at <= booked_before.after(CLOCK_ERROR),
        "{start} {booked_at}"
    );
    assert_eq!(
        [free, last],
        [NumberState::default(), NumberState::default()]
    );
    // More than the inaccuracy of the clocks of a cluster.
    sleep_until(now().after(Duration::from_millis(200))).await;
    store.release_number(&service, &booking).await.unwrap();
    let released = &states(store, &group).await[0];
    assert_eq!((&released.booking, released.bookings), (&None, 0));
    assert!(released.last_used.unwrap() > booked_at, "{released:?}");
}

async fn shared_numbers_have_their_latest_holder(store: &dyn AdminStore) {
    let group = resource_group(AllocationStrategy::RoundRobin, 1);
    let mut latest = book(store, &group).await;
    for expected in 2..=12 {
        wait_for_clock_tick().await;
        latest = book(store, &group).await;
        let state = &states(store, &group).await[0];
        assert_eq!(state.booking.as_ref().unwrap().service, latest.0);
        assert_eq!(state.bookings, expected.min(NumberState::MAX_COUNTED));
    }
    store.release_number(&latest.0, &latest.1).await.unwrap();
    let state = &states(store, &group).await[0];
    assert_ne!(state.booking.as_ref().unwrap().service, latest.0);
    assert_eq!(state.bookings, NumberState::MAX_COUNTED);
}

async fn states_of_many_numbers_are_read_in_order(store: &dyn AdminStore) {
    let group = resource_group(AllocationStrategy::Exclusive, 1_203);
    let (_, booking) = book(store, &group).await;
    let states = states(store, &group).await;
    assert_eq!(states.len(), group.numbers.len());
    for (number, state) in group.numbers.iter().zip(states) {
        assert_eq!(state.booking.is_some(), number.text == booking.number);
    }
}
