//! Contract section 7: what is held goes back when the booking or its service ends, once, and not
//! before.

use switchboard::store::Timestamp;

use crate::support::{
    TestApp, TestResponse,
    bookings::{
        assert_no_match, assert_none_free, book_another, book_number, book_when_free,
        default_group_toml, delete_service, eventually, keys, match_call, number, set_end,
        start_app,
    },
    now, on_every_kind_of_store,
};

mod evicted_keys;
mod lost_events;
mod spoofed_events;

on_every_kind_of_store!(
    a_number_comes_back_when_its_service_is_deleted,
    a_number_comes_back_when_its_service_ends_by_its_time,
    a_number_comes_back_when_its_booking_runs_out,
    all_numbers_of_a_service_come_back,
    a_shorter_life_takes_the_booking_along,
    a_longer_life_does_not_lengthen_the_booking,
    a_life_made_short_and_long_again_leaves_the_booking_as_it_was,
    what_was_matched_is_not_given_back_again,
    what_ran_out_is_not_given_back_again,
);

/// A group of one number, held for one service.
async fn start_with_one_number(app: &TestApp) -> TestApp {
    start_app(app, &default_group_toml("CLUSTER", 1)).await
}

/// The end of a service as it is told.
async fn service_end(app: &TestApp, service: &str) -> Timestamp {
    let told = TestResponse::send(app.get(service)).await.json();
    Timestamp::parse(told["_expiration_time"].as_str().unwrap()).unwrap()
}

fn in_ms(millis: u64) -> Timestamp {
    now().after(std::time::Duration::from_millis(millis))
}

async fn a_number_comes_back_when_its_service_is_deleted(app: TestApp) {
    let app = start_with_one_number(&app).await;
    let booked = book_number(&app, "_booking_expiration_timeout=1800").await;
    assert_none_free(&app, "").await;
    delete_service(&app, &booked).await;
    let next = book_when_free(&app, "").await;
    assert_eq!(next.number, booked.number);
    let call = format!("_access_number={}", number(0));
    assert_eq!(match_call(&app, &call).await, next.id);
}

async fn a_number_comes_back_when_its_service_ends_by_its_time(app: TestApp) {
    let app = start_with_one_number(&app).await;
    let booked = book_number(&app, "_booking_expiration_timeout=1800").await;
    let moved = format!("expiration_time={}", in_ms(400));
    set_end(&app, &booked, &moved).await;
    let ends = Timestamp::parse(moved.split_once('=').unwrap().1).unwrap();
    book_when_free(&app, "").await;
    assert!(now() >= ends, "before the end");
}

async fn a_number_comes_back_when_its_booking_runs_out(app: TestApp) {
    let app = start_with_one_number(&app).await;
    let asked = now();
    let booked = book_number(&app, "_booking_expiration_timeout=5&_ttl=60").await;
    let next = book_when_free(&app, "").await;
    let waited = now().since(asked);
    assert!(waited.as_millis() >= 5_000, "{waited:?}");
    assert_eq!(next.number, booked.number);
    let told = TestResponse::send(app.get(&booked.service_path())).await;
    assert_eq!(told.status, 200, "the service lives on");
}

async fn all_numbers_of_a_service_come_back(app: TestApp) {
    let app = start_app(&app, &default_group_toml("CLUSTER", 5)).await;
    let booked = book_number(&app, "_booking_expiration_timeout=1800&_ttl=1800").await;
    for _ in 0..4 {
        book_another(&app, &booked.id, "_booking_expiration_timeout=1800").await;
    }
    assert_none_free(&app, "").await;
    delete_service(&app, &booked).await;
    let mut back = Vec::new();
    for _ in 0..5 {
        back.push(book_when_free(&app, "").await.number);
    }
    back.sort();
    let expected: Vec<String> = (0..5).map(number).collect();
    assert_eq!(back, expected);
    assert_none_free(&app, "").await;
}

async fn a_shorter_life_takes_the_booking_along(app: TestApp) {
    let app = start_with_one_number(&app).await;
    let booked = book_number(&app, "_booking_expiration_timeout=1800").await;
    assert!(assert_none_free(&app, "").await > 1_700);
    set_end(&app, &booked, "ttl=20").await;
    let wait = assert_none_free(&app, "").await;
    assert!(wait <= 20, "{wait}");
    assert!(service_end(&app, &booked.service_path()).await <= in_ms(20_000));
}

async fn a_longer_life_does_not_lengthen_the_booking(app: TestApp) {
    let app = start_with_one_number(&app).await;
    let booked = book_number(&app, "_booking_expiration_timeout=20&_ttl=20").await;
    set_end(&app, &booked, "ttl=600").await;
    assert!(service_end(&app, &booked.service_path()).await > in_ms(590_000));
    let wait = assert_none_free(&app, "").await;
    assert!(wait <= 20, "{wait}");
}

async fn a_life_made_short_and_long_again_leaves_the_booking_as_it_was(app: TestApp) {
    let app = start_with_one_number(&app).await;
    let service = app.create("_ttl=600").await;
    let id = service.rsplit('/').next().unwrap();
    let mut booked = book_another(&app, id, "_booking_expiration_timeout=300").await;
    id.clone_into(&mut booked.id);
    for (ttl, least, most) in [
        (20, 1, 20),
        (900, 280, 300),
        (100, 80, 100),
        (200, 180, 200),
    ] {
        set_end(&app, &booked, &format!("ttl={ttl}")).await;
        let wait = assert_none_free(&app, "").await;
        assert!((least..=most).contains(&wait), "{ttl}: {wait}");
    }
}

/// Waits until what the service held was given back, as far as that can be seen.
async fn wait_until_cleaned_up(app: &TestApp, id: &str) {
    eventually("nothing is left of the service", async || {
        let left = keys(app, &format!("*{{{id}}}*")).await;
        left.is_empty().then_some(())
    })
    .await;
}

async fn what_was_matched_is_not_given_back_again(app: TestApp) {
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

async fn what_ran_out_is_not_given_back_again(app: TestApp) {
    let app = start_with_one_number(&app).await;
    let first = book_number(&app, "_booking_expiration_timeout=5&_ttl=60").await;
    let second = book_when_free(&app, "_booking_expiration_timeout=600").await;
    delete_service(&app, &first).await;
    wait_until_cleaned_up(&app, &first.id).await;
    assert_none_free(&app, "").await;
    let call = format!("_access_number={}", number(0));
    assert_eq!(match_call(&app, &call).await, second.id);
}
