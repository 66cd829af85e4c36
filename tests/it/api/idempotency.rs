//! Contract section 2, `Idempotency-Key`: a repeated create is executed once.

use std::collections::HashSet;

use futures_util::future::join_all;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::json;

use crate::support::{
    Bodies, CatalogFile, Multipart, RawConnection, TestApp, TestResponse, eventually,
    on_every_kind_of_store,
};

const KEY: &str = "order-4711-of-0001";
const STORE: &str = "/genesys/1/service/store";

on_every_kind_of_store!(
    a_repeated_create_returns_the_same_bytes_and_creates_nothing,
    concurrent_creates_with_one_key_create_one_service,
    another_key_creates_another_service,
    a_different_request_with_the_same_key_is_rejected,
    file_contents_are_part_of_the_request,
    the_key_of_another_caller_is_another_key,
    the_encoding_is_not_part_of_the_request,
    keys_are_compared_literally,
    after_a_delete_a_repeated_create_creates_a_new_service,
    after_expiration_a_repeated_create_creates_a_new_service,
    a_key_is_valid_for_the_requested_ttl,
    a_key_is_valid_for_the_extended_ttl,
    a_key_can_be_reused_after_a_failed_create,
    a_key_has_16_to_255_visible_ascii_characters,
    a_slower_create_with_the_same_key_does_not_change_the_first,
);

fn create(app: &TestApp, key: &str, form: &str) -> RequestBuilder {
    let request = app.post(STORE).header("Idempotency-Key", key);
    request.form_body(form)
}

/// Waits until a new service with a TTL of these seconds has expired.
async fn wait_for_ttl(app: &TestApp, seconds: u32) {
    let service = app.create(&format!("_ttl={seconds}")).await;
    eventually("the end of a service", async || {
        let answer = TestResponse::send(app.get(&service)).await;
        (answer.status == StatusCode::NOT_FOUND).then_some(())
    })
    .await;
}

async fn a_repeated_create_returns_the_same_bytes_and_creates_nothing(app: TestApp) {
    let first = TestResponse::send(create(&app, KEY, "Key1=Value1")).await;
    let service = first.service_id();
    let keys = app.redis_keys("svc:*").await;
    for _ in 0..3 {
        let repeat = TestResponse::send(create(&app, KEY, "Key1=Value1")).await;
        assert_eq!(repeat.header("idempotent-replayed"), "true");
        assert_eq!(
            (repeat.status, repeat.body),
            (first.status, first.body.clone())
        );
    }
    assert_eq!(app.redis_keys("svc:*").await, keys);
    assert_eq!(app.storage(&service).await, json!({"Key1": "Value1"}));
}

async fn concurrent_creates_with_one_key_create_one_service(app: TestApp) {
    let requests = (0..20).map(|n| {
        let request = create(&app, KEY, &format!("Key1=Value1&{}", ["", "&"][n % 2]));
        TestResponse::send(request)
    });
    let answers = join_all(requests).await;
    let services: HashSet<String> = answers.iter().map(TestResponse::service_id).collect();
    let bodies: HashSet<&[u8]> = answers.iter().map(|answer| &*answer.body).collect();
    assert_eq!((services.len(), bodies.len()), (1, 1), "{services:?}");
    let services_in_redis = app.redis_keys("svc:*").await.len();
    assert_eq!(services_in_redis, usize::from(app.redis.is_some()));
    let stored = app.storage(services.iter().next().unwrap()).await;
    assert_eq!(stored.as_object().unwrap().len(), 1, "{stored}");
}

async fn another_key_creates_another_service(app: TestApp) {
    let catalog_file = CatalogFile::new(
        "[services.store]\n_type = \"builtin\"\n_service = \"store\"\n\
         [services.more]\n_type = \"builtin\"\n_service = \"store\"\n\
         [services.'more:k']\n_type = \"builtin\"\n_service = \"store\"\n",
    );
    let app = app
        .start_sibling(&[("catalog.file", catalog_file.path())])
        .await;
    let mut services = HashSet::new();
    for (name, key) in [
        ("store", KEY),
        ("store", "order-4711-of-0002"),
        ("more", "order-4711-of-0003"),
        ("more", "k:order-4711-of-0001"),
        ("more:k", "order-4711-of-0004"),
    ] {
        let request = app.post(&format!("/genesys/1/service/{name}"));
        let request = request.header("Idempotency-Key", key);
        services.insert(TestResponse::send(request).await.service_id());
    }
    assert_eq!(services.len(), 5, "{services:?}");
}

async fn keys_are_compared_literally(app: TestApp) {
    let mut services = HashSet::new();
    for key in ["k", "K", "\"k\"", "{k}", "k}", "*", "k,k"] {
        let key = &format!("{key}{}", "~".repeat(16));
        services.insert(TestResponse::send(create(&app, key, "")).await.service_id());
    }
    assert_eq!(services.len(), 7, "{services:?}");
}

