//! The books, looked through: what is held by whom, what by nobody, and what is missing.

use crate::support::now;
use std::{collections::BTreeSet, slice, sync::Arc, time::Duration};

use redis::AsyncCommands;
use switchboard::store::{
    Booked, Booking, Call, Codes, Group, Holder, Matched, ServiceId, Store, Strategy,
};

use crate::support::bookings::{
    eventually, keys_in, living, number, pool, stores, tick, wish, write,
};

/// Holds a number for a service.
async fn hold(store: &dyn Store, id: &ServiceId, group: &Group, millis: u64) -> Booking {
    match store.book(Holder::Existing(id), group, &wish(millis)).await {
        Ok(Booked::Held(booking)) => booking,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_held_is_told_with_its_service_and_its_end() {
    let (_redis, _prefix, stores) = stores().await;
    for (name, store) in &stores {
        let group = pool(Strategy::Exclusive, 3);
        let groups = [group.clone()];
        let empty = store.audit(&groups).await.unwrap();
        assert!(empty.is_clean() && empty.held.is_empty(), "{name}: {empty}");
        let (one, other) = (
            living(&**store, 60_000).await,
            living(&**store, 5_000).await,
        );
        let before = now();
        hold(&**store, &one, &group, 20_000).await;
        hold(&**store, &other, &group, 20_000).await;
        let audit = store.audit(&groups).await.unwrap();
        assert!(audit.is_clean(), "{name}: {audit}");
        let mut held = audit.held;
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
        let again = store.audit(&groups).await.unwrap();
        assert_eq!(again.held.len(), 2, "{name}: {again}");
    }
}

#[tokio::test]
async fn what_is_held_for_a_service_that_is_not_there_is_held_by_nobody() {
    let (_redis, _prefix, stores) = stores().await;
    for (name, store) in &stores {
        let group = pool(Strategy::Exclusive, 2);
        let (id, groups) = (ServiceId::fresh(), [group.clone()]);
        let held = store.book(Holder::New(&id), &group, &wish(60_000)).await;
        assert!(matches!(held, Ok(Booked::Held(_))), "{name}");
        let audit = store.audit(&groups).await.unwrap();
        assert!(
            !audit.is_clean() && audit.held.is_empty(),
            "{name}: {audit}"
        );
        assert_eq!(audit.held_by_nobody.len(), 1, "{name}: {audit}");
        assert_eq!(audit.held_by_nobody[0].service, id, "{name}");
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
        let group = pool(Strategy::Exclusive, 1);
        let groups = [group.clone()];
        let id = living(&**store, 60_000).await;
        let booking = hold(&**store, &id, &group, 60_000).await;
        for _ in 0..2 {
            store.release(&id, &booking).await.unwrap();
            let audit = store.audit(&groups).await.unwrap();
            assert!(audit.is_clean() && audit.held.is_empty(), "{name}: {audit}");
        }
        // Given back late, it does not take what another one has.
        let next = hold(&**store, &id, &group, 60_000).await;
        store.release(&id, &booking).await.unwrap();
        let audit = store.audit(&groups).await.unwrap();
        assert_eq!(audit.held.len(), 1, "{name}: {audit}");
        assert_eq!(next.number, number(0));
        let none = store
            .book(Holder::Existing(&id), &group, &wish(5_000))
            .await;
        assert!(matches!(none, Ok(Booked::NoneFree(_))), "{name}: {none:?}");
    }
}

#[tokio::test]
async fn what_has_run_out_counts_as_free_and_no_number_counts_twice() {
    let (_redis, _prefix, stores) = stores().await;
    for (name, store) in &stores {
        // More than one request gives back by the way.
        for (strategy, size, held, free) in [
            (Strategy::RoundRobin, 2, 30, 2),
            (Strategy::Exclusive, 30, 30, 29),
        ] {
            let mut group = pool(strategy, size);
            Arc::get_mut(&mut group).unwrap().name = format!("{strategy:?}");
            let id = living(&**store, 60_000).await;
            for _ in 0..held {
                hold(&**store, &id, &group, 50).await;
            }
            let over = now().after(Duration::from_millis(50));
            eventually("all have run out", async || (now() > over).then_some(())).await;
            let booking = hold(&**store, &id, &group, 60_000).await;
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
    let group = pool(Strategy::Exclusive, 3);
    let groups = [group.clone()];
    let id = living(&**store, 60_000).await;
    hold(&**store, &id, &group, 60_000).await;
    let mut connection = redis.connection().await;
    let free = format!("{prefix}grp:{{DNIS}}:free");
    let _: () = connection.zrem(&free, number(2)).await.unwrap();
    let audit = store.audit(&groups).await.unwrap();
    assert_eq!(audit.lost, [("DNIS".to_owned(), number(2))]);
    assert_eq!(audit.held.len(), 1, "{audit}");
    let _: () = connection.zadd(&free, number(2), 0).await.unwrap();
    assert!(store.audit(&groups).await.unwrap().is_clean());

    // It ends, and nobody cleans up: there is no replica.
    store.delete(&id).await.unwrap();
    let audit = store.audit(&groups).await.unwrap();
    assert_eq!(audit.held_by_nobody.len(), 1, "{audit}");
    let told: Vec<_> = audit
        .left_over
        .iter()
        .filter(|told| told.contains(id.as_str()))
        .collect();
    assert_eq!(told.len(), 2, "the list and the index entry: {audit}");
    let _: () = connection
        .del(keys_in(&mut connection.clone(), &format!("{prefix}idx:*")).await)
        .await
        .unwrap();
    let audit = store.audit(&groups).await.unwrap();
    assert_eq!(audit.left_over.len(), 1, "{audit}");
}

#[tokio::test]
async fn of_a_service_that_holds_nothing_nothing_is_told() {
    let (_redis, _prefix, stores) = stores().await;
    for (name, store) in &stores {
        let groups = [pool(Strategy::Exclusive, 1)];
        let id = living(&**store, 60_000).await;
        assert!(write(&**store, &id).await);
        store.delete(&id).await.unwrap();
        assert!(!write(&**store, &id).await);
        let audit = store.audit(&groups).await.unwrap();
        assert!(audit.is_clean() && audit.held.is_empty(), "{name}: {audit}");
    }
}

#[tokio::test]
async fn codes_are_drawn_again_until_all_are_given() {
    let (_redis, _prefix, stores) = stores().await;
    for (name, store) in &stores {
        let group = pool(Strategy::RoundRobin, 1);
        let id = living(&**store, 60_000).await;
        let mut request = wish(60_000);
        let prefixes = vec!["12".to_owned(), "13".to_owned()];
        request.codes = Some(Codes {
            length: 3,
            prefixes,
        });
        let mut codes = BTreeSet::new();
        for _ in 0..20 {
            tick().await;
            match store.book(Holder::Existing(&id), &group, &request).await {
                Ok(Booked::Held(booking)) => assert!(codes.insert(booking.code.unwrap())),
                other => panic!("{name}: {other:?}"),
            }
        }
        let none = store.book(Holder::Existing(&id), &group, &request).await;
        assert!(matches!(none, Ok(Booked::NoneFree(_))), "{name}: {none:?}");
        assert_eq!(codes.first().map(String::as_str), Some("120"), "{name}");
        assert_eq!(codes.last().map(String::as_str), Some("139"), "{name}");
    }
}

#[tokio::test]
async fn a_call_passes_over_bookings_that_have_run_out_or_whose_service_is_not_made() {
    let (_redis, _prefix, stores) = stores().await;
    for (name, store) in &stores {
        let group = pool(Strategy::RoundRobin, 1);
        let id = living(&**store, 60_000).await;
        hold(&**store, &id, &group, 60_000).await;
        tick().await;
        for _ in 0..250 {
            hold(&**store, &id, &group, 50).await;
        }
        let over = now().after(Duration::from_millis(50));
        for _ in 0..3 {
            let unmade = ServiceId::fresh();
            let held = store
                .book(Holder::New(&unmade), &group, &wish(60_000))
                .await;
            assert!(matches!(held, Ok(Booked::Held(_))), "{name}");
        }
        eventually("they have run out", async || (now() > over).then_some(())).await;
        let (groups, call) = (
            ["DNIS".to_owned()],
            Call {
                dialled: vec![group.numbers[0].subscriber.clone()],
                code: None,
                callers: Vec::new(),
                regions: Vec::new(),
            },
        );
        let found = store.match_call(&groups, &call).await.unwrap();
        assert_eq!(found, Matched::Service(id), "{name}");
        assert_eq!(
            store.match_call(&groups, &call).await.unwrap(),
            Matched::Nobody,
            "{name}"
        );
        // Those that are about to be made are as they were.
        let audit = store.audit(slice::from_ref(&group)).await.unwrap();
        assert_eq!(audit.held_by_nobody.len(), 3, "{name}: {audit}");
    }
}
