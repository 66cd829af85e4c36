//! Contract section 1, "Names": any characters, `/` included, percent-encoded in a path.

use proptest::prelude::*;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{
    Bodies, Multipart, RawConnection, TestApp, TestResponse, encode, on_every_kind_of_store,
    properties::check_property,
};

on_every_kind_of_store!(
    keys_of_any_name_are_written_read_and_deleted,
    the_key_named_binary_is_a_normal_key,
    a_plus_in_a_path_is_literal,
    a_name_has_one_to_256_bytes,
    a_path_that_is_not_utf_8_is_not_found,
);

/// Writes, reads, replaces by a binary, and deletes the key `name` in a new service.
async fn check_name(app: &TestApp, name: &str) {
    let service = app.create(&format!("{}=Value1", encode(name))).await;
    assert_eq!(app.storage(&service).await, json!({name: "Value1"}));
    let storage = format!("{service}/storage");
    let key = format!("{storage}/{}", encode(name));
    let binary = format!("{storage}/binary/{}", encode(name));

    // Sent on a raw connection, because the client would resolve `..`.
    let mut wire = RawConnection::connect(app).await;
    let answer = wire.request("GET", &key).await;
    assert_eq!(answer.status, StatusCode::OK, "{name:?}: {answer:?}");
    assert_eq!(answer.json(), json!({name: "Value1"}));
    let answer = wire.request("GET", &binary).await;
    answer.error_message("KeyNotFound", 404);

    if !name.contains(['"', '\\']) && !name.contains(char::is_control) {
        let file = Multipart::new().file(name, "f", "image/png", b"123");
        TestResponse::send(app.post(&storage).multipart_body(file))
            .await
            .assert_empty();
        assert_eq!(wire.request("GET", &binary).await.body, b"123", "{name:?}");
        wire.request("GET", &key)
            .await
            .error_message("KeyNotFound", 404);
        assert_eq!(
            app.get_service(&service).await["_binaries"][0]["name"],
            name
        );
    }

    wire.request("DELETE", &key).await.assert_ok();
    wire.request("GET", &key)
        .await
        .error_message("KeyNotFound", 404);
    assert_eq!(app.storage(&service).await, json!({}));
}

async fn keys_of_any_name_are_written_read_and_deleted(app: TestApp) {
    let longest = "\u{e9}".repeat(128);
    for name in [
        "a/b",
        "/",
        "//",
        "/a",
        "a/",
        "%",
        "%2F",
        "%25",
        "100%",
        " ",
        "a b",
        " a ",
        "+",
        "\u{e9}",
        "\u{1f600}",
        "\u{feff}a",
        "binary",
        "storage",
        "..",
        ".",
        "../..",
        "?",
        "a?b",
        "#",
        "a#b",
        "\"",
        "\\",
        "'",
        ":",
        ";",
        "&",
        "=",
        "{}",
        "{id}",
        "[0]",
        "*",
        "a\nb",
        "\r\n",
        "\0",
        "a_",
        &longest,
    ] {
        check_name(&app, name).await;
    }
}

async fn the_key_named_binary_is_a_normal_key(app: TestApp) {
    let service = app.create("binary=Value1").await;
    let key = format!("{service}/storage/binary");
    assert_eq!(
        TestResponse::send(app.get(&key)).await.text(),
        r#"{"binary":"Value1"}"#
    );
    TestResponse::send(app.delete(&key)).await.assert_ok();
    TestResponse::send(app.get(&key))
        .await
        .error_message("KeyNotFound", 404);

    let file = Multipart::new().file("binary", "f", "image/png", b"123");
    let written = app.post(&format!("{service}/storage")).multipart_body(file);
    TestResponse::send(written).await.assert_empty();
    TestResponse::send(app.get(&key))
        .await
        .error_message("KeyNotFound", 404);
    let binary = TestResponse::send(app.get(&format!("{key}/binary"))).await;
    assert_eq!(binary.body, b"123");
    TestResponse::send(app.get(&format!("{key}/")))
        .await
        .error_message("NotFound", 404);
}

async fn a_plus_in_a_path_is_literal(app: TestApp) {
    let service = app.create("a%2Bb=plus&a+b=space").await;
    let read = async |key: &str| {
        let request = app.get(&format!("{service}/storage/{key}"));
        TestResponse::send(request.header("accept", "text/plain")).await
    };
    assert_eq!(read("a+b").await.text(), "plus");
    assert_eq!(read("a%2Bb").await.text(), "plus");
    assert_eq!(read("a%20b").await.text(), "space");
}

async fn a_name_has_one_to_256_bytes(app: TestApp) {
    let (longest, too_long) = ("\u{e9}".repeat(128), "\u{e9}".repeat(129));
    let service = app.create(&format!("{}=1", encode(&longest))).await;
    let storage = format!("{service}/storage");
    for name in ["", &too_long] {
        let form = format!("Key1=1&{}=x", encode(name));
        for path in [
            "/genesys/1/service/store",
            &storage,
            &format!("{service}/update"),
        ] {
            let answer = TestResponse::send(app.post(path).form_body(&form)).await;
            let message = answer.error_message("InvalidParameter", 400);
            assert!(message.contains("1 to 256 bytes"), "{message}");
        }
    }
    assert_eq!(app.storage(&service).await, json!({longest: "1"}));
    let read = TestResponse::send(app.get(&format!("{storage}/{}", encode(&too_long)))).await;
    read.error_message("KeyNotFound", 404);
}

async fn a_path_that_is_not_utf_8_is_not_found(app: TestApp) {
    let service = app.create("Key1=1").await;
    for path in ["storage/%FF", "storage/binary/%FF", "storage/a%C3"] {
        let answer = TestResponse::send(app.get(&format!("{service}/{path}"))).await;
        answer.error_message("InvalidParameter", 400);
    }
}

/// Names of user data: 1 to 256 bytes without a leading `_`.
fn names() -> impl Strategy<Value = String> {
    let any_text = "\\PC{1,64}|[ -~]{1,64}|(?s).{1,16}|[/%.+?#&=;\"\\\\ ]{1,8}";
    let storable = |name: &String| !name.starts_with('_') && name.len() <= 256;
    any_text.prop_filter("storable", storable)
}

#[test]
fn any_name_reads_back_on_memory() {
    check_property(TestApp::on_memory(), &names(), &async |app, name| {
        check_name(app, &name).await;
    });
}

#[test]
fn any_name_reads_back_on_redis() {
    check_property(TestApp::on_redis(), &names(), &async |app, name| {
        check_name(app, &name).await;
    });
}
