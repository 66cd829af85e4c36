//! Contract section 5: bookings of access numbers.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{
    Bodies, TestApp, TestResponse,
    bookings::{
        Booked, Multipart, assert_none_free, book_another, book_number, create, default_group_toml,
        delete_service, keys, match_call, number, start_app, start_app_with, verify_bookings,
    },
    now, on_every_kind_of_store,
};

mod codes;
mod options;
mod repetitions;
mod strategies;

on_every_kind_of_store!(
    the_vendor_example_returns_its_number_and_a_code_of_four_digits,
    all_parameters_are_optional,
    parameters_are_taken_from_json_and_from_the_query,
    parameters_are_not_stored,
    the_ttl_is_the_maximum_of_ttl_and_booking_timeout,
    request_access_books_a_number_for_an_existing_service,
    a_booking_expires_no_later_than_its_service,
    request_access_rejects_ended_services,
    request_access_stores_user_data,
    request_access_over_the_key_limit_books_no_number,
    an_exhausted_group_returns_retry_after,
    a_failed_create_books_no_number,
    concurrent_creates_with_one_idempotency_key_book_one_number,
    concurrent_creates_with_one_idempotency_key_book_the_only_number,
    concurrent_creates_with_one_idempotency_key_book_a_shared_number_once,
);

async fn the_vendor_example_returns_its_number_and_a_code_of_four_digits(app: TestApp) {
    for name in ["request-interaction", "app-to-connect-basic"] {
        let body = Multipart::new()
            .text("_phone_number", "6504669999")
            .text("_provide_code", "true")
            .text("language", "french")
            .text("current_location_latitude", "48.8583")
            .text("current_location_longitude", "2.2944")
            .file("picture", "me.png", "image/png", b"bytes");
        let request = app.post(&format!("/genesys/1/service/{name}"));
        let request = request.header("content-type", Multipart::CONTENT_TYPE);
        let answer = TestResponse::send(request.body(body.bytes())).await;
        let booked = Booked::from_response(&answer);
        assert_eq!(booked.number, "8003449999");
        assert_eq!(booked.code().len(), 4, "{}", booked.code());
        assert!(booked.code().bytes().all(|digit| digit.is_ascii_digit()));
        assert!(answer.text().starts_with("{\"_id\":\""));
        let members = booked.response.as_object().unwrap();
        assert!(members.values().all(serde_json::Value::is_string));
        let names: Vec<_> = members.keys().map(String::as_str).collect();
        let expected = ["_access_code", "_access_number", "_expiration_time", "_id"];
        assert_eq!(names, expected);

        let storage = format!("{}/storage", booked.service_path());
        let stored = json!({
            "language": "french",
            "current_location_latitude": "48.8583",
            "current_location_longitude": "2.2944",
        });
        assert_eq!(TestResponse::send(app.get(&storage)).await.json(), stored);
        let picture = app.get(&format!("{storage}/binary/picture"));
        assert_eq!(TestResponse::send(picture).await.body, b"bytes");
    }
}

async fn all_parameters_are_optional(app: TestApp) {
    let booked = book_number(&app, "").await;
    assert_eq!(booked.number, "8003449999");
    assert_eq!(booked.code, None);
    assert_eq!(booked.count("_expiration_time"), 30);
    let description = TestResponse::send(app.get(&booked.service_path()))
        .await
        .json();
    assert_eq!(description["_service"], "request-interaction");
}

async fn parameters_are_taken_from_json_and_from_the_query(app: TestApp) {
    let path = "/genesys/1/service/request-interaction";
    let query = format!("{path}?_provide_code=true&_booking_expiration_timeout=7");
    let json = r#"{"_provide_code": true, "_booking_expiration_timeout": 7}"#;
    for request in [
        app.get(&query),
        app.post(&query),
        app.post(path).json_body(json),
    ] {
        let booked = Booked::from_response(&TestResponse::send(request).await);
        assert_eq!(booked.code().len(), 4);
        assert_eq!(booked.count("_expiration_time"), 7);
    }
}

async fn parameters_are_not_stored(app: TestApp) {
    let form = "_phone_number=6504669999&_provide_code=true&_mine=1&city=Rome";
    let storage = format!("{}/storage", book_number(&app, form).await.service_path());
    let stored = TestResponse::send(app.get(&storage)).await.json();
    assert_eq!(stored, json!({"city": "Rome"}));
}

