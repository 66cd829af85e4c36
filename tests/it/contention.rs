//! Many at once on one group: as many get a number as there are, and the others are told so.

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

on_every_kind_of_store!(of_two_hundred_at_once_on_a_hundred_numbers_a_hundred_get_one);

/// The numbers that of two hundred at once were given, and of those who came away empty-handed each
/// was told when to come again.
async fn book_concurrently(apps: [&TestApp; 2]) -> Vec<Booked> {
    let form = "_booking_expiration_timeout=1800&_ttl=1800";
    let clients = (0..200).map(|n| create(apps[n % 2], "request-interaction", form));
    let answers = join_all(clients).await;
    let (given, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((given.len(), refused.len()), (100, 100));
    for answer in refused {
        answer.error_message("NoAccessNumber", 503);
        let wait: u64 = answer.header("retry-after").parse().unwrap();
        // Who is refused may have asked a little before those who were not.
        assert!((1_700..=1_801).contains(&wait), "{wait}");
    }
    given.into_iter().map(Booked::from_response).collect()
}

async fn check_and_delete(apps: [&TestApp; 2], booked: &[Booked]) {
    let numbers: BTreeSet<&str> = booked.iter().map(|booked| &*booked.number).collect();
    let all: BTreeSet<String> = (0..100).map(number).collect();
    assert!(numbers.into_iter().eq(all.iter()), "not each number once");
    let services: BTreeSet<&str> = booked.iter().map(|booked| &*booked.id).collect();
    assert_eq!(services.len(), 100);
    let ends = (0..).zip(booked).map(|(n, booked)| async move {
        // Half of them by themselves.
        if n % 2 == 0 {
            delete_service(apps[n / 2 % 2], booked).await;
        } else {
            set_end(apps[n / 2 % 2], booked, "ttl=1").await;
        }
    });
    join_all(ends).await;
}

/// Takes all numbers, one after another.
async fn book_until_exhausted(app: &TestApp) {
    let mut numbers = BTreeSet::new();
    for left in (0..100).rev() {
        let booked = book_when_free(app, "_return_pool_health=true").await;
        assert!(booked.count("_pool_free") <= left);
        assert!(numbers.insert(booked.number));
    }
    assert_eq!(create(app, "request-interaction", "").await.status, 503);
}

async fn of_two_hundred_at_once_on_a_hundred_numbers_a_hundred_get_one(app: TestApp) {
    let app = start_app(&app, &default_group_toml("CLUSTER", 100)).await;
    let apps = [&app, &app];
    check_and_delete(apps, &book_concurrently(apps).await).await;
    book_until_exhausted(&app).await;
}

#[tokio::test]
async fn of_two_hundred_at_two_replicas_a_hundred_get_one() {
    let group = default_group_toml("CLUSTER", 100);
    let one = start_app(&TestApp::on_redis().await, &group).await;
    let catalogue = crate::support::bookings::catalog(&group);
    let overrides = [("catalog.file", catalogue.path())];
    let other = TestApp::start(one.redis.clone(), &one.prefix, &overrides).await;
    let apps = [&one, &other];
    let booked = book_concurrently(apps).await;
    let told = verify_bookings(&one, &group).await;
    assert_eq!(told.booked.len(), 100, "{told}");
    assert!(told.is_clean(), "{told}");
    check_and_delete(apps, &booked).await;
    book_until_exhausted(&other).await;
}
