//! The consistency check: bookings of active services, orphaned bookings, lost numbers and leftovers.

use crate::support::{now, stores::sleep_until};
use std::{collections::BTreeSet, slice, sync::Arc, time::Duration};

use redis::AsyncCommands;
use switchboard::{
    model::{
        AllocationStrategy, BookResult, Booking, BookingOwner, Call, Codes, Group, MatchResult,
        ServiceId,
    },
    store::Store,
};

use crate::support::bookings::{
    book_in_store, booking_request, create_service, keys_in, number, resource_group, stores,
    wait_for_clock_tick, write_string,
};

/// Books a number for a service.
async fn book_number(store: &dyn Store, id: &ServiceId, group: &Group, millis: u64) -> Booking {
    book_in_store(
        store,
        BookingOwner::Existing(id),
        group,
        &booking_request(millis),
    )
    .await
}

#[tokio::test]
async fn report_lists_bookings_with_service_and_end() {
    let (_redis, _prefix, stores) = stores().await;
    for (name, store) in &stores {
        let group = resource_group(AllocationStrategy::Exclusive, 3);
        let groups = [group.clone()];
        let empty = store.check_consistency(&groups).await.unwrap();
        assert!(
            empty.is_clean() && empty.booked.is_empty(),
            "{name}: {empty}"
        );
        let (first, second) = (
            create_service(&**store, 60_000).await,
            create_service(&**store, 15_000).await,
        );
        let before = now();
        book_number(&**store, &first, &group, 20_000).await;
        book_number(&**store, &second, &group, 20_000).await;
        let report = store.check_consistency(&groups).await.unwrap();
        assert!(report.is_clean(), "{name}: {report}");
        let mut booked = report.booked;
        booked.sort_by(|a, b| a.number.cmp(&b.number));
        let listed: Vec<_> = booked
            .iter()
            .map(|booked| (&booked.number, &booked.service))
            .collect();
        assert_eq!(
            listed,
            [(&number(0), &first), (&number(1), &second)],
            "{name}"
        );
        assert!(booked.iter().all(|booked| booked.group == "DNIS"));
        let until = before.after(Duration::from_secs(20));
        assert!(
            booked[0].until >= until && booked[0].until < before.after(Duration::from_secs(30))
        );
        assert!(
            booked[1].until <= now().after(Duration::from_secs(15)),
            "{name}"
        );
        // The check changes nothing.
        let repeated = store.check_consistency(&groups).await.unwrap();
        assert_eq!(repeated.booked.len(), 2, "{name}: {repeated}");
    }
}

#[tokio::test]
async fn booking_without_service_is_orphaned() {
    let (_redis, _prefix, stores) = stores().await;
    for (name, store) in &stores {
        let group = resource_group(AllocationStrategy::Exclusive, 2);
        let (id, groups) = (ServiceId::generate(), [group.clone()]);
        let booked = store
            .book_number(BookingOwner::New(&id), &group, &booking_request(60_000))
            .await;
        assert!(matches!(booked, Ok(BookResult::Booked(_))), "{name}");
        let report = store.check_consistency(&groups).await.unwrap();
        assert!(
            !report.is_clean() && report.booked.is_empty(),
            "{name}: {report}"
        );
        assert_eq!(report.orphaned.len(), 1, "{name}: {report}");
        assert_eq!(report.orphaned[0].service, id, "{name}");
        let line = report.to_string();
        assert!(
            line.contains(&number(0)) && line.contains(id.as_str()),
            "{line}"
        );
    }
}

