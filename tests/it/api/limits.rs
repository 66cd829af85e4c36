//! Contract section 8: requests over a limit are rejected with the limit, and nothing is stored.

use std::io;

use bytes::Bytes;
use futures_util::stream;
use reqwest::{Body, RequestBuilder};
use serde_json::json;

use crate::support::{
    Bodies, Multipart, TestApp, TestResponse, eventually, on_every_kind_of_store,
};

pub(crate) const STORE: &str = "/genesys/1/service/store";
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

on_every_kind_of_store!(
    a_string_has_a_limit_in_every_kind_of_body,
    a_binary_has_a_limit,
    nesting_has_a_limit,
    the_fields_of_a_body_have_a_limit,
    the_keys_of_a_service_have_a_limit,
);

/// Starts a replica with these limits, and creates a service with one key.
pub(crate) async fn start(app: &TestApp, limits: &[(&str, &str)]) -> (TestApp, String) {
    let app = app.start_sibling(limits).await;
    let service = app.create("Key1=1").await;
    (app, service)
}

/// Checks that each request is rejected because of this limit and changes nothing.
pub(crate) async fn assert_refused(
    (app, service): &(TestApp, String),
    setting: &str,
    limit: &str,
    requests: Vec<RequestBuilder>,
) {
    let before = app.get_service(service).await;
    let services = app.redis_keys("svc:*").await.len();
    let blobs = app.redis_keys("blob:*").await.len();
    for request in requests {
        let message = TestResponse::send(request)
            .await
            .error_message("TooLarge", 413);
        assert!(message.contains(setting), "{message}");
        assert!(
            message
                .split(|c: char| !c.is_ascii_digit())
                .any(|n| n == limit),
            "{message}"
        );
    }
    let mut after = app.get_service(service).await;
    after["_ttl"] = before["_ttl"].clone();
    assert_eq!(after, before);
    assert_eq!(app.redis_keys("svc:*").await.len(), services);
    eventually("uploads of rejected requests are discarded", async || {
        (app.redis_keys("blob:*").await.len() == blobs).then_some(())
    })
    .await;
    TestResponse::send(app.delete(&format!("{service}/storage/none")))
        .await
        .assert_ok();
}

/// A body without a `Content-Length`.
pub(crate) fn chunked(request: RequestBuilder, kind: &str, body: &[u8]) -> RequestBuilder {
    let pieces = body
        .chunks(50)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)));
    let pieces: Vec<io::Result<Bytes>> = pieces.collect();
    let request = request.header("content-type", kind);
    request.body(Body::wrap_stream(stream::iter(pieces)))
}

async fn a_string_has_a_limit_in_every_kind_of_body(app: TestApp) {
    let limited = start(&app, &[("limits.string_bytes", "100")]).await;
    let (app, storage) = (&limited.0, format!("{}/storage", limited.1));
    let (longest, too_long) = ("\u{e9}".repeat(50), "x".repeat(101));
    let escaped = "\\u00e9".repeat(50);
    for request in [
        app.post(&storage).form_body(&format!("Key1={longest}")),
        app.post(&storage)
            .json_body(&format!("{{\"Key1\":\"{escaped}\"}}")),
        app.post(&storage)
            .multipart_body(Multipart::new().text("Key1", &longest)),
        app.post(&format!("{storage}?Key1={longest}")),
        app.post(&storage)
            .multipart_body(Multipart::new().file("f", "f", "a/b", &[1; 101])),
    ] {
        assert_eq!(TestResponse::send(request).await.status, 200);
    }
    let latin = "application/x-www-form-urlencoded;charset=ISO-8859-1";
    let requests = vec![
        app.post(&storage)
            .form_body(&format!("Key2=2&Key1={too_long}")),
        app.post(&storage)
            .json_body(&format!("{{\"Key2\":2,\"Key1\":\"{too_long}\"}}")),
        app.post(&storage)
            .json_body(&format!("{{\"Key1\":[\"{too_long}\"]}}")),
        app.post(&storage)
            .multipart_body(Multipart::new().text("Key2", "2").text("Key1", &too_long)),
        app.post(&format!("{storage}?Key1={too_long}")),
        app.post(&storage)
            .typed_body(latin, &[b"Key1=".as_slice(), &[0xe9; 51]].concat()),
        app.post(&format!("{}/update", limited.1))
            .form_body(&format!("Key1={too_long}")),
        app.post(STORE).form_body(&format!("Key1={too_long}")),
        app.put(&limited.1)
            .form_body(&format!("ttl=60&x={too_long}")),
    ];
    assert_refused(&limited, "limits.string_bytes", "100", requests).await;
    assert_eq!(app.storage(&limited.1).await, json!({"Key1": longest}));
}