async fn the_ttl_is_the_maximum_of_ttl_and_booking_timeout(app: TestApp) {
    for (form, expected) in [
        ("_ttl=10&_booking_expiration_timeout=600", 600),
        ("_ttl=1200&_booking_expiration_timeout=600", 1_200),
        ("_ttl=10", 30),
        ("", 86_400),
    ] {
        let booked = book_number(&app, form).await;
        let description = TestResponse::send(app.get(&booked.service_path()))
            .await
            .json();
        let left = description["_ttl"].as_u64().unwrap();
        assert!(
            left <= expected && left + 5 > expected,
            "{form}: {description}"
        );
    }
}

async fn request_access_books_a_number_for_an_existing_service(app: TestApp) {
    let app = start_app(&app, &default_group_toml("CLUSTER", 2)).await;
    let service = app.create("Key1=Value1").await;
    let id = service.rsplit('/').next().unwrap();
    let form = "_provide_code=true&_booking_expiration_timeout=60&_phone_number=6504669999";
    let booked = book_another(&app, id, form).await;
    assert_eq!(booked.number, number(0));
    assert_eq!(booked.code().len(), 6);
    assert_eq!(booked.count("_expiration_time"), 60);
    assert_eq!(booked.response.as_object().unwrap().len(), 3);
    // A second booking for the same service.
    let other = book_another(&app, id, "").await;
    assert_eq!((other.number, other.code), (number(1), None));
    let call = format!(
        "_access_number={}&_access_code={}",
        number(0),
        booked.code()
    );
    assert_eq!(match_call(&app, &call).await, id);
    let call = format!("_access_number={}", number(1));
    assert_eq!(match_call(&app, &call).await, id);
}

async fn a_booking_expires_no_later_than_its_service(app: TestApp) {
    let service = app.create("_ttl=20").await;
    let id = service.rsplit('/').next().unwrap();
    let booked = book_another(&app, id, "_booking_expiration_timeout=600").await;
    let expires_in = booked.count("_expiration_time");
    assert!((10..=20).contains(&expires_in), "{expires_in}");
    // The TTL of the service is unchanged.
    let description = TestResponse::send(app.get(&service)).await.json();
    assert!(description["_ttl"].as_u64().unwrap() <= 20, "{description}");
}

async fn request_access_rejects_ended_services(app: TestApp) {
    let app = start_app(&app, &default_group_toml("CLUSTER", 1)).await;
    let ended = app.create("").await;
    let id = ended.rsplit('/').next().unwrap();
    TestResponse::send(app.delete(&ended)).await;
    for id in [id, "unknown", "request-access"] {
        let answer = create(&app, "request-access", &format!("_id={id}")).await;
        answer.error_message("ServiceNotFound", 404);
    }
    for form in ["", "_id="] {
        let answer = create(&app, "request-access", form).await;
        let message = answer.error_message("InvalidParameter", 400);
        assert!(message.contains("_id"), "{message}");
    }
    book_number(&app, "").await;
}

async fn request_access_stores_user_data(app: TestApp) {
    let service = app.create("Key1=Value1&Key2=Value2").await;
    let id = service.rsplit('/').next().unwrap();
    book_another(&app, id, "Key2=other&Key3=Value3").await;
    let stored = TestResponse::send(app.get(&format!("{service}/storage"))).await;
    let expected = json!({"Key1": "Value1", "Key2": "other", "Key3": "Value3"});
    assert_eq!(stored.json(), expected);
}

async fn request_access_over_the_key_limit_books_no_number(app: TestApp) {
    let group = default_group_toml("CLUSTER", 1);
    let app = start_app_with(&app, &group, &[("limits.keys", "2")]).await;
    let service = app.create("a=1").await;
    let id = service.rsplit('/').next().unwrap();
    let answer = create(&app, "request-access", &format!("_id={id}&b=2&c=3")).await;
    answer.error_message("TooLarge", 413);
    let body = Multipart::new()
        .text("_id", id)
        .file("f", "f", "image/png", b"bytes");
    let request = app.post("/genesys/1/service/request-access");
    let request = request.header("content-type", Multipart::CONTENT_TYPE);
    let answer = TestResponse::send(request.body(body.bytes())).await;
    answer.error_message("InvalidParameter", 400);
    let stored = TestResponse::send(app.get(&format!("{service}/storage"))).await;
    assert_eq!(stored.json(), json!({"a": "1"}));
    book_another(&app, id, "b=2").await;
}

