//! Contract section 3: reads, writes and deletes in the storage of a service.

use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Bodies, Multipart, TestApp, TestResponse, on_every_kind_of_store};

on_every_kind_of_store!(
    all_strings_are_read_without_the_binaries,
    a_string_is_read_as_json_or_plain_text,
    errors_distinguish_absent_keys_and_binaries,
    a_write_merges_key_by_key,
    a_write_without_fields_changes_nothing,
    a_body_with_an_invalid_field_stores_nothing,
    values_are_returned_unchanged,
    a_thousand_fields_are_stored_at_once,
);

pub(crate) fn picture() -> Multipart {
    Multipart::new().file("pic", "p.png", "image/png", b"12345")
}

async fn all_strings_are_read_without_the_binaries(app: TestApp) {
    let service = app.create("Key1=Value1&Key2=").await;
    let storage = format!("{service}/storage");
    TestResponse::send(app.post(&storage).multipart_body(picture()))
        .await
        .assert_empty();
    assert_eq!(
        app.storage(&service).await,
        json!({"Key1": "Value1", "Key2": ""})
    );
}

async fn a_string_is_read_as_json_or_plain_text(app: TestApp) {
    let service = app.create("Key1=%22Value%22%201").await;
    let key = format!("{service}/storage/Key1");
    let (json, plain) = (r#"{"Key1":"\"Value\" 1"}"#, "\"Value\" 1");
    for (accept, expected) in [
        (None, json),
        (Some("*/*"), json),
        (Some("application/json"), json),
        (Some("application/json, text/plain, */*"), json),
        (Some("text/plain;q=0.5, application/json"), json),
        (Some("image/png"), json),
        (Some("text/plain"), plain),
        (Some("text/plain;charset=utf-8"), plain),
        (Some("text/plain, */*;q=0.1"), plain),
        (Some("application/json;q=0.5, text/plain"), plain),
    ] {
        let request = app.get(&key);
        let request = match accept {
            Some(accept) => request.header("accept", accept),
            None => request,
        };
        let answer = TestResponse::send(request).await;
        assert_eq!(
            (answer.status, answer.text()),
            (StatusCode::OK, expected),
            "{accept:?}"
        );
        let kind = if expected == json {
            "application/json"
        } else {
            "text/plain"
        };
        assert_eq!(
            answer.header("content-type"),
            format!("{kind};charset=utf-8")
        );
    }
}

async fn errors_distinguish_absent_keys_and_binaries(app: TestApp) {
    let service = app.create("Key1=Value1").await;
    let storage = format!("{service}/storage");
    TestResponse::send(app.post(&storage).multipart_body(picture()))
        .await
        .assert_empty();
    let long = "k".repeat(257);
    for key in ["Key9", "key1", "Key1%20", "_ttl", &long] {
        for path in [
            format!("{storage}/{key}"),
            format!("{storage}/binary/{key}"),
        ] {
            let answer = TestResponse::send(app.get(&path)).await;
            answer.error_message("KeyNotFound", 404);
            let plain = app.get(&path).header("accept", "text/plain");
            TestResponse::send(plain)
                .await
                .error_message("KeyNotFound", 404);
        }
    }
    let absent = TestResponse::send(app.get(&format!("{storage}/Key9"))).await;
    let absent = absent.error_message("KeyNotFound", 404);
    let id = service.rsplit('/').next().unwrap();
    assert!(absent.contains(id) && absent.contains("Key9"), "{absent}");

    let binary = TestResponse::send(app.get(&format!("{storage}/pic"))).await;
    let binary = binary.error_message("KeyNotFound", 404);
    assert!(binary.contains(&format!("{storage}/binary/")), "{binary}");
    let string = TestResponse::send(app.get(&format!("{storage}/binary/Key1"))).await;
    string.error_message("KeyNotFound", 404);
}

async fn a_write_merges_key_by_key(app: TestApp) {
    let service = app.create("Key1=Value1&Key2=Value2").await;
    let storage = format!("{service}/storage");
    let request = app
        .post(&storage)
        .json_body(r#"{"Key2":"new","Key3":"Value3"}"#);
    TestResponse::send(request).await.assert_empty();
    let expected = json!({"Key1": "Value1", "Key2": "new", "Key3": "Value3"});
    assert_eq!(app.storage(&service).await, expected);
}

async fn a_write_without_fields_changes_nothing(app: TestApp) {
    let service = app.create("Key1=Value1").await;
    let storage = format!("{service}/storage");
    for request in [
        app.post(&storage),
        app.post(&storage).json_body("{}"),
        app.post(&storage).form_body(""),
        app.post(&storage).multipart_body(Multipart::new()),
    ] {
        TestResponse::send(request).await.assert_empty();
    }
    assert_eq!(app.storage(&service).await, json!({"Key1": "Value1"}));
}

async fn a_body_with_an_invalid_field_stores_nothing(app: TestApp) {
    let service = app.create("Key1=Value1").await;
    let storage = format!("{service}/storage");
    let long = "k".repeat(257);
    let bad_name = Multipart::new().text("Key1", "new").text(&long, "x");
    let bad_text = Multipart::new().text("Key1", "new");
    let bad_text = bad_text.part("Content-Disposition: form-data; name=\"x\"", b"\xff");
    for request in [
        app.post(&storage)
            .form_body(&format!("Key1=new&{long}=x&Key2=2")),
        app.post(&storage).form_body("Key1=new&=x"),
        app.post(&storage).form_body("Key1=new&x=%FF"),
        app.post(&storage)
            .json_body(&format!(r#"{{"Key1":"new","{long}":"x"}}"#)),
        app.post(&storage).json_body(r#"{"Key1":null,"":"x"}"#),
        app.post(&storage).multipart_body(bad_name),
        app.post(&storage).multipart_body(bad_text),
        app.post(&format!("{storage}?x=%FF")).form_body("Key1=new"),
    ] {
        let answer = TestResponse::send(request).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{answer:?}");
        assert_eq!(app.storage(&service).await, json!({"Key1": "Value1"}));
    }
}

async fn values_are_returned_unchanged(app: TestApp) {
    let value = "\u{0}\r\n\t\"\\{}[]&=+%41 \u{e9}\u{1f600}\u{feff}\u{2028}</script>";
    let body = json!({"Key1": value, "empty": ""});
    let service = app.create("").await;
    let storage = format!("{service}/storage");
    TestResponse::send(app.post(&storage).json_body(&body.to_string()))
        .await
        .assert_empty();
    assert_eq!(app.storage(&service).await, body);
    let plain = app
        .get(&format!("{storage}/Key1"))
        .header("accept", "text/plain");
    assert_eq!(TestResponse::send(plain).await.text(), value);
}

async fn a_thousand_fields_are_stored_at_once(app: TestApp) {
    let fields = (0..1000).map(|n| (format!("Key{n}"), json!(n.to_string())));
    let body = serde_json::Value::Object(fields.collect());
    let created = app
        .post("/genesys/1/service/store")
        .json_body(&body.to_string());
    let created = TestResponse::send(created).await.service_id();
    assert_eq!(app.storage(&created).await, body);
    let written = app.create("").await;
    let request = app
        .post(&format!("{written}/storage"))
        .json_body(&body.to_string());
    TestResponse::send(request).await.assert_empty();
    assert_eq!(app.storage(&written).await, body);
}
