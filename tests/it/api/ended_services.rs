//! Contract sections 4 and 7: services that have expired or were deleted.

use jiff::Timestamp;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::json;

use crate::{
    api::expiry::{create, expiration_time, path_under_cs},
    support::{Bodies, Multipart, TestApp, TestResponse, eventually, on_every_kind_of_store},
};

on_every_kind_of_store!(
    a_service_expires_at_its_time_and_not_before,
    extending_a_service_extends_strings_and_binaries,
    shortening_a_service_shortens_strings_and_binaries,
    a_write_does_not_extend_the_ttl,
    a_deleted_service_is_removed_immediately_with_its_keys,
);

/// All requests on a service and its storage.
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
    for request in all_requests(app, service) {
        TestResponse::send(request)
            .await
            .error_message("ServiceNotFound", 404);
    }
}

/// Requests a service until it has expired. It must be found before its expiration time, and not after it.
async fn wait_until(app: &TestApp, service: &str, end: Timestamp) {
    eventually("the end of a service", async || {
        let sent_at = Timestamp::now();
        let status = TestResponse::send(app.get(service)).await.status;
        let received_at = Timestamp::now();
        if status == StatusCode::OK {
            // In the millisecond of its expiration Redis still returns it.
            let late = sent_at.as_millisecond() > end.as_millisecond();
            assert!(!late, "found at {sent_at}, expired at {end}");
            return None;
        }
        assert!(
            received_at >= end,
            "not found at {received_at}, expires at {end}"
        );
        Some(())
    })
    .await;
}

async fn a_service_expires_at_its_time_and_not_before(app: TestApp) {
    let service = create(&app, "3").await;
    let end = expiration_time(&app.get_service(&service).await);
    wait_until(&app, &service, end).await;
    assert_gone(&app, &service).await;
    eventually("all keys are removed", async || {
        app.redis_keys("*").await.is_empty().then_some(())
    })
    .await;
}

async fn extending_a_service_extends_strings_and_binaries(app: TestApp) {
    let (service, control) = (create(&app, "4").await, create(&app, "4").await);
    TestResponse::send(app.put(&service).form_body("ttl=60"))
        .await
        .assert_empty();
    let end = expiration_time(&app.get_service(&control).await);
    wait_until(&app, &control, end).await;
    assert_eq!(app.storage(&service).await, json!({"Key1": "Value1"}));
    let binary = TestResponse::send(app.get(&format!("{service}/storage/binary/pic"))).await;
    assert_eq!(binary.body, vec![7; 300_000]);
}

async fn shortening_a_service_shortens_strings_and_binaries(app: TestApp) {
    let service = create(&app, "60").await;
    TestResponse::send(app.put(&service).form_body("ttl=3"))
        .await
        .assert_empty();
    let end = expiration_time(&app.get_service(&service).await);
    wait_until(&app, &service, end).await;
    assert_gone(&app, &service).await;
    eventually("all keys are removed", async || {
        app.redis_keys("*").await.is_empty().then_some(())
    })
    .await;
}

async fn a_write_does_not_extend_the_ttl(app: TestApp) {
    let service = create(&app, "4").await;
    let before = app.get_service(&service).await["_expiration_time"].clone();
    let file = Multipart::new()
        .file("more", "m", "image/png", &vec![1; 300_000])
        .text("_ttl", "60");
    let storage = format!("{service}/storage");
    TestResponse::send(app.post(&storage).multipart_body(file))
        .await
        .assert_empty();
    let description = app.get_service(&service).await;
    assert_eq!(description["_expiration_time"], before);
    wait_until(&app, &service, expiration_time(&description)).await;
    assert_gone(&app, &service).await;
}

async fn a_deleted_service_is_removed_immediately_with_its_keys(app: TestApp) {
    let service = create(&app, "60").await;
    TestResponse::send(app.delete(&service)).await.assert_ok();
    assert_gone(&app, &service).await;
    TestResponse::send(app.delete(&service))
        .await
        .error_message("ServiceNotFound", 404);
    eventually("all keys are removed", async || {
        app.redis_keys("*").await.is_empty().then_some(())
    })
    .await;
}