async fn an_exhausted_group_returns_retry_after(app: TestApp) {
    let app = start_app(&app, &default_group_toml("CLUSTER", 2)).await;
    book_number(&app, "_booking_expiration_timeout=600").await;
    let before = now();
    let first = book_number(&app, "_booking_expiration_timeout=60").await;
    let services = keys(&app, "svc:*").await;
    let wait = assert_none_free(&app, "a=1").await;
    // A client that retries at that time does not retry too early.
    let retry_at = now().after(Duration::from_secs(wait));
    assert!(retry_at >= before.after(Duration::from_secs(60)), "{wait}");
    assert!(wait <= 61, "{wait}, plus the error of the clock");
    let service = app.create("").await;
    let form = format!("_id={}", service.rsplit('/').next().unwrap());
    let answer = create(&app, "request-access", &form).await;
    let message = answer.error_message("NoAccessNumber", 503);
    assert!(!message.contains("DNIS"), "{message}");
    TestResponse::send(app.delete(&service)).await;
    assert_eq!(keys(&app, "svc:*").await.len(), services.len());
    match_call(&app, &format!("_access_number={}", first.number)).await;
    assert_eq!(book_number(&app, "").await.number, first.number);
}

async fn a_failed_create_books_no_number(app: TestApp) {
    let group = default_group_toml("CLUSTER", 1);
    let app = start_app_with(&app, &group, &[("limits.keys", "2")]).await;
    for (form, exception, status) in [
        ("_ttl=0", "InvalidParameter", 400),
        (
            "_phone_number=1&_provide_code=maybe",
            "InvalidParameter",
            400,
        ),
        ("a=1&b=2&c=3", "TooLarge", 413),
    ] {
        let answer = create(&app, "request-interaction", form).await;
        answer.error_message(exception, status);
    }
    let long = format!("_phone_number={}", "1".repeat(65));
    let answer = create(&app, "request-interaction", &long).await;
    answer.error_message("InvalidParameter", 400);
    book_number(&app, "").await;
}

/// Sends twenty concurrent creates with one idempotency key, and checks that they return one service.
async fn create_twenty_concurrently(app: &TestApp) -> Booked {
    let creates = (0..20).map(|_| {
        let request = app.post("/genesys/1/service/request-interaction");
        TestResponse::send(
            request
                .header("Idempotency-Key", "order-4711-of-0001")
                .form_body("a=1"),
        )
    });
    let answers = join_all(creates).await;
    assert!(answers.iter().all(|answer| answer.body == answers[0].body));
    Booked::from_response(&answers[0])
}

async fn concurrent_creates_with_one_idempotency_key_book_one_number(app: TestApp) {
    let group = default_group_toml("CLUSTER", 30);
    let app = start_app(&app, &group).await;
    let booked = create_twenty_concurrently(&app).await;
    if app.redis.is_some() {
        let expires_in = verify_bookings(&app, &group).await.booked;
        let expires_in: Vec<_> = expires_in
            .iter()
            .map(|expires_in| expires_in.number.as_str())
            .collect();
        assert_eq!(expires_in, [booked.number.as_str()]);
    }
    let next = book_number(&app, "_return_pool_health=true").await;
    assert_eq!(next.count("_pool_free"), 28);
    let call = format!("_access_number={}", booked.number);
    assert_eq!(match_call(&app, &call).await, booked.id);
    delete_service(&app, &booked).await;
}

async fn concurrent_creates_with_one_idempotency_key_book_the_only_number(app: TestApp) {
    for strategy in ["CLUSTER", "LOCAL"] {
        let group = default_group_toml(strategy, 1);
        let app = start_app(&app, &group).await;
        let booked = create_twenty_concurrently(&app).await;
        assert_eq!(booked.number, number(0));
        if app.redis.is_some() {
            assert_eq!(verify_bookings(&app, &group).await.booked.len(), 1);
        }
        assert_none_free(&app, "").await;
        let call = format!("_access_number={}", booked.number);
        assert_eq!(match_call(&app, &call).await, booked.id);
        // The match released the number.
        let next = book_number(&app, "").await;
        assert_eq!(match_call(&app, &call).await, next.id);
        delete_service(&app, &booked).await;
    }
}

async fn concurrent_creates_with_one_idempotency_key_book_a_shared_number_once(app: TestApp) {
    let booked = create_twenty_concurrently(&app).await;
    let call = format!("_access_number={}", booked.number);
    assert_eq!(match_call(&app, &call).await, booked.id);
    let retry_at = create(&app, "match-interaction", &call).await;
    retry_at.error_message("NoMatch", 404);
}
