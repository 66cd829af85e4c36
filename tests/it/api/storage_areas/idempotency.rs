//! `Idempotency-Key` on the create of a storage area.

use std::collections::HashSet;

use futures_util::future::join_all;
use reqwest::RequestBuilder;
use serde_json::json;

use super::{STORAGE, area_path, as_user, picture, read_as, written_id};
use crate::support::{Bodies, TestApp, TestResponse, on_every_kind_of_store};

on_every_kind_of_store!(
    a_repeated_create_returns_the_same_area,
    a_different_request_with_the_same_key_is_rejected,
    concurrent_creates_with_one_key_create_one_area,
    keys_of_areas_and_of_services_are_independent,
    updates_ignore_the_key,
);

const KEY: &str = "order-4711-of-0001";

fn create(app: &TestApp, ttl: &str, key: &str) -> RequestBuilder {
    app.post(&format!("{STORAGE}/{ttl}"))
        .header("idempotency-key", key)
}

async fn a_repeated_create_returns_the_same_area(app: TestApp) {
    let first = TestResponse::send(create(&app, "600", KEY).form_body("a=1")).await;
    let id = written_id(&first);
    assert_eq!(first.header("idempotent-replayed"), "");
    let keys = app.redis_keys("svc:*").await;
    for _ in 0..3 {
        let repeat = TestResponse::send(create(&app, "600", KEY).form_body("a=1")).await;
        assert_eq!(repeat.header("idempotent-replayed"), "true");
        assert_eq!((repeat.status, &repeat.body), (first.status, &first.body));
    }
    assert_eq!(app.redis_keys("svc:*").await, keys);
    let other =
        TestResponse::send(create(&app, "600", "order-4711-of-0002").form_body("a=1")).await;
    assert_ne!(written_id(&other), id);
    TestResponse::send(app.delete(&area_path(&id)))
        .await
        .assert_ok();
    let again = TestResponse::send(create(&app, "600", KEY).form_body("a=2")).await;
    assert_ne!(written_id(&again), id);
}

async fn a_different_request_with_the_same_key_is_rejected(app: TestApp) {
    let first = TestResponse::send(create(&app, "600", KEY).form_body("a=1")).await;
    let id = written_id(&first);
    for request in [
        create(&app, "600", KEY).form_body("a=2"),
        create(&app, "600", KEY).form_body("a=1&b=2"),
        create(&app, "600", KEY).multipart_body(picture(b"1")),
        create(&app, "601", KEY).form_body("a=1"),
        create(&app, "x", KEY).form_body("a=1"),
    ] {
        let answer = TestResponse::send(request).await;
        answer.error_message("IdempotencyKeyReused", 422);
    }
    assert_eq!(read_as(&app, "", &id).await.json(), json!({"a": "1"}));
    let invalid = TestResponse::send(create(&app, "600", "short")).await;
    invalid.error_message("InvalidParameter", 400);
}

async fn concurrent_creates_with_one_key_create_one_area(app: TestApp) {
    let requests = (0..20).map(|_| TestResponse::send(create(&app, "600", KEY).form_body("a=1")));
    let answers = join_all(requests).await;
    let ids: HashSet<String> = answers.iter().map(written_id).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let areas = app.redis_keys("svc:*").await.len();
    assert_eq!(areas, usize::from(app.redis.is_some()));
}

async fn keys_of_areas_and_of_services_are_independent(app: TestApp) {
    let area = TestResponse::send(create(&app, "600", KEY).form_body("a=1")).await;
    let service = app
        .post("/genesys/1/service/store")
        .header("idempotency-key", KEY);
    let service = TestResponse::send(service.form_body("a=1")).await;
    assert_ne!(
        service.service_id(),
        format!("/genesys/1/service/{}", written_id(&area))
    );
    assert_eq!(service.header("idempotent-replayed"), "");
}

async fn updates_ignore_the_key(app: TestApp) {
    let id = written_id(&TestResponse::send(create(&app, "600", KEY).form_body("a=1")).await);
    for (path, user) in [
        (format!("{id}/600"), ""),
        ("session1/600".to_owned(), "ann"),
    ] {
        for form in ["a=1", "a=2"] {
            let write = as_user(app.post(&format!("{STORAGE}/{path}")), user);
            let write = write.header("idempotency-key", KEY).form_body(form);
            let answer = TestResponse::send(write).await;
            written_id(&answer);
            assert_eq!(answer.header("idempotent-replayed"), "");
        }
        let id = path.split('/').next().unwrap();
        assert_eq!(read_as(&app, user, id).await.json(), json!({"a": "2"}));
    }
}
