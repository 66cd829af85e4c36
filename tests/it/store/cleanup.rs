//! Contract section 7: resources are released once, when the booking or its service ends, and not
//! before.

use std::time::Duration;

use switchboard::model::Timestamp;

use crate::support::{
    TestApp, TestResponse,
    bookings::{
        assert_no_match, assert_none_free, book_another, book_number, book_when_free,
        default_group_toml, delete_service, eventually, keys, match_call, number, set_end,
        start_app,
    },
    now, on_every_kind_of_store,
    stores::CLOCK_ERROR,
};

mod custom_ids;
mod evicted_keys;
mod lost_events;
mod spoofed_events;

on_every_kind_of_store!(
    deleting_service_releases_number,
    service_expiration_releases_number,
    booking_expiration_releases_number,
    all_numbers_of_a_service_are_released,
    shorter_ttl_shortens_booking,
    longer_ttl_does_not_extend_booking,
    booking_follows_ttl_up_to_its_timeout,
    matched_booking_is_not_released_again,
    expired_booking_is_not_released_again,
);

/// Starts a replica with an exclusive group of one number.
async fn start_with_one_number(app: &TestApp) -> TestApp {
    start_app(app, &default_group_toml("CLUSTER", 1)).await
}

/// Returns the expiration time of a service from its description.
async fn service_end(app: &TestApp, service: &str) -> Timestamp {
    let description = TestResponse::send(app.get(service)).await.json();
    Timestamp::parse(description["_expiration_time"].as_str().unwrap()).unwrap()
}

fn in_ms(millis: u64) -> Timestamp {
    now().after(Duration::from_millis(millis))
}

async fn deleting_service_releases_number(app: TestApp) {
    let app = start_with_one_number(&app).await;
    let booked = book_number(&app, "_booking_expiration_timeout=1800").await;
    assert_none_free(&app, "").await;
    delete_service(&app, &booked).await;
    let next = book_when_free(&app, "").await;
    assert_eq!(next.number, booked.number);
    let call = format!("_access_number={}", number(0));
    assert_eq!(match_call(&app, &call).await, next.id);
}

async fn service_expiration_releases_number(app: TestApp) {
    let app = start_with_one_number(&app).await;
    let booked = book_number(&app, "_booking_expiration_timeout=1800").await;
    let form = format!("expiration_time={}", in_ms(3_000));
    set_end(&app, &booked, &form).await;
    let end = Timestamp::parse(form.split_once('=').unwrap().1).unwrap();
    book_when_free(&app, "").await;
    assert!(now().after(CLOCK_ERROR) >= end, "before the end");
}

async fn booking_expiration_releases_number(app: TestApp) {
    let app = start_with_one_number(&app).await;
    let started_at = now();
    let booked = book_number(&app, "_booking_expiration_timeout=5&_ttl=60").await;
    let next = book_when_free(&app, "").await;
    let elapsed = now().since(started_at);
    assert!(
        elapsed + CLOCK_ERROR >= Duration::from_secs(5),
        "{elapsed:?}"
    );
    assert_eq!(next.number, booked.number);
    let description = TestResponse::send(app.get(&booked.service_path())).await;
    assert_eq!(description.status, 200, "the service is still active");
}

async fn all_numbers_of_a_service_are_released(app: TestApp) {
    let app = start_app(&app, &default_group_toml("CLUSTER", 5)).await;
    let booked = book_number(&app, "_booking_expiration_timeout=1800&_ttl=1800").await;
    for _ in 0..4 {
        book_another(&app, &booked.id, "_booking_expiration_timeout=1800").await;
    }
    assert_none_free(&app, "").await;
    delete_service(&app, &booked).await;
    let mut released = Vec::new();
    for _ in 0..5 {
        released.push(book_when_free(&app, "").await.number);
    }
    released.sort();
    let expected: Vec<String> = (0..5).map(number).collect();
    assert_eq!(released, expected);
    assert_none_free(&app, "").await;
}

async fn shorter_ttl_shortens_booking(app: TestApp) {
    let app = start_with_one_number(&app).await;
    let booked = book_number(&app, "_booking_expiration_timeout=1800").await;
    assert!(assert_none_free(&app, "").await > 1_700);
    set_end(&app, &booked, "ttl=20").await;
    // A second more: the clocks of two workers differ slightly.
    let wait = assert_none_free(&app, "").await;
    assert!(wait <= 21, "{wait}");
    assert!(service_end(&app, &booked.service_path()).await <= in_ms(21_000));
}

async fn longer_ttl_does_not_extend_booking(app: TestApp) {
    let app = start_with_one_number(&app).await;
    let booked = book_number(&app, "_booking_expiration_timeout=20&_ttl=20").await;
    set_end(&app, &booked, "ttl=600").await;
    assert!(service_end(&app, &booked.service_path()).await > in_ms(590_000));
    let wait = assert_none_free(&app, "").await;
    assert!(wait <= 21, "{wait}");
}

async fn booking_follows_ttl_up_to_its_timeout(app: TestApp) {
    let app = start_with_one_number(&app).await;
    let service = app.create("_ttl=600").await;
    let id = service.rsplit('/').next().unwrap();
    let mut booked = book_another(&app, id, "_booking_expiration_timeout=300").await;
    id.clone_into(&mut booked.id);
    for (ttl, min, max) in [
        (20, 1, 21),
        (900, 280, 301),
        (100, 80, 101),
        (200, 180, 201),
    ] {
        set_end(&app, &booked, &format!("ttl={ttl}")).await;
        let wait = assert_none_free(&app, "").await;
        assert!((min..=max).contains(&wait), "{ttl}: {wait}");
    }
}

/// Waits until the cleanup of the service is complete.
async fn wait_until_cleaned_up(app: &TestApp, id: &str) {
    eventually("no keys of the service remain", async || {
        let remaining = keys(app, &format!("*{{{id}}}*")).await;
        remaining.is_empty().then_some(())
    })
    .await;
}

async fn matched_booking_is_not_released_again(app: TestApp) {
    let app = start_with_one_number(&app).await;
    let call = format!("_access_number={}", number(0));
    let first = book_number(&app, "").await;
    assert_eq!(match_call(&app, &call).await, first.id);
    let second = book_number(&app, "").await;
    delete_service(&app, &first).await;
    wait_until_cleaned_up(&app, &first.id).await;
    assert_none_free(&app, "").await;
    assert_eq!(match_call(&app, &call).await, second.id);
    assert_no_match(&app, &call).await;
}

async fn expired_booking_is_not_released_again(app: TestApp) {
    let app = start_with_one_number(&app).await;
    let first = book_number(&app, "_booking_expiration_timeout=5&_ttl=60").await;
    let second = book_when_free(&app, "_booking_expiration_timeout=600").await;
    delete_service(&app, &first).await;
    wait_until_cleaned_up(&app, &first.id).await;
    assert_none_free(&app, "").await;
    let call = format!("_access_number={}", number(0));
    assert_eq!(match_call(&app, &call).await, second.id);
}