#[tokio::test]
async fn released_booking_is_not_reported() {
    let (_redis, _prefix, stores) = stores().await;
    for (name, store) in &stores {
        let group = resource_group(AllocationStrategy::Exclusive, 1);
        let groups = [group.clone()];
        let id = create_service(&**store, 60_000).await;
        let booking = book_number(&**store, &id, &group, 60_000).await;
        for _ in 0..2 {
            store.release_number(&id, &booking).await.unwrap();
            let report = store.check_consistency(&groups).await.unwrap();
            assert!(
                report.is_clean() && report.booked.is_empty(),
                "{name}: {report}"
            );
        }
        // A late release does not affect the next booking.
        let next = book_number(&**store, &id, &group, 60_000).await;
        store.release_number(&id, &booking).await.unwrap();
        let report = store.check_consistency(&groups).await.unwrap();
        assert_eq!(report.booked.len(), 1, "{name}: {report}");
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
async fn expired_bookings_count_as_free_once() {
    let (_redis, _prefix, stores) = stores().await;
    for (name, store) in &stores {
        // More bookings than one request reclaims.
        for (strategy, size, bookings, free) in [
            (AllocationStrategy::RoundRobin, 2, 30, 2),
            (AllocationStrategy::Exclusive, 30, 30, 29),
        ] {
            let mut group = resource_group(strategy, size);
            Arc::get_mut(&mut group).unwrap().name = format!("{strategy:?}");
            let id = create_service(&**store, 60_000).await;
            for _ in 0..bookings {
                book_number(&**store, &id, &group, 50).await;
            }
            let expired_at = now().after(Duration::from_millis(50));
            sleep_until(expired_at).await;
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
async fn lost_numbers_and_leftovers_are_reported() {
    let (redis, prefix, stores) = stores().await;
    let (_, store) = &stores[1];
    let group = resource_group(AllocationStrategy::Exclusive, 3);
    let groups = [group.clone()];
    let id = create_service(&**store, 60_000).await;
    book_number(&**store, &id, &group, 60_000).await;
    let mut connection = redis.connection().await;
    let free = format!("{prefix}grp:{{DNIS}}:free");
    let _: () = connection.zrem(&free, number(2)).await.unwrap();
    let report = store.check_consistency(&groups).await.unwrap();
    assert_eq!(report.lost, [("DNIS".to_owned(), number(2))]);
    assert_eq!(report.booked.len(), 1, "{report}");
    let _: () = connection.zadd(&free, number(2), 0).await.unwrap();
    assert!(store.check_consistency(&groups).await.unwrap().is_clean());

    // The service ends without cleanup, because no replica runs.
    store.delete(&id).await.unwrap();
    let report = store.check_consistency(&groups).await.unwrap();
    assert_eq!(report.orphaned.len(), 1, "{report}");
    let leftovers: Vec<_> = report
        .leftovers
        .iter()
        .filter(|leftover| leftover.contains(id.as_str()))
        .collect();
    assert_eq!(leftovers.len(), 2, "the list and the index entry: {report}");
    let _: () = connection
        .del(keys_in(&mut connection.clone(), &format!("{prefix}idx:*")).await)
        .await
        .unwrap();
    let report = store.check_consistency(&groups).await.unwrap();
    assert_eq!(report.leftovers.len(), 1, "{report}");
}

#[tokio::test]
async fn service_without_resources_is_not_reported() {
    let (_redis, _prefix, stores) = stores().await;
    for (name, store) in &stores {
        let groups = [resource_group(AllocationStrategy::Exclusive, 1)];
        let id = create_service(&**store, 60_000).await;
        assert!(write_string(&**store, &id).await);
        store.delete(&id).await.unwrap();
        assert!(!write_string(&**store, &id).await);
        let report = store.check_consistency(&groups).await.unwrap();
        assert!(
            report.is_clean() && report.booked.is_empty(),
            "{name}: {report}"
        );
    }
}

#[tokio::test]
async fn codes_are_retried_until_all_are_used() {
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
async fn match_skips_expired_and_pending_bookings() {
    let (_redis, _prefix, stores) = stores().await;
    for (name, store) in &stores {
        let group = resource_group(AllocationStrategy::RoundRobin, 1);
        let id = create_service(&**store, 60_000).await;
        book_number(&**store, &id, &group, 60_000).await;
        wait_for_clock_tick().await;
        for _ in 0..250 {
            book_number(&**store, &id, &group, 50).await;
        }
        let expired_at = now().after(Duration::from_millis(50));
        for _ in 0..3 {
            let pending = ServiceId::generate();
            let booked = store
                .book_number(
                    BookingOwner::New(&pending),
                    &group,
                    &booking_request(60_000),
                )
                .await;
            assert!(matches!(booked, Ok(BookResult::Booked(_))), "{name}");
        }
        sleep_until(expired_at).await;
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
            MatchResult::NoMatch { has_expired: false },
            "{name}"
        );
        // Bookings of pending creates are unchanged.
        let report = store
            .check_consistency(slice::from_ref(&group))
            .await
            .unwrap();
        assert_eq!(report.orphaned.len(), 3, "{name}: {report}");
    }
}
