//! Contract section 1, "Errors": the table, row by row.

use reqwest::RequestBuilder;

use crate::support::{
    Answer, Bodies, Catalogue, Multipart, TestApp, TestRedis, disposition, encode,
    on_every_kind_of_store,
};

const STORE: &str = "/genesys/1/service/store";
const FORM: &str = "application/x-www-form-urlencoded";

on_every_kind_of_store!(every_row_of_the_table_is_answered_as_it_says,);

/// What is sent to a service that holds `Key1=Value1` and the binary `pic`, and what comes back.
struct Row {
    exception: &'static str,
    status: u16,
    message: &'static str,
    request: fn(&TestApp, &str) -> RequestBuilder,
}

const fn row(
    (exception, status): (&'static str, u16),
    message: &'static str,
    request: fn(&TestApp, &str) -> RequestBuilder,
) -> Row {
    Row {
        exception,
        status,
        message,
        request,
    }
}

const UNREADABLE_JSON: (&str, u16) = ("UnreadableJson", 500);
const INVALID_BODY: (&str, u16) = ("InvalidBody", 400);
const INVALID_PARAMETER: (&str, u16) = ("InvalidParameter", 400);
const SERVICE_NOT_FOUND: (&str, u16) = ("ServiceNotFound", 404);
const KEY_NOT_FOUND: (&str, u16) = ("KeyNotFound", 404);
const REQUEST_NOT_FOUND: (&str, u16) = ("RequestNotFound", 404);
const NOT_FOUND: (&str, u16) = ("NotFound", 404);
const METHOD_NOT_ALLOWED: (&str, u16) = ("MethodNotAllowed", 405);
const TOO_LARGE: (&str, u16) = ("TooLarge", 413);
const UNSUPPORTED: (&str, u16) = ("UnsupportedMediaType", 415);
const RANGE: (&str, u16) = ("RangeNotSatisfiable", 416);

const TABLE: [Row; 31] = [
    row(UNREADABLE_JSON, "Could not read JSON: ", |app, _| {
        app.post(STORE).json_body("{")
    }),
    row(UNREADABLE_JSON, "one JSON object", |app, _| {
        app.post(STORE).json_body("[1]")
    }),
    row(UNREADABLE_JSON, "one JSON object", |app, _| {
        app.post(STORE).json_body("\"text\"")
    }),
    row(UNREADABLE_JSON, "Could not read JSON: ", |app, service| {
        app.put(service).body_of(FORM, b"{\"ttl\"")
    }),
    row(INVALID_BODY, "UTF-8", |app, _| {
        app.post(STORE).body_of(FORM, b"a=%FF")
    }),
    row(INVALID_BODY, "", |app, _| {
        app.post(STORE)
            .body_of("multipart/form-data", b"--b\r\n\r\n")
    }),
    row(INVALID_BODY, "", |app, service| {
        let other = "multipart/form-data; boundary=other";
        app.post(&format!("{service}/storage"))
            .body_of(other, &Multipart::new().bytes())
    }),
    row(INVALID_BODY, "", |app, _| {
        let nameless = Multipart::new().part("Content-Disposition: form-data", b"1");
        app.post(STORE).multipart_body(nameless)
    }),
    row(INVALID_BODY, "", |app, _| {
        app.post(STORE)
            .multipart_body(Multipart::new().part("Content-Type: text/plain", b"1"))
    }),
    row(INVALID_BODY, "", |app, _| {
        let nested = format!(
            "{}\r\nContent-Type: multipart/mixed; boundary=x",
            disposition("a")
        );
        app.post(STORE)
            .multipart_body(Multipart::new().part(&nested, b"--x--\r\n"))
    }),
    row(INVALID_BODY, "control characters", |app, _| {
        let bell = Multipart::new().text("a\u{7}b", "1");
        app.post(STORE).multipart_body(bell)
    }),
    row(INVALID_PARAMETER, "_ttl", |app, _| {
        app.post(STORE).form_body("_ttl=0")
    }),
    row(INVALID_PARAMETER, "ttl", |app, service| {
        app.put(service).form_body("ttl=x")
    }),
    row(INVALID_PARAMETER, "16 to 255", |app, _| {
        app.post(STORE)
            .header("Idempotency-Key", "order 4711 of 0001")
    }),
    row(INVALID_PARAMETER, "Idempotency-Key", |app, _| {
        app.post(STORE).header("Idempotency-Key", "")
    }),
    row(INVALID_PARAMETER, "256", |app, service| {
        app.post(&format!("{service}/storage?{}=1", "k".repeat(257)))
    }),
    row(SERVICE_NOT_FOUND, "\"chat\"", |app, _| {
        app.post("/genesys/1/service/chat")
    }),
    row(SERVICE_NOT_FOUND, "\"chat\"", |app, _| {
        app.get("/genesys/1/service/chat/storage")
    }),
    row(KEY_NOT_FOUND, "\"Key9\"", |app, service| {
        app.get(&format!("{service}/storage/Key9"))
    }),
    row(KEY_NOT_FOUND, "/storage/binary/", |app, service| {
        app.get(&format!("{service}/storage/pic"))
    }),
    row(KEY_NOT_FOUND, "\"Key1\"", |app, service| {
        app.get(&format!("{service}/storage/binary/Key1"))
    }),
    row(REQUEST_NOT_FOUND, "\"ixn/chat\"", |app, service| {
        app.post(&format!("{service}/ixn/chat"))
    }),
    row(NOT_FOUND, "/genesys/2/service/store", |app, _| {
        app.get("/genesys/2/service/store")
    }),
    row(METHOD_NOT_ALLOWED, "PUT", |app, service| {
        app.put(&format!("{service}/storage"))
    }),
    row(TOO_LARGE, "1000", |app, _| {
        app.post(STORE).form_body(&"a&".repeat(1001))
    }),
    row(TOO_LARGE, "1048576", |app, _| {
        app.post(STORE)
            .form_body(&format!("a={}", "x".repeat(1_048_577)))
    }),
    row(TOO_LARGE, "4194304", |app, _| {
        app.post(STORE).json_body(&" ".repeat(4_194_305))
    }),
    row(TOO_LARGE, "64", |app, _| {
        app.post(STORE)
            .json_body(&format!("{{\"a\":{}{}}}", "[".repeat(64), "]".repeat(64)))
    }),
    row(UNSUPPORTED, "\"text/xml\"", |app, _| {
        app.post(STORE).body_of("text/xml", b"<a/>")
    }),
    row(UNSUPPORTED, "\"\"", |app, service| {
        app.put(service).body("ttl=1")
    }),
    row(RANGE, "5 bytes", |app, service| {
        app.get(&format!("{service}/storage/binary/pic"))
            .header("range", "bytes=5-")
    }),
];

async fn every_row_of_the_table_is_answered_as_it_says(app: TestApp) {
    let service = app.create("Key1=Value1").await;
    let picture = Multipart::new().file("pic", "p.png", "image/png", b"12345");
    let storage = format!("{service}/storage");
    Answer::of(app.post(&storage).multipart_body(picture))
        .await
        .assert_empty();
    for row in TABLE {
        let answer = Answer::of((row.request)(&app, &service)).await;
        let message = answer.message_of(row.exception, row.status);
        assert!(message.contains(row.message), "{message}");
        assert_eq!(answer.headers.contains_key("allow"), row.status == 405);
        assert_eq!(
            answer.headers.contains_key("retry-after"),
            row.status == 503
        );
    }
    assert_eq!(
        app.storage(&service).await,
        serde_json::json!({"Key1": "Value1"})
    );
}

#[tokio::test]
async fn what_the_store_holds_and_nobody_understands_is_a_fault_without_internals() {
    let app = TestApp::on_redis().await;
    let service = app.create("Key1=Value1").await;
    let keys = app.redis_keys("svc:*").await;
    let mut connection = app.redis.as_ref().unwrap().connection().await;
    let mut spoil = redis::cmd("HSET");
    spoil.arg(&keys[0]).arg("_bin:pic").arg("gibberish");
    spoil.query_async::<()>(&mut connection).await.unwrap();
    let answer = Answer::of(app.get(&format!("{service}/storage/binary/pic"))).await;
    let message = answer.message_of("Internal", 500);
    for internal in ["gibberish", "pic", "line", "edis", "_bin"] {
        assert!(!message.contains(internal), "{message}");
    }
    assert_eq!(
        app.storage(&service).await,
        serde_json::json!({"Key1": "Value1"})
    );
}

#[tokio::test]
async fn without_its_redis_every_verb_is_unavailable_and_says_when_to_come_back() {
    let redis = std::sync::Arc::new(TestRedis::own());
    let app = TestApp::start(Some(redis.clone()), "t:", &[]).await;
    let service = app.create("Key1=Value1").await;
    let mut connection = redis.connection().await;
    let shutdown = redis::cmd("SHUTDOWN").arg("NOSAVE").to_owned();
    drop(shutdown.query_async::<()>(&mut connection).await);
    let storage = format!("{service}/storage");
    let file = Multipart::new().file("pic", "p", "a/b", &vec![7; 300_000]);
    for request in [
        app.post(STORE).form_body("a=1"),
        app.post(STORE).multipart_body(file),
        app.post(STORE)
            .header("Idempotency-Key", "order-4711-of-0001"),
        app.get(&service),
        app.get(&storage),
        app.get(&format!("{storage}/Key1")),
        app.get(&format!("{storage}/binary/pic")),
        app.post(&storage).form_body("a=1"),
        app.post(&format!("{service}/update")).form_body("a=1"),
        app.post(&format!("{service}/other")),
        app.delete(&format!("{storage}/Key1")),
        app.delete(&storage),
        app.put(&service).form_body("ttl=60"),
        app.delete(&service),
    ] {
        let answer = Answer::of(request).await;
        let message = answer.message_of("StoreUnavailable", 503);
        assert!(
            !message.contains("edis") && !message.contains("127.0.0.1"),
            "{message}"
        );
        let after: u32 = answer.header("retry-after").parse().unwrap();
        assert!(after > 0);
    }
    Answer::of(app.post(STORE).json_body("{"))
        .await
        .message_of("UnreadableJson", 500);
}

#[tokio::test]
async fn a_name_of_any_script_is_told_in_an_error() {
    let catalogue = Catalogue::of("[services.'caf\u{e9}']\n_type='builtin'\n_service='store'");
    let file = ("catalog.file", catalogue.path());
    let app = TestApp::start(None, "t:", &[file]).await;
    let path = format!("/genesys/1/service/{}", encode("caf\u{e9}"));
    let service = Answer::of(app.post(&path)).await.service();
    assert_eq!(app.told(&service).await["_service"], "caf\u{e9}");
    let answer = Answer::of(app.post(&format!("{service}/\u{1f600}"))).await;
    let message = answer.message_of("RequestNotFound", 404);
    assert!(
        message.contains("caf\u{e9}") && message.contains('\u{1f600}'),
        "{message}"
    );
}
