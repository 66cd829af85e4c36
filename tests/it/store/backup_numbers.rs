//! The backup number of a group comes after expired bookings and other codes. No cleanup runs here.

use std::time::Duration;

use switchboard::{
    model::{
        AccessNumber, AllocationStrategy, Booking, BookingOwner, BookingRequest, Codes, Group,
        ServiceId,
    },
    store::Store,
};

use crate::support::{
    bookings::{book_in_store, booking_request, resource_group, stores},
    now,
    stores::sleep_until,
};

const BACKUP: &str = "8009990000";

fn group_with_backup(strategy: AllocationStrategy) -> Group {
    let group = resource_group(strategy, 1);
    Group {
        name: group.name.clone(),
        strategy,
        numbers: group.numbers.clone(),
        backup: Some(AccessNumber {
            text: BACKUP.to_owned(),
            subscriber: BACKUP.to_owned(),
        }),
        version: group.version.clone(),
    }
}

async fn book(store: &dyn Store, group: &Group, request: &BookingRequest) -> Booking {
    let id = ServiceId::generate();
    book_in_store(store, BookingOwner::New(&id), group, request).await
}

#[tokio::test]
async fn an_expired_number_is_booked_before_the_backup_number() {
    let (_redis, _prefix, stores) = stores().await;
    for (name, store) in &stores {
        let group = group_with_backup(AllocationStrategy::Exclusive);
        let own = group.numbers[0].text.clone();
        let first = book(&**store, &group, &booking_request(100)).await;
        let expired_at = now().after(Duration::from_millis(100));
        assert_eq!(first.number, own, "{name}");
        sleep_until(expired_at).await;
        let second = book(&**store, &group, &booking_request(60_000)).await;
        assert_eq!(second.number, own, "{name}");
        let third = book(&**store, &group, &booking_request(60_000)).await;
        assert_eq!(third.number, BACKUP, "{name}");
    }
}

#[tokio::test]
async fn other_codes_are_tried_before_the_backup_number() {
    let (_redis, _prefix, stores) = stores().await;
    for (name, store) in &stores {
        let group = group_with_backup(AllocationStrategy::RoundRobin);
        let own = group.numbers[0].text.clone();
        let request = BookingRequest {
            codes: Some(Codes {
                length: 1,
                prefixes: vec![String::new()],
            }),
            ..booking_request(60_000)
        };
        for _ in 0..10 {
            assert_eq!(book(&**store, &group, &request).await.number, own, "{name}");
        }
        let last = book(&**store, &group, &request).await;
        assert_eq!(last.number, BACKUP, "{name}");
    }
}
