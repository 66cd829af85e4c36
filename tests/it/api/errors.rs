//! Contract section 1, "Errors": every row of the table.

use reqwest::RequestBuilder;

use crate::support::{
    Bodies, CatalogFile, Multipart, TestApp, TestRedis, TestResponse, disposition, encode,
    on_redis_only,
};

const STORE: &str = "/genesys/1/service/store";
const FORM: &str = "application/x-www-form-urlencoded";

on_redis_only!(every_error_of_the_table_is_returned,);

/// A request to a service with `Key1=Value1` and the binary `pic`, and the expected response.
struct ErrorCase {
    exception: &'static str,
    status: u16,
    message: &'static str,
    request: fn(&TestApp, &str) -> RequestBuilder,
}

const fn error_case(
    (exception, status): (&'static str, u16),
    message: &'static str,
    request: fn(&TestApp, &str) -> RequestBuilder,
) -> ErrorCase {
    ErrorCase {
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

const CASES: [ErrorCase; 31] = [
    error_case(UNREADABLE_JSON, "Could not read JSON: ", |app, _| {
        app.post(STORE).json_body("{")
    }),
    error_case(UNREADABLE_JSON, "one JSON object", |app, _| {
        app.post(STORE).json_body("[1]")
    }),
    error_case(UNREADABLE_JSON, "one JSON object", |app, _| {
        app.post(STORE).json_body("\"text\"")
    }),
    error_case(UNREADABLE_JSON, "Could not read JSON: ", |app, service| {
        app.put(service).typed_body(FORM, b"{\"ttl\"")
    }),
    error_case(INVALID_BODY, "UTF-8", |app, _| {
        app.post(STORE).typed_body(FORM, b"a=%FF")
    }),
    error_case(INVALID_BODY, "", |app, _| {
        app.post(STORE)
            .typed_body("multipart/form-data", b"--b\r\n\r\n")
    }),
    error_case(INVALID_BODY, "", |app, service| {
        let other = "multipart/form-data; boundary=other";
        app.post(&format!("{service}/storage"))
            .typed_body(other, &Multipart::new().bytes())
    }),
    error_case(INVALID_BODY, "", |app, _| {
        let nameless = Multipart::new().part("Content-Disposition: form-data", b"1");
        app.post(STORE).multipart_body(nameless)
    }),
    error_case(INVALID_BODY, "", |app, _| {
        app.post(STORE)
            .multipart_body(Multipart::new().part("Content-Type: text/plain", b"1"))
    }),
    error_case(INVALID_BODY, "", |app, _| {
        let nested = format!(
            "{}\r\nContent-Type: multipart/mixed; boundary=x",
            disposition("a")
        );
        app.post(STORE)
            .multipart_body(Multipart::new().part(&nested, b"--x--\r\n"))
    }),
    error_case(INVALID_BODY, "control character (0x07)", |app, _| {
        let bell = Multipart::new().text("a\u{7}b", "1");
        app.post(STORE).multipart_body(bell)
    }),
    error_case(INVALID_PARAMETER, "_ttl", |app, _| {
        app.post(STORE).form_body("_ttl=0")
    }),
    error_case(INVALID_PARAMETER, "ttl", |app, service| {
        app.put(service).form_body("ttl=x")
    }),
    error_case(INVALID_PARAMETER, "16 to 255", |app, _| {
        app.post(STORE)
            .header("Idempotency-Key", "order 4711 of 0001")
    }),
    error_case(INVALID_PARAMETER, "Idempotency-Key", |app, _| {
        app.post(STORE).header("Idempotency-Key", "")
    }),
    error_case(INVALID_PARAMETER, "256", |app, service| {
        app.post(&format!("{service}/storage?{}=1", "k".repeat(257)))
    }),
    error_case(SERVICE_NOT_FOUND, "\"chat\"", |app, _| {
        app.post("/genesys/1/service/chat")
    }),
    error_case(SERVICE_NOT_FOUND, "\"chat\"", |app, _| {
        app.get("/genesys/1/service/chat/storage")
    }),
    error_case(KEY_NOT_FOUND, "\"Key9\"", |app, service| {
        app.get(&format!("{service}/storage/Key9"))
    }),
    error_case(KEY_NOT_FOUND, "/storage/binary/", |app, service| {
        app.get(&format!("{service}/storage/pic"))
    }),
    error_case(KEY_NOT_FOUND, "\"Key1\"", |app, service| {
        app.get(&format!("{service}/storage/binary/Key1"))
    }),
    error_case(REQUEST_NOT_FOUND, "\"ixn/chat\"", |app, service| {
        app.post(&format!("{service}/ixn/chat"))
    }),
    error_case(NOT_FOUND, "/genesys/2/service/store", |app, _| {
        app.get("/genesys/2/service/store")
    }),
    error_case(METHOD_NOT_ALLOWED, "PUT", |app, service| {
        app.put(&format!("{service}/storage"))
    }),
    error_case(TOO_LARGE, "1000", |app, _| {
        app.post(STORE).form_body(&"a&".repeat(1001))
    }),
    error_case(TOO_LARGE, "1048576", |app, _| {
        app.post(STORE)
            .form_body(&format!("a={}", "x".repeat(1_048_577)))
    }),
    error_case(TOO_LARGE, "4194304", |app, _| {
        app.post(STORE).json_body(&" ".repeat(4_194_305))
    }),
    error_case(TOO_LARGE, "64", |app, _| {
        app.post(STORE)
            .json_body(&format!("{{\"a\":{}{}}}", "[".repeat(64), "]".repeat(64)))
    }),
    error_case(UNSUPPORTED, "\"text/xml\"", |app, _| {
        app.post(STORE).typed_body("text/xml", b"<a/>")
    }),
    error_case(UNSUPPORTED, "\"\"", |app, service| {
        app.put(service).body("ttl=1")
    }),
    error_case(RANGE, "5 bytes", |app, service| {
        app.get(&format!("{service}/storage/binary/pic"))
            .header("range", "bytes=5-")
    }),
];

async fn every_error_of_the_table_is_returned(app: TestApp) {
    let service = app.create("Key1=Value1").await;
    let picture = Multipart::new().file("pic", "p.png", "image/png", b"12345");
    let storage = format!("{service}/storage");
    TestResponse::send(app.post(&storage).multipart_body(picture))
        .await
        .assert_empty();
    for row in CASES {
        let answer = TestResponse::send((row.request)(&app, &service)).await;
        let message = answer.error_message(row.exception, row.status);
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
async fn corrupt_data_in_the_store_is_an_internal_error_without_details() {
    let app = TestApp::on_redis().await;
    let service = app.create("Key1=Value1").await;
    let keys = app.redis_keys("svc:*").await;
    let mut connection = app.redis.as_ref().unwrap().connection().await;
    let mut spoil = redis::cmd("HSET");
    spoil.arg(&keys[0]).arg("_bin:pic").arg("gibberish");
    spoil.query_async::<()>(&mut connection).await.unwrap();
    let answer = TestResponse::send(app.get(&format!("{service}/storage/binary/pic"))).await;
    let message = answer.error_message("Internal", 500);
    for internal in ["gibberish", "pic", "line", "edis", "_bin"] {
        assert!(!message.contains(internal), "{message}");
    }
    assert_eq!(
        app.storage(&service).await,
        serde_json::json!({"Key1": "Value1"})
    );
}

#[tokio::test]
async fn without_redis_every_operation_is_unavailable_with_retry_after() {
    let redis = std::sync::Arc::new(TestRedis::dedicated());
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
        let answer = TestResponse::send(request).await;
        let message = answer.error_message("StoreUnavailable", 503);
        assert!(
            !message.contains("edis") && !message.contains("127.0.0.1"),
            "{message}"
        );
        let after: u32 = answer.header("retry-after").parse().unwrap();
        assert!(after > 0);
    }
    TestResponse::send(app.post(STORE).json_body("{"))
        .await
        .error_message("UnreadableJson", 500);
}

#[tokio::test]
async fn error_messages_contain_names_of_any_script() {
    let catalog_file =
        CatalogFile::new("[services.'caf\u{e9}']\n_type='builtin'\n_service='store'");
    let file = ("catalog.file", catalog_file.path());
    let app = TestApp::start(None, "t:", &[file]).await;
    let path = format!("/genesys/1/service/{}", encode("caf\u{e9}"));
    let service = TestResponse::send(app.post(&path)).await.service_id();
    assert_eq!(app.get_service(&service).await["_service"], "caf\u{e9}");
    let answer = TestResponse::send(app.post(&format!("{service}/\u{1f600}"))).await;
    let message = answer.error_message("RequestNotFound", 404);
    assert!(
        message.contains("caf\u{e9}") && message.contains('\u{1f600}'),
        "{message}"
    );
}