async fn a_binary_has_a_limit(app: TestApp) {
    let limited = start(&app, &[("limits.binary_bytes", "300000")]).await;
    let (app, storage) = (&limited.0, format!("{}/storage", limited.1));
    let file = |length| {
        Multipart::new()
            .text("a", "1")
            .file("pic", "p", "a/b", &vec![7; length])
    };
    let requests = vec![
        app.post(&storage).multipart_body(file(300_001)),
        app.post(STORE).multipart_body(file(700_000)),
        chunked(
            app.post(&storage),
            Multipart::CONTENT_TYPE,
            &file(300_001).bytes(),
        ),
        app.post(&storage).multipart_body(
            Multipart::new()
                .file("one", "p", "a/b", &[7; 300_000])
                .file("two", "p", "a/b", &[7; 300_001]),
        ),
    ];
    assert_refused(&limited, "limits.binary_bytes", "300000", requests).await;
    TestResponse::send(app.post(&storage).multipart_body(file(300_000)))
        .await
        .assert_empty();
    let binary = TestResponse::send(app.get(&format!("{storage}/binary/pic"))).await;
    assert_eq!(binary.body.len(), 300_000);
}

async fn nesting_has_a_limit(app: TestApp) {
    let limited = start(&app, &[("limits.json_depth", "3")]).await;
    let (app, storage) = (&limited.0, format!("{}/storage", limited.1));
    let requests = vec![
        app.post(&storage).json_body(r#"{"Key2":2,"Key1":[[[]]]}"#),
        app.post(&storage).json_body(r#"{"Key1":{"a":{"b":{}}}}"#),
        app.post(&storage)
            .json_body(r#"{"_a":[{"b":[1]}],"Key1":2}"#),
        app.post(STORE)
            .json_body(&format!("{{\"a\":{}{}}}", "[".repeat(99), "]".repeat(99))),
        app.post(STORE).typed_body(FORM, br#"{"a":[[[]]]}"#),
    ];
    assert_refused(&limited, "limits.json_depth", "3", requests).await;
    let request = app
        .post(&storage)
        .json_body(r#"{"Key1":[{"a":1},[]],"Key2":["[[[[",2]}"#);
    TestResponse::send(request).await.assert_empty();
}

async fn the_fields_of_a_body_have_a_limit(app: TestApp) {
    let limited = start(&app, &[("limits.fields", "2")]).await;
    let (app, storage) = (&limited.0, format!("{}/storage", limited.1));
    let files = Multipart::new()
        .text("a", "1")
        .file("b", "b", "a/b", b"2")
        .file("c", "c", "a/b", b"3");
    let requests = vec![
        app.post(&storage).form_body("a=1&b=2&c=3"),
        app.post(&storage).form_body("a=1&a=2&a=3"),
        app.post(&storage).json_body(r#"{"a":1,"b":2,"c":3}"#),
        app.post(&storage)
            .json_body(r#"{"a":null,"b":null,"c":null}"#),
        app.post(&storage).multipart_body(files),
        app.post(&format!("{storage}?a=1&b=2&c=3")),
        app.post(STORE).form_body("a=1&b=2&_c=3"),
    ];
    assert_refused(&limited, "limits.fields", "2", requests).await;
    for request in [
        app.post(&storage).form_body("a=1&&b=2&"),
        app.post(&storage).json_body(r#"{"a":[1,2,3],"b":2}"#),
        app.post(&storage)
            .multipart_body(Multipart::new().text("a", "1").text("b", "2")),
    ] {
        TestResponse::send(request).await.assert_empty();
    }
}

async fn the_keys_of_a_service_have_a_limit(app: TestApp) {
    let limited = start(&app, &[("limits.keys", "3")]).await;
    let (app, storage) = (&limited.0, format!("{}/storage", limited.1));
    let file = Multipart::new().file("pic", "p", "a/b", b"1");
    TestResponse::send(app.post(&storage).multipart_body(file))
        .await
        .assert_empty();
    let files = Multipart::new()
        .file("Key3", "k", "a/b", b"3")
        .file("Key4", "k", "a/b", b"4");
    let requests = vec![
        app.post(&storage).form_body("Key3=3&Key4=4"),
        app.post(&storage)
            .json_body(r#"{"Key3":3,"Key4":4,"absent":null}"#),
        app.post(&storage).multipart_body(files),
        app.post(&format!("{}/update", limited.1))
            .form_body("Key3=3&Key4=4"),
        app.post(STORE).form_body("Key1=1&Key2=2&Key3=3&Key4=4"),
    ];
    assert_refused(&limited, "limits.keys", "3", requests).await;
    for request in [
        app.post(&storage).form_body("Key3=3&Key1=new&_x=1"),
        app.post(&storage).json_body(r#"{"Key4":4,"Key3":null}"#),
        app.post(STORE).form_body("Key1=1&Key2=2&Key3=3&_ttl=60"),
    ] {
        assert_eq!(TestResponse::send(request).await.status, 200);
    }
}
