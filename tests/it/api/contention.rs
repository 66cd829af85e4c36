//! Concurrent requests on one group: as many succeed as there are numbers, the others are rejected.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use crate::support::{
    TestApp,
    bookings::{
        Booked, book_when_free, create, default_group_toml, delete_service, number, set_end,
        start_app, verify_bookings,
    },
    on_every_kind_of_store,
};

on_every_kind_of_store!(concurrent_requests_book_each_number_once);

/// Sends two hundred concurrent requests and returns the bookings; each rejected request must have a
/// `Retry-After`.
async fn book_concurrently(apps: [&TestApp; 2]) -> Vec<Booked> {
    let form = "_booking_expiration_timeout=1800&_ttl=1800";
    let clients = (0..200).map(|n| create(apps[n % 2], "request-interaction", form));
    let responses = join_all(clients).await;
    let (booked, rejected): (Vec<_>, Vec<_>) = responses
        .iter()
        .partition(|response| response.status == 200);
    assert_eq!((booked.len(), rejected.len()), (100, 100));
    for response in rejected {
        response.error_message("NoAccessNumber", 503);
        let wait: u64 = response.header("retry-after").parse().unwrap();
        // A rejected request may have been sent shortly before the successful ones.
        assert!((1_700..=1_801).contains(&wait), "{wait}");
    }
    booked.into_iter().map(Booked::from_response).collect()
}

async fn check_and_delete(apps: [&TestApp; 2], booked: &[Booked]) {
    let numbers: BTreeSet<&str> = booked.iter().map(|booked| &*booked.number).collect();
    let all: BTreeSet<String> = (0..100).map(number).collect();
    assert!(numbers.into_iter().eq(all.iter()), "not each number once");
    let services: BTreeSet<&str> = booked.iter().map(|booked| &*booked.id).collect();
    assert_eq!(services.len(), 100);
    let deletions = (0..).zip(booked).map(|(n, booked)| async move {
        // Half of them by expiration.
        if n % 2 == 0 {
            delete_service(apps[n / 2 % 2], booked).await;
        } else {
            set_end(apps[n / 2 % 2], booked, "ttl=1").await;
        }
    });
    join_all(deletions).await;
}

/// Books all numbers, one after another.
async fn book_until_exhausted(app: &TestApp) {
    let mut numbers = BTreeSet::new();
    for max_free in (0..100).rev() {
        let booked = book_when_free(
            app,
            "_return_pool_health=true&_booking_expiration_timeout=1800",
        )
        .await;
        assert!(booked.count("_pool_free") <= max_free);
        assert!(numbers.insert(booked.number));
    }
    assert_eq!(create(app, "request-interaction", "").await.status, 503);
}

async fn concurrent_requests_book_each_number_once(app: TestApp) {
    let app = start_app(&app, &default_group_toml("CLUSTER", 100)).await;
    let apps = [&app, &app];
    check_and_delete(apps, &book_concurrently(apps).await).await;
    book_until_exhausted(&app).await;
}

#[tokio::test]
async fn concurrent_requests_at_two_replicas_book_each_number_once() {
    let group = default_group_toml("CLUSTER", 100);
    let first = start_app(&TestApp::on_redis().await, &group).await;
    let catalog_file = crate::support::bookings::catalog(&group);
    let overrides = [("catalog.file", catalog_file.path())];
    let second = TestApp::start(first.redis.clone(), &first.prefix, &overrides).await;
    let apps = [&first, &second];
    let booked = book_concurrently(apps).await;
    let report = verify_bookings(&first, &group).await;
    assert_eq!(report.booked.len(), 100, "{report}");
    assert!(report.is_clean(), "{report}");
    check_and_delete(apps, &booked).await;
    book_until_exhausted(&second).await;
}