async fn after_a_delete_a_repeated_create_creates_a_new_service(app: TestApp) {
    let first = TestResponse::send(create(&app, KEY, "Key1=Value1"))
        .await
        .service_id();
    TestResponse::send(app.delete(&first)).await.assert_ok();
    let second = TestResponse::send(create(&app, KEY, "Key1=Value2"))
        .await
        .service_id();
    assert_ne!(first, second);
    TestResponse::send(app.get(&first))
        .await
        .error_message("ServiceNotFound", 404);
    assert_eq!(app.storage(&second).await, json!({"Key1": "Value2"}));
    let repeat = TestResponse::send(create(&app, KEY, "Key1=Value2"))
        .await
        .service_id();
    assert_eq!(repeat, second);
}

async fn after_expiration_a_repeated_create_creates_a_new_service(app: TestApp) {
    let first = TestResponse::send(create(&app, KEY, "Key1=Value1&_ttl=1"))
        .await
        .service_id();
    wait_for_ttl(&app, 1).await;
    let second = TestResponse::send(create(&app, KEY, "Key2=Value2"))
        .await
        .service_id();
    assert_ne!(first, second, "the id of an expired service is reused");
    assert_eq!(app.storage(&second).await, json!({"Key2": "Value2"}));
}

async fn a_key_is_valid_for_the_requested_ttl(app: TestApp) {
    let catalog_file = CatalogFile::new(
        "[services.store]\n_type = \"builtin\"\n_service = \"store\"\n_ttl = 1\n\
         _overwritable_options = \"_ttl\"\n",
    );
    let app = app
        .start_sibling(&[("catalog.file", catalog_file.path())])
        .await;
    let first = TestResponse::send(create(&app, KEY, "_ttl=60")).await;
    wait_for_ttl(&app, 1).await;
    let repeat = TestResponse::send(create(&app, KEY, "_ttl=60")).await;
    assert_eq!(repeat.text(), first.text());
}

async fn a_key_is_valid_for_the_extended_ttl(app: TestApp) {
    let first = TestResponse::send(create(&app, KEY, "_ttl=3")).await;
    let extend = app.put(&first.service_id()).form_body("ttl=60");
    TestResponse::send(extend).await.assert_empty();
    wait_for_ttl(&app, 3).await;
    let repeat = TestResponse::send(create(&app, KEY, "_ttl=3")).await;
    assert_eq!(repeat.text(), first.text());
}

