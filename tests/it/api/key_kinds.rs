//! Contract section 3: a key has one value, and reserved names are not stored.

use serde_json::json;

use crate::{
    api::storage::picture,
    support::{Bodies, Multipart, TestApp, TestResponse, on_every_kind_of_store},
};

on_every_kind_of_store!(
    a_key_has_one_value_a_string_or_a_binary,
    null_removes_a_string_or_a_binary,
    names_with_a_leading_underscore_are_never_stored,
    internal_fields_of_the_store_are_not_accessible,
    deleting_a_key_is_idempotent,
    clearing_the_storage_keeps_the_service_active,
);

async fn a_key_has_one_value_a_string_or_a_binary(app: TestApp) {
    let service = app.create("pic=text").await;
    let storage = format!("{service}/storage");
    let (string, binary) = (format!("{storage}/pic"), format!("{storage}/binary/pic"));

    TestResponse::send(app.post(&storage).multipart_body(picture()))
        .await
        .assert_empty();
    assert_eq!(TestResponse::send(app.get(&binary)).await.body, b"12345");
    TestResponse::send(app.get(&string))
        .await
        .error_message("KeyNotFound", 404);
    assert_eq!(app.storage(&service).await, json!({}));
    let description = app.get_service(&service).await;
    assert_eq!(
        (&description["_keys"], &description["_binaries"][0]["name"]),
        (&json!([]), &json!("pic"))
    );

    TestResponse::send(app.post(&storage).form_body("pic=again"))
        .await
        .assert_empty();
    TestResponse::send(app.get(&binary))
        .await
        .error_message("KeyNotFound", 404);
    assert_eq!(app.storage(&service).await, json!({"pic": "again"}));
    let description = app.get_service(&service).await;
    assert_eq!(
        (&description["_keys"], &description["_binaries"]),
        (&json!(["pic"]), &json!([]))
    );
}

async fn null_removes_a_string_or_a_binary(app: TestApp) {
    let created = app.post("/genesys/1/service/store");
    let created = TestResponse::send(created.json_body(r#"{"Key1":null,"Key2":"Value2"}"#)).await;
    let service = created.service_id();
    assert_eq!(app.storage(&service).await, json!({"Key2": "Value2"}));

    let storage = format!("{service}/storage");
    let all = picture().text("Key1", "Value1");
    TestResponse::send(app.post(&storage).multipart_body(all))
        .await
        .assert_empty();
    let null = r#"{"Key1":null,"pic":null,"never there":null,"Key3":"null"}"#;
    TestResponse::send(app.post(&storage).json_body(null))
        .await
        .assert_empty();
    let expected = json!({"Key2": "Value2", "Key3": "null"});
    assert_eq!(app.storage(&service).await, expected);
    let binary = TestResponse::send(app.get(&format!("{storage}/binary/pic"))).await;
    binary.error_message("KeyNotFound", 404);
}

async fn names_with_a_leading_underscore_are_never_stored(app: TestApp) {
    let service = app.create("_phone=1&__x=2&_=3&a_b=4").await;
    let storage = format!("{service}/storage");
    let file = Multipart::new()
        .file("_pic", "p.png", "image/png", b"1")
        .text("_t", "5");
    for request in [
        app.post(&storage)
            .form_body("_phone=1&_service=evil&_end=0"),
        app.post(&storage)
            .json_body(r#"{"_phone":{"a":1},"_service":null,"_bin:x":"{}"}"#),
        app.post(&storage).multipart_body(file),
        app.post(&format!("{storage}?_created=0")),
    ] {
        TestResponse::send(request).await.assert_empty();
    }
    assert_eq!(app.storage(&service).await, json!({"a_b": "4"}));
    let description = app.get_service(&service).await;
    assert_eq!(
        (&description["_service"], &description["_binaries"]),
        (&json!("store"), &json!([]))
    );
    for name in ["_phone", "__x", "_", "_pic", "_t", "_service", "_bin:x"] {
        for path in [
            format!("{storage}/{name}"),
            format!("{storage}/binary/{name}"),
        ] {
            TestResponse::send(app.get(&path))
                .await
                .error_message("KeyNotFound", 404);
        }
    }
}

async fn internal_fields_of_the_store_are_not_accessible(app: TestApp) {
    let request = app
        .post("/genesys/1/service/store")
        .header("gms_user", "agent");
    let request = request
        .header("Idempotency-Key", "order-4711-of-0001")
        .multipart_body(picture());
    let service = TestResponse::send(request).await.service_id();
    let description = app.get_service(&service).await;
    let storage = format!("{service}/storage");
    for name in [
        "_service",
        "_created",
        "_end",
        "_gms_user",
        "_claim",
        "_answer",
        "_bin:pic",
        "_id",
    ] {
        let key = format!("{storage}/{name}");
        let bare = app.get(&key).header("accept", "text/plain");
        TestResponse::send(bare)
            .await
            .error_message("KeyNotFound", 404);
        TestResponse::send(app.delete(&key)).await.assert_ok();
    }
    assert_eq!(app.storage(&service).await, json!({}));
    TestResponse::send(app.delete(&storage)).await.assert_ok();
    let mut after = app.get_service(&service).await;
    assert_eq!(after["_binaries"], json!([]));
    for same in ["_binaries", "_ttl"] {
        after[same] = description[same].clone();
    }
    assert_eq!(after, description);
}

async fn deleting_a_key_is_idempotent(app: TestApp) {
    let service = app.create("Key1=Value1&Key2=Value2").await;
    let storage = format!("{service}/storage");
    TestResponse::send(app.post(&storage).multipart_body(picture()))
        .await
        .assert_empty();
    for key in [
        "Key1",
        "Key1",
        "pic",
        "pic",
        "never-there",
        &"k".repeat(300),
    ] {
        let path = format!("{storage}/{key}");
        TestResponse::send(app.delete(&path)).await.assert_ok();
        for path in [path, format!("{storage}/binary/{key}")] {
            TestResponse::send(app.get(&path))
                .await
                .error_message("KeyNotFound", 404);
        }
    }
    assert_eq!(app.storage(&service).await, json!({"Key2": "Value2"}));
    assert_eq!(app.get_service(&service).await["_binaries"], json!([]));
}

async fn clearing_the_storage_keeps_the_service_active(app: TestApp) {
    let service = app.create("Key1=Value1").await;
    let storage = format!("{service}/storage");
    TestResponse::send(app.post(&storage).multipart_body(picture()))
        .await
        .assert_empty();
    let end = app.get_service(&service).await["_expiration_time"].clone();
    for _ in 0..2 {
        TestResponse::send(app.delete(&storage)).await.assert_ok();
        assert_eq!(app.storage(&service).await, json!({}));
        let description = app.get_service(&service).await;
        assert_eq!(
            (&description["_binaries"], &description["_expiration_time"]),
            (&json!([]), &end)
        );
        let binary = TestResponse::send(app.get(&format!("{storage}/binary/pic"))).await;
        binary.error_message("KeyNotFound", 404);
    }
    TestResponse::send(app.post(&storage).form_body("Key1=2"))
        .await
        .assert_empty();
    assert_eq!(app.storage(&service).await, json!({"Key1": "2"}));
}
