//! Every error of the table, on the paths of the Storage API.

use reqwest::{Method, RequestBuilder};
use serde_json::json;

use super::{STORAGE, area_path, as_user, create_area, read_as, write_as, written_id};
use crate::support::{
    Bodies, Multipart, RawConnection, TestApp, TestRedis, TestResponse, disposition, encode,
};

const FORM: &str = "application/x-www-form-urlencoded";

/// A body of a write, and the expected error.
struct BodyError {
    exception: &'static str,
    status: u16,
    message: &'static str,
    body: fn(RequestBuilder) -> RequestBuilder,
}

const fn body_error(
    (exception, status): (&'static str, u16),
    message: &'static str,
    body: fn(RequestBuilder) -> RequestBuilder,
) -> BodyError {
    BodyError {
        exception,
        status,
        message,
        body,
    }
}

const UNREADABLE_JSON: (&str, u16) = ("UnreadableJson", 500);
const INVALID_BODY: (&str, u16) = ("InvalidBody", 400);
const INVALID_PARAMETER: (&str, u16) = ("InvalidParameter", 400);
const TOO_LARGE: (&str, u16) = ("TooLarge", 413);
const UNSUPPORTED: (&str, u16) = ("UnsupportedMediaType", 415);

const BODY_ERRORS: [BodyError; 17] = [
    body_error(UNREADABLE_JSON, "Could not read JSON: ", |to| {
        to.json_body("{")
    }),
    body_error(UNREADABLE_JSON, "one JSON object", |to| to.json_body("[1]")),
    body_error(UNREADABLE_JSON, "Could not read JSON: ", |to| {
        to.typed_body(FORM, b"{\"a\"")
    }),
    body_error(INVALID_BODY, "UTF-8", |to| to.typed_body(FORM, b"a=%FF")),
    body_error(INVALID_BODY, "", |to| {
        to.typed_body("multipart/form-data", b"--b\r\n\r\n")
    }),
    body_error(INVALID_BODY, "", |to| {
        to.typed_body(
            "multipart/form-data; boundary=other",
            &Multipart::new().bytes(),
        )
    }),
    body_error(INVALID_BODY, "", |to| {
        to.multipart_body(Multipart::new().part("Content-Disposition: form-data", b"1"))
    }),
    body_error(INVALID_BODY, "", |to| {
        to.typed_body(
            Multipart::CONTENT_TYPE,
            &Multipart::new().text("a", "1").unfinished(),
        )
    }),
    body_error(INVALID_BODY, "", |to| {
        let nested = format!(
            "{}\r\nContent-Type: multipart/mixed; boundary=x",
            disposition("a")
        );
        to.multipart_body(Multipart::new().part(&nested, b"--x--\r\n"))
    }),
    body_error(INVALID_BODY, "control character (0x07)", |to| {
        to.multipart_body(Multipart::new().text("a\u{7}b", "1"))
    }),
    body_error(INVALID_PARAMETER, "256", |to| {
        to.form_body(&format!("{}=1", "k".repeat(257)))
    }),
    body_error(TOO_LARGE, "1000", |to| to.form_body(&"a&".repeat(1001))),
    body_error(TOO_LARGE, "1048576", |to| {
        to.form_body(&format!("a={}", "x".repeat(1_048_577)))
    }),
    body_error(TOO_LARGE, "4194304", |to| {
        to.json_body(&" ".repeat(4_194_305))
    }),
    body_error(TOO_LARGE, "64", |to| {
        to.json_body(&format!("{{\"a\":{}{}}}", "[".repeat(64), "]".repeat(64)))
    }),
    body_error(UNSUPPORTED, "\"text/xml\"", |to| {
        to.typed_body("text/xml", b"<a/>")
    }),
    body_error(UNSUPPORTED, "\"\"", |to| to.body("a=1")),
];

#[tokio::test]
async fn invalid_bodies_are_rejected_and_store_nothing() {
    let app = TestApp::on_memory().await;
    let id = create_area(&app, "Key1=Value1").await;
    written_id(&write_as(&app, "ann", "session1", "Key1=Value1").await);
    for row in BODY_ERRORS {
        for path in [
            format!("{STORAGE}/600"),
            format!("{}/600", area_path(&id)),
            format!("{STORAGE}/session1/600"),
            format!("{STORAGE}/new/600"),
            format!("{STORAGE}/custom/new/600"),
        ] {
            let request = (row.body)(as_user(app.post(&path), "ann"));
            let answer = TestResponse::send(request).await;
            let message = answer.error_message(row.exception, row.status);
            assert!(message.contains(row.message), "{path}: {message}");
        }
    }
    let expected = json!({"Key1": "Value1"});
    assert_eq!(read_as(&app, "", &id).await.json(), expected);
    assert_eq!(read_as(&app, "ann", "session1").await.json(), expected);
    super::assert_not_found(&app, "ann", "new").await;
}

#[tokio::test]
async fn too_many_keys_are_rejected() {
    let app = TestApp::on_memory().await;
    let app = app.start_sibling(&[("limits.keys", "3")]).await;
    let create = app
        .post(&format!("{STORAGE}/600"))
        .form_body("a=1&b=2&c=3&d=4");
    let custom = as_user(app.post(&format!("{STORAGE}/session1/600")), "ann");
    written_id(&write_as(&app, "ann", "session2", "a=1&b=2&c=3").await);
    let more = as_user(app.post(&format!("{STORAGE}/session2/600")), "ann").form_body("d=4");
    for request in [create, custom.form_body("a=1&b=2&c=3&d=4"), more] {
        let answer = TestResponse::send(request).await;
        let message = answer.error_message("TooLarge", 413);
        assert!(message.contains('3'), "{message}");
    }
    super::assert_not_found(&app, "ann", "session1").await;
    let read = read_as(&app, "ann", "session2").await;
    assert_eq!(read.json(), json!({"a": "1", "b": "2", "c": "3"}));
}

#[tokio::test]
async fn other_methods_are_rejected_with_the_allowed_ones() {
    let app = TestApp::on_memory().await;
    let id = create_area(&app, "a=1").await;
    for (path, allow) in [
        (area_path(&id), "GET, HEAD, POST, DELETE"),
        (format!("{}/a", area_path(&id)), "GET, HEAD, POST, DELETE"),
        (format!("{STORAGE}/custom/{id}/600"), "POST"),
        (format!("{STORAGE}/binary/{id}/a"), "GET, HEAD"),
    ] {
        for method in [Method::PUT, Method::PATCH, Method::OPTIONS] {
            let answer = TestResponse::send(app.request(method, &path)).await;
            answer.error_message("MethodNotAllowed", 405);
            assert_eq!(answer.header("allow"), allow, "{path}");
        }
    }
    // HEAD is GET without the body.
    let head = TestResponse::send(app.request(Method::HEAD, &area_path(&id))).await;
    assert_eq!((head.status.as_u16(), head.text()), (200, ""));
}

#[tokio::test]
async fn an_invalid_user_is_rejected_before_the_body_is_read() {
    let app = TestApp::on_memory().await;
    written_id(&write_as(&app, "ann", "session1", "a=1").await);
    let paths = [
        ("GET", format!("{STORAGE}/session1")),
        ("GET", format!("{STORAGE}/session1/a")),
        ("GET", format!("{STORAGE}/binary/session1/a")),
        ("DELETE", format!("{STORAGE}/session1/a")),
        ("DELETE", format!("{STORAGE}/session1")),
        ("POST", format!("{STORAGE}/session1/600")),
        ("POST", format!("{STORAGE}/custom/session1/600")),
    ];
    for (method, path) in &paths {
        // Latin-1, and a truncated UTF-8 sequence.
        for user in [&b"J\xfcrgen"[..], b"ann\xc3"] {
            let mut connection = RawConnection::connect(&app).await;
            let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\ngms_user: ");
            let request = [head.as_bytes(), user, b"\r\nContent-Length: 0\r\n\r\n"].concat();
            connection.send(request).await;
            let answer = connection.read_response().await;
            let message = answer.error_message("InvalidParameter", 400);
            assert!(message.contains("gms_user is not UTF-8"), "{message}");
        }
        let request = app.request(method.parse().unwrap(), path);
        let request = request.header("gms_user", "ann").header("gms_user", "bob");
        let answer = TestResponse::send(request).await;
        let message = answer.error_message("InvalidParameter", 400);
        assert!(
            message.contains("more than one header gms_user"),
            "{message}"
        );
        let long = "u".repeat(257);
        let request = app.request(method.parse().unwrap(), path);
        let answer = TestResponse::send(request.header("gms_user", &long)).await;
        let message = answer.error_message("InvalidParameter", 400);
        assert!(
            message.contains("gms_user has 257 bytes"),
            "{method} {path}: {message}"
        );
    }
    let longest = "u".repeat(256);
    written_id(&write_as(&app, &longest, "session1", "a=2").await);
    assert_eq!(
        read_as(&app, &longest, "session1").await.json(),
        json!({"a": "2"})
    );
    assert_eq!(
        read_as(&app, "ann", "session1").await.json(),
        json!({"a": "1"})
    );
}

#[tokio::test]
async fn paths_that_are_not_utf_8_and_unknown_keys_are_rejected() {
    let app = TestApp::on_memory().await;
    written_id(&write_as(&app, "ann", "session1", "a=1").await);
    for path in [
        "%FF",
        "%FF/a",
        "session1/%FF",
        "binary/%FF/a",
        "binary/session1/%FF",
    ] {
        let get = as_user(app.get(&format!("{STORAGE}/{path}")), "ann");
        TestResponse::send(get)
            .await
            .error_message("InvalidParameter", 400);
    }
    let long = "k".repeat(257);
    for key in ["b", "A", "_ttl", "a ", &long] {
        for path in [
            format!("{STORAGE}/session1/{}", encode(key)),
            format!("{STORAGE}/binary/session1/{}", encode(key)),
        ] {
            let answer = TestResponse::send(as_user(app.get(&path), "ann")).await;
            let message = answer.error_message("KeyNotFound", 404);
            assert!(message.contains("storage area session1"), "{message}");
            assert!(!message.contains("custom/"), "{message}");
        }
    }
    for path in ["", "/a/b/c", "/custom/a/600/b", "/binary/a/b/c"] {
        let answer = TestResponse::send(app.get(&format!("{STORAGE}{path}"))).await;
        answer.error_message("NotFound", 404);
    }
}

#[tokio::test]
async fn without_redis_every_operation_is_unavailable_with_retry_after() {
    let redis = std::sync::Arc::new(TestRedis::dedicated());
    let app = TestApp::start(Some(redis.clone()), "t:", &[]).await;
    let id = create_area(&app, "a=1").await;
    written_id(&write_as(&app, "ann", "session1", "a=1").await);
    let mut connection = redis.connection().await;
    let shutdown = redis::cmd("SHUTDOWN").arg("NOSAVE").to_owned();
    drop(shutdown.query_async::<()>(&mut connection).await);
    let file = || Multipart::new().file("f", "f", "a/b", &vec![7; 300_000]);
    for request in [
        app.post(&format!("{STORAGE}/600")).form_body("a=1"),
        app.post(&format!("{STORAGE}/600")).multipart_body(file()),
        app.post(&format!("{STORAGE}/session1/600"))
            .form_body("a=1"),
        app.post(&format!("{STORAGE}/custom/new/600"))
            .multipart_body(file()),
        app.get(&area_path(&id)),
        app.get(&format!("{STORAGE}/session1/a")),
        app.get(&format!("{STORAGE}/binary/session1/a")),
        app.delete(&format!("{STORAGE}/session1/a")),
        app.delete(&area_path("session1")),
        app.delete(&area_path(&id)),
    ] {
        let answer = TestResponse::send(as_user(request, "ann")).await;
        answer.error_message("StoreUnavailable", 503);
        assert!(answer.headers.contains_key("retry-after"));
    }
}