async fn a_key_can_be_reused_after_a_failed_create(app: TestApp) {
    for wrong in ["a=1&_ttl=0", "a=%FF"] {
        let answer = TestResponse::send(create(&app, KEY, wrong)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
    }
    let service = TestResponse::send(create(&app, KEY, "Key1=Value1"))
        .await
        .service_id();
    assert_eq!(app.storage(&service).await, json!({"Key1": "Value1"}));
}

async fn a_key_has_16_to_255_visible_ascii_characters(app: TestApp) {
    for key in [
        String::new(),
        "k".repeat(15),
        "k".repeat(256),
        "k ".repeat(10),
        "é".repeat(16),
    ] {
        let answer = TestResponse::send(create(&app, &key, "a=1")).await;
        let message = answer.error_message("InvalidParameter", 400);
        assert!(message.contains("Idempotency-Key"), "{message}");
        assert!(message.contains("255"), "{message}");
    }
    assert_eq!(app.redis_keys("*").await, Vec::<String>::new());
    let longest = "k".repeat(255);
    let first = TestResponse::send(create(&app, &longest, ""))
        .await
        .service_id();
    assert_eq!(
        TestResponse::send(create(&app, &longest, ""))
            .await
            .service_id(),
        first
    );
}

async fn a_slower_create_with_the_same_key_does_not_change_the_first(app: TestApp) {
    let body = |ttl: &str| {
        let file = Multipart::new().file("pic", "p", "image/png", &vec![7; 300_000]);
        file.text("_ttl", ttl).bytes()
    };
    let (fast, slow) = (body("60"), body("1"));
    let mut wires = Vec::new();
    for body in [&fast, &slow] {
        let mut wire = RawConnection::connect(&app).await;
        let (kind, length) = (Multipart::CONTENT_TYPE, body.len());
        wire.send(format!(
            "POST {STORE} HTTP/1.1\r\nHost: x\r\nIdempotency-Key: {KEY}\r\n\
             Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
        ))
        .await;
        wire.send(&body[..280_000]).await;
        wires.push(wire);
    }
    eventually("chunks of both bodies", async || {
        let arrived = app.redis.is_none() || app.redis_keys("blob:*").await.len() == 2;
        arrived.then_some(())
    })
    .await;
    let mut answers = Vec::new();
    for (mut wire, body) in wires.into_iter().zip([&fast, &slow]) {
        wire.send(&body[280_000..]).await;
        answers.push(wire.read_response().await);
    }
    let service = answers[0].service_id();
    answers[1].error_message("IdempotencyKeyReused", 422);
    wait_for_ttl(&app, 1).await;
    let binary = TestResponse::send(app.get(&format!("{service}/storage/binary/pic"))).await;
    assert_eq!(binary.body, vec![7; 300_000]);
    let file = Multipart::new().file("pic", "p", "image/png", &vec![7; 300_000]);
    let repeat = app.post(STORE).header("Idempotency-Key", KEY);
    let repeat = TestResponse::send(repeat.multipart_body(file.text("_ttl", "60"))).await;
    assert_eq!(repeat.text(), answers[0].text());
}

async fn a_different_request_with_the_same_key_is_rejected(app: TestApp) {
    let first = TestResponse::send(create(&app, KEY, "Key1=Value1&_ttl=60")).await;
    let key = |request: RequestBuilder| request.header("Idempotency-Key", KEY);
    for request in [
        create(&app, KEY, "Key1=other&_ttl=60"),
        create(&app, KEY, "Key1=Value1&_ttl=61"),
        create(&app, KEY, "Key1=Value1&Key2=Value2&_ttl=60"),
        create(&app, KEY, ""),
        key(app.post("/genesys/1/service/request-interaction")).form_body("Key1=Value1&_ttl=60"),
        key(app.get(&format!("{STORE}?Key1=Value1&_ttl=60"))),
        key(app.post(STORE)).json_body(r#"{"Key1":"Value1","_ttl":60,"no":null}"#),
    ] {
        let answer = TestResponse::send(request).await;
        let message = answer.error_message("IdempotencyKeyReused", 422);
        assert!(!message.contains(KEY), "{message}");
    }
    let unreadable = key(app.post(STORE)).json_body("{");
    TestResponse::send(unreadable)
        .await
        .error_message("UnreadableJson", 500);
    assert_eq!(
        app.storage(&first.service_id()).await,
        json!({"Key1": "Value1"})
    );
    let repeat = TestResponse::send(create(&app, KEY, "Key1=Value1&_ttl=60")).await;
    assert_eq!(repeat.body, first.body);
}

async fn file_contents_are_part_of_the_request(app: TestApp) {
    let create = |name: &str, kind: &str, byte: u8| {
        let file = Multipart::new().file("pic", name, kind, &vec![byte; 300_000]);
        let request = app.post(STORE).header("Idempotency-Key", KEY);
        request.multipart_body(file)
    };
    let first = TestResponse::send(create("p", "image/png", 7)).await;
    let first_id = first.service_id();
    assert_eq!(
        TestResponse::send(create("p", "image/png", 7)).await.body,
        first.body
    );
    for other in [
        create("p", "image/png", 8),
        create("q", "image/png", 7),
        create("p", "image/gif", 7),
    ] {
        TestResponse::send(other)
            .await
            .error_message("IdempotencyKeyReused", 422);
    }
    let binary = TestResponse::send(app.get(&format!("{first_id}/storage/binary/pic"))).await;
    assert_eq!(binary.body, vec![7; 300_000]);
    // The uploads of the repeated creates are discarded.
    eventually("uploads of repeated creates are discarded", async || {
        let blobs = app.redis_keys("blob:*").await.len();
        (blobs == usize::from(app.redis.is_some())).then_some(())
    })
    .await;
}

async fn the_key_of_another_caller_is_another_key(app: TestApp) {
    let proxies = [("server.trusted_proxies", "127.0.0.1")];
    let app = app.start_sibling(&proxies).await;
    let with = |headers: &[(&'static str, &str)]| {
        let mut request = create(&app, KEY, "Key1=Value1");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request
    };
    let callers: [&[(&'static str, &str)]; 8] = [
        &[("x-forwarded-for", "192.0.2.1")],
        &[("x-forwarded-for", "192.0.2.2")],
        &[("x-api-key", "one")],
        &[("apikey", "two"), ("x-api-key", "")],
        &[("authorization", "Basic dTpw")],
        &[("authorization", "Basic dTpx")],
        &[("gms_user", "one")],
        &[("gms_user", "one"), ("x-api-key", "one")],
    ];
    let mut services = HashSet::new();
    for caller in callers {
        let answer = TestResponse::send(with(caller)).await;
        assert!(answer.headers.get("idempotent-replayed").is_none());
        let service = answer.service_id();
        assert_eq!(TestResponse::send(with(caller)).await.service_id(), service);
        services.insert(service);
    }
    assert_eq!(services.len(), callers.len());
    for key in app.redis_keys("idem:*").await {
        assert!(!key.contains(KEY) && !key.contains("one"), "{key}");
    }
}

async fn the_encoding_is_not_part_of_the_request(app: TestApp) {
    let first = TestResponse::send(create(&app, KEY, "Key1=Value1&Key2=2")).await;
    let key = |request: RequestBuilder| request.header("Idempotency-Key", KEY);
    for request in [
        create(&app, KEY, "Key2=2&Key1=Value1"),
        key(app.post(STORE)).json_body(r#"{"Key2":2,"Key1":"Value1"}"#),
        key(app.post(&format!("{STORE}?Key2=2&Key1=x"))).form_body("Key1=Value1"),
    ] {
        let answer = TestResponse::send(request).await;
        assert_eq!(answer.body, first.body);
        assert_eq!(answer.header("idempotent-replayed"), "true");
    }
}
