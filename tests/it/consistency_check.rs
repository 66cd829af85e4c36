//! The books, looked through: what is held by whom, what by nobody, and what is missing.

use crate::support::now;
use std::{collections::BTreeSet, slice, sync::Arc, time::Duration};

use redis::AsyncCommands;
use switchboard::store::{
    AllocationStrategy, BookResult, Booking, BookingOwner, Call, Codes, Group, MatchResult,
    ServiceId, Store,
};

use crate::support::bookings::{
    booking_request, create_service, eventually, keys_in, number, resource_group, stores,
    wait_for_clock_tick, write_string,
};

/// Holds a number for a service.
async fn book_number(store: &dyn Store, id: &ServiceId, group: &Group, millis: u64) -> Booking {
    match store
        .book_number(BookingOwner::Existing(id), group, &booking_request(millis))
        .await
    {
        Ok(BookResult::Booked(booking)) => booking,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_held_is_told_with_its_service_and_its_end() {
    let (_redis, _prefix, stores) = stores().await;
    for (name, store) in &stores {
        let group = resource_group(AllocationStrategy::Exclusive, 3);
        let groups = [group.clone()];
        let empty = store.check_consistency(&groups).await.unwrap();
        assert!(
            empty.is_clean() && empty.booked.is_empty(),
            "{name}: {empty}"
        );
        let (one, other) = (
            create_service(&**store, 60_000).await,
            create_service(&**store, 5_000).await,
        );
        let before = now();
        book_number(&**store, &one, &group, 20_000).await;
        book_number(&**store, &other, &group, 20_000).await;
        let audit = store.check_consistency(&groups).await.unwrap();
        assert!(audit.is_clean(), "{name}: {audit}");
        let mut held = audit.booked;
        held.sort_by(|a, b| a.number.cmp(&b.number));
        let told: Vec<_> = held
            .iter()
            .map(|held| (&held.number, &held.service))
            .collect();
        assert_eq!(told, [(&number(0), &one), (&number(1), &other)], "{name}");
        assert!(held.iter().all(|held| held.group == "DNIS"));
        let until = before.after(Duration::from_secs(20));
        assert!(held[0].until >= until && held[0].until < before.after(Duration::from_secs(30)));
        assert!(
            held[1].until <= now().after(Duration::from_secs(5)),
            "{name}"
        );
        // Asking changes nothing.
        let again = store.check_consistency(&groups).await.unwrap();
        assert_eq!(again.booked.len(), 2, "{name}: {again}");
    }
}

#[tokio::test]
async fn what_is_held_for_a_service_that_is_not_there_is_held_by_nobody() {
    let (_redis, _prefix, stores) = stores().await;
    for (name, store) in &stores {
        let group = resource_group(AllocationStrategy::Exclusive, 2);
        let (id, groups) = (ServiceId::generate(), [group.clone()]);
        let held = store
            .book_number(BookingOwner::New(&id), &group, &booking_request(60_000))
            .await;
        assert!(matches!(held, Ok(BookResult::Booked(_))), "{name}");
        let audit = store.check_consistency(&groups).await.unwrap();
        assert!(
            !audit.is_clean() && audit.booked.is_empty(),
            "{name}: {audit}"
        );
        assert_eq!(audit.orphaned.len(), 1, "{name}: {audit}");
        assert_eq!(audit.orphaned[0].service, id, "{name}");
        let line = audit.to_string();
        assert!(
            line.contains(&number(0)) && line.contains(id.as_str()),
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_booking_given_back_is_told_no_more() {
    let (_redis, _prefix, stores) = stores().await;
    for (name, store) in &stores {
        let group = resource_group(AllocationStrategy::Exclusive, 1);
        let groups = [group.clone()];
        let id = create_service(&**store, 60_000).await;
        let booking = book_number(&**store, &id, &group, 60_000).await;
        for _ in 0..2 {
            store.release_number(&id, &booking).await.unwrap();
            let audit = store.check_consistency(&groups).await.unwrap();
            assert!(
                audit.is_clean() && audit.booked.is_empty(),
                "{name}: {audit}"
            );
        }
        // Given back late, it does not take what another one has.
        let next = book_number(&**store, &id, &group, 60_000).await;
        store.release_number(&id, &booking).await.unwrap();
        let audit = store.check_consistency(&groups).await.unwrap();
        assert_eq!(audit.booked.len(), 1, "{name}: {audit}");
        assert_eq!(next.number, number(0));
        let none = store
            .book_number(BookingOwner::Existing(&id), &group, &booking_request(5_000))
            .await;
        assert!(
            matches!(none, Ok(BookResult::Exhausted(_))),
            "{name}: {none:?}"
        );
    }
}

#[tokio::test]
async fn what_has_run_out_counts_as_free_and_no_number_counts_twice() {
    let (_redis, _prefix, stores) = stores().await;
    for (name, store) in &stores {
        // More than one request gives back by the way.
        for (strategy, size, held, free) in [
            (AllocationStrategy::RoundRobin, 2, 30, 2),
            (AllocationStrategy::Exclusive, 30, 30, 29),
        ] {
            let mut group = resource_group(strategy, size);
            Arc::get_mut(&mut group).unwrap().name = format!("{strategy:?}");
            let id = create_service(&**store, 60_000).await;
            for _ in 0..held {
                book_number(&**store, &id, &group, 50).await;
            }
            let over = now().after(Duration::from_millis(50));
            eventually("all have run out", async || (now() > over).then_some(())).await;
            let booking = book_number(&**store, &id, &group, 60_000).await;
            let pool = booking.pool.unwrap();
            assert_eq!(
                (pool.size, pool.free),
                (size as u64, free),
                "{name} {strategy:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_number_in_no_book_is_lost_and_what_outlives_its_service_is_left_over() {
    let (redis, prefix, stores) = stores().await;
    let (_, store) = &stores[1];
    let group = resource_group(AllocationStrategy::Exclusive, 3);
    let groups = [group.clone()];
    let id = create_service(&**store, 60_000).await;
    book_number(&**store, &id, &group, 60_000).await;
    let mut connection = redis.connection().await;
    let free = format!("{prefix}grp:{{DNIS}}:free");
    let _: () = connection.zrem(&free, number(2)).await.unwrap();
    let audit = store.check_consistency(&groups).await.unwrap();
    assert_eq!(audit.lost, [("DNIS".to_owned(), number(2))]);
    assert_eq!(audit.booked.len(), 1, "{audit}");
    let _: () = connection.zadd(&free, number(2), 0).await.unwrap();
    assert!(store.check_consistency(&groups).await.unwrap().is_clean());

    // It ends, and nobody cleans up: there is no replica.
    store.delete(&id).await.unwrap();
    let audit = store.check_consistency(&groups).await.unwrap();
    assert_eq!(audit.orphaned.len(), 1, "{audit}");
    let told: Vec<_> = audit
        .leftovers
        .iter()
        .filter(|told| told.contains(id.as_str()))
        .collect();
    assert_eq!(told.len(), 2, "the list and the index entry: {audit}");
    let _: () = connection
        .del(keys_in(&mut connection.clone(), &format!("{prefix}idx:*")).await)
        .await
        .unwrap();
    let audit = store.check_consistency(&groups).await.unwrap();
    assert_eq!(audit.leftovers.len(), 1, "{audit}");
}

#[tokio::test]
async fn of_a_service_that_holds_nothing_nothing_is_told() {
    let (_redis, _prefix, stores) = stores().await;
    for (name, store) in &stores {
        let groups = [resource_group(AllocationStrategy::Exclusive, 1)];
        let id = create_service(&**store, 60_000).await;
        assert!(write_string(&**store, &id).await);
        store.delete(&id).await.unwrap();
        assert!(!write_string(&**store, &id).await);
        let audit = store.check_consistency(&groups).await.unwrap();
        assert!(
            audit.is_clean() && audit.booked.is_empty(),
            "{name}: {audit}"
        );
    }
}

#[tokio::test]
async fn codes_are_drawn_again_until_all_are_given() {
    let (_redis, _prefix, stores) = stores().await;
    for (name, store) in &stores {
        let group = resource_group(AllocationStrategy::RoundRobin, 1);
        let id = create_service(&**store, 60_000).await;
        let mut request = booking_request(60_000);
        let prefixes = vec!["12".to_owned(), "13".to_owned()];
        request.codes = Some(Codes {
            length: 3,
            prefixes,
        });
        let mut codes = BTreeSet::new();
        for _ in 0..20 {
            wait_for_clock_tick().await;
            match store
                .book_number(BookingOwner::Existing(&id), &group, &request)
                .await
            {
                Ok(BookResult::Booked(booking)) => assert!(codes.insert(booking.code.unwrap())),
                other => panic!("{name}: {other:?}"),
            }
        }
        let none = store
            .book_number(BookingOwner::Existing(&id), &group, &request)
            .await;
        assert!(
            matches!(none, Ok(BookResult::Exhausted(_))),
            "{name}: {none:?}"
        );
        assert_eq!(codes.first().map(String::as_str), Some("120"), "{name}");
        assert_eq!(codes.last().map(String::as_str), Some("139"), "{name}");
    }
}

#[tokio::test]
async fn a_call_passes_over_bookings_that_have_run_out_or_whose_service_is_not_made() {
    let (_redis, _prefix, stores) = stores().await;
    for (name, store) in &stores {
        let group = resource_group(AllocationStrategy::RoundRobin, 1);
        let id = create_service(&**store, 60_000).await;
        book_number(&**store, &id, &group, 60_000).await;
        wait_for_clock_tick().await;
        for _ in 0..250 {
            book_number(&**store, &id, &group, 50).await;
        }
        let over = now().after(Duration::from_millis(50));
        for _ in 0..3 {
            let unmade = ServiceId::generate();
            let held = store
                .book_number(BookingOwner::New(&unmade), &group, &booking_request(60_000))
                .await;
            assert!(matches!(held, Ok(BookResult::Booked(_))), "{name}");
        }
        eventually("they have run out", async || (now() > over).then_some(())).await;
        let (groups, call) = (
            ["DNIS".to_owned()],
            Call {
                dialed: vec![group.numbers[0].subscriber.clone()],
                code: None,
                callers: Vec::new(),
                regions: Vec::new(),
            },
        );
        let found = store.match_call(&groups, &call).await.unwrap();
        assert_eq!(found, MatchResult::Matched(id), "{name}");
        assert_eq!(
            store.match_call(&groups, &call).await.unwrap(),
            MatchResult::NoMatch,
            "{name}"
        );
        // Those that are about to be made are as they were.
        let audit = store
            .check_consistency(slice::from_ref(&group))
            .await
            .unwrap();
        assert_eq!(audit.orphaned.len(), 3, "{name}: {audit}");
    }
}
