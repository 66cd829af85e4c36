//! Contract sections 4 and 7: services that have ended, by their time or by DELETE.

use jiff::Timestamp;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::json;

use crate::{
    expiry::{create, expiration_time, path_under_cs},
    support::{Bodies, Multipart, TestApp, TestResponse, eventually, on_every_kind_of_store},
};

on_every_kind_of_store!(
    a_service_ends_by_itself_at_its_time_and_not_before,
    a_longer_life_takes_strings_and_binaries_along,
    a_shorter_life_takes_strings_and_binaries_along,
    a_write_does_not_lengthen_the_life,
    a_deleted_service_is_gone_at_once_with_all_it_held,
);

/// All that can be asked of a service and of what it holds.
fn all_requests(app: &TestApp, service: &str) -> Vec<RequestBuilder> {
    let storage = format!("{service}/storage");
    vec![
        app.get(service),
        app.get(&storage),
        app.get(&format!("{storage}/Key1")),
        app.get(&format!("{storage}/pic")),
        app.get(&format!("{storage}/binary/pic")),
        app.post(&storage).form_body("a=1"),
        app.post(&storage)
            .multipart_body(Multipart::new().file("f", "f", "a/b", b"1")),
        app.post(&format!("{service}/update")).form_body("a=1"),
        app.post(&format!("{service}/other")),
        app.delete(&format!("{storage}/Key1")),
        app.delete(&storage),
        app.put(service).form_body("ttl=60"),
        app.put(&path_under_cs(service)).form_body("ttl=60"),
        app.delete(service),
    ]
}

async fn assert_gone(app: &TestApp, service: &str) {
    for question in all_requests(app, service) {
        TestResponse::send(question)
            .await
            .error_message("ServiceNotFound", 404);
    }
}

/// Asks for a service until it is gone. It must not be found at a time that is not before its end,
/// and must be found at any that is.
async fn wait_until(app: &TestApp, service: &str, end: Timestamp) {
    eventually("the end of a service", async || {
        let asked = Timestamp::now();
        let status = TestResponse::send(app.get(service)).await.status;
        let answered = Timestamp::now();
        if status == StatusCode::OK {
            // Redis still finds it in the very millisecond of its end.
            let late = asked.as_millisecond() > end.as_millisecond();
            assert!(!late, "it is found at {asked} and ended at {end}");
            return None;
        }
        assert!(
            answered >= end,
            "it is gone at {answered} and ends at {end}"
        );
        Some(())
    })
    .await;
}

async fn a_service_ends_by_itself_at_its_time_and_not_before(app: TestApp) {
    let service = create(&app, "1").await;
    let end = expiration_time(&app.get_service(&service).await);
    wait_until(&app, &service, end).await;
    assert_gone(&app, &service).await;
    eventually("the end of all it held", async || {
        app.redis_keys("*").await.is_empty().then_some(())
    })
    .await;
}

async fn a_longer_life_takes_strings_and_binaries_along(app: TestApp) {
    let (service, control) = (create(&app, "1").await, create(&app, "1").await);
    TestResponse::send(app.put(&service).form_body("ttl=60"))
        .await
        .assert_empty();
    let end = expiration_time(&app.get_service(&control).await);
    wait_until(&app, &control, end).await;
    assert_eq!(app.storage(&service).await, json!({"Key1": "Value1"}));
    let binary = TestResponse::send(app.get(&format!("{service}/storage/binary/pic"))).await;
    assert_eq!(binary.body, vec![7; 300_000]);
}

async fn a_shorter_life_takes_strings_and_binaries_along(app: TestApp) {
    let service = create(&app, "60").await;
    TestResponse::send(app.put(&service).form_body("ttl=1"))
        .await
        .assert_empty();
    let end = expiration_time(&app.get_service(&service).await);
    wait_until(&app, &service, end).await;
    assert_gone(&app, &service).await;
    eventually("the end of all it held", async || {
        app.redis_keys("*").await.is_empty().then_some(())
    })
    .await;
}

async fn a_write_does_not_lengthen_the_life(app: TestApp) {
    let service = create(&app, "1").await;
    let before = app.get_service(&service).await["_expiration_time"].clone();
    let file = Multipart::new()
        .file("more", "m", "image/png", &vec![1; 300_000])
        .text("_ttl", "60");
    let storage = format!("{service}/storage");
    TestResponse::send(app.post(&storage).multipart_body(file))
        .await
        .assert_empty();
    let told = app.get_service(&service).await;
    assert_eq!(told["_expiration_time"], before);
    wait_until(&app, &service, expiration_time(&told)).await;
    assert_gone(&app, &service).await;
}

async fn a_deleted_service_is_gone_at_once_with_all_it_held(app: TestApp) {
    let service = create(&app, "60").await;
    TestResponse::send(app.delete(&service)).await.assert_ok();
    assert_gone(&app, &service).await;
    TestResponse::send(app.delete(&service))
        .await
        .error_message("ServiceNotFound", 404);
    eventually("the end of all it held", async || {
        app.redis_keys("*").await.is_empty().then_some(())
    })
    .await;
}
