//! The errors of the OpenAPI document against actual responses.

use std::{collections::BTreeSet, sync::Arc};

use reqwest::header::HeaderName;
use serde_json::Value;

use super::{document, operations, resolve, start_with_all_routes};
use crate::support::{
    Bodies, Multipart, TestApp, TestRedis, TestResponse,
    backends::{Backend, MockResponse, ors_service, unreachable_url},
    bookings, random_prefix,
};

/// The id in the examples.
const ID: &str = "39a98e24-b03b-4191-b756-1efe8f3b16b8";
const STORE: &str = "/genesys/1/service/store";

#[tokio::test]
async fn every_error_has_an_example_and_an_operation() {
    let document = document(&start_with_all_routes().await).await;
    let rows = document["components"]["examples"].as_object().unwrap();
    let responses = document["components"]["responses"].as_object().unwrap();
    assert_eq!(
        rows.keys().collect::<Vec<_>>(),
        responses.keys().collect::<Vec<_>>()
    );
    let mut documented = BTreeSet::new();
    for (operation, object) in operations(&document) {
        for (status, response) in object["responses"].as_object().unwrap() {
            let response = resolve(&document, response);
            let Some(examples) = response.pointer("/content/application~1json/examples") else {
                continue;
            };
            let named = response["description"].as_str().unwrap();
            let (_phrase, named) = named.split_once(": ").unwrap();
            let named: Vec<&str> = named.split(", ").collect();
            let examples = examples.as_object().unwrap();
            assert_eq!(examples.len(), named.len(), "{operation} {status}");
            for (name, example) in examples {
                let example = &resolve(&document, example)["value"];
                assert_eq!(example["exception"], name.as_str(), "{operation}");
                assert_eq!(example["code"].to_string(), *status, "{operation} {name}");
                assert!(named.contains(&name.as_str()), "{operation} {name}");
                documented.insert(name.as_str());
            }
        }
    }
    let unused: Vec<&String> = rows
        .keys()
        .filter(|row| !documented.contains(row.as_str()))
        .collect();
    // Responses to requests that match no operation.
    assert_eq!(unused, ["MethodNotAllowed", "NotFound"]);
}

/// Compares a response with the example of its exception: the body except the id, and the headers that are not
/// common to all responses.
pub(super) fn compare(document: &Value, response: &TestResponse, service: &str) {
    let text = response.text();
    let name = response.json()["exception"].as_str().unwrap().to_owned();
    let example = &document["components"]["examples"][&name]["value"];
    let id = service.rsplit('/').next().unwrap();
    let normalized = if id.is_empty() {
        text.to_owned()
    } else {
        text.replace(id, ID)
    };
    // Tests use a shorter timeout.
    let normalized = normalized.replace("within 300 ms", "within 10000 ms");
    let normalized: Value = serde_json::from_str(&normalized).unwrap();
    assert_eq!(normalized, *example);
    assert_eq!(response.status.as_u16(), example["code"], "{text}");
    let headers = response.headers.keys().map(HeaderName::as_str);
    // Errors before the end of the body close the connection.
    let common = [
        "cache-control",
        "connection",
        "content-length",
        "content-type",
        "date",
        "pragma",
        "x-content-type-options",
    ];
    let headers: Vec<&str> = headers.filter(|name| !common.contains(name)).collect();
    let documented = &document["components"]["responses"][&name]["headers"];
    // A response without such headers has no member for them.
    let documented = documented.as_object().cloned().unwrap_or_default();
    assert_eq!(
        headers,
        documented.keys().map(String::as_str).collect::<Vec<_>>(),
        "{name}"
    );
    for (name, header) in &documented {
        let value = response.header(name);
        match header["schema"]["type"].as_str() {
            Some("integer") => drop(value.parse::<u64>().unwrap()),
            _ => assert_eq!(header["example"], value, "{name}"),
        }
    }
}

#[tokio::test]
async fn errors_match_their_examples() {
    let app = TestApp::on_memory().await;
    let document = document(&app).await;
    let service = app.create("Key1=Value1").await;
    let storage = format!("{service}/storage");
    let picture = Multipart::new().file("pic", "p.png", "image/png", b"12345");
    let written = app.post(&storage).multipart_body(picture);
    TestResponse::send(written).await.assert_empty();
    let missing = format!("/genesys/1/service/{ID}");
    let form = "application/x-www-form-urlencoded";
    let binary = app.get(&format!("{storage}/binary/pic"));
    let matched = "/genesys/1/service/match-interaction";
    let mut seen = BTreeSet::new();
    for request in [
        app.post(STORE).json_body("{"),
        app.post(STORE).typed_body(form, b"a=%FF"),
        app.post(STORE).form_body("_ttl=0"),
        app.get(&missing),
        app.get(&format!("{storage}/Key9")),
        app.post(&format!("{service}/ixn/chat")),
        app.post(matched).form_body("_access_number=8003449999"),
        app.get("/genesys/2/service/store"),
        app.put(&storage),
        app.post(STORE).form_body(&"a&".repeat(1001)),
        app.post(STORE).typed_body("text/xml", b"<a/>"),
        binary.header("range", "bytes=5-"),
    ] {
        let response = TestResponse::send(request).await;
        compare(&document, &response, &service);
        seen.insert(response.json()["exception"].to_string());
    }
    assert_eq!(seen.len(), 12);
}

#[tokio::test]
async fn errors_of_settings_match_their_examples() {
    let app = TestApp::on_memory().await;
    let document = document(&app).await;
    let keyed = app.start_sibling(&[("auth.api_keys", "k")]).await;
    let limited = app
        .start_sibling(&[("rate_limit.creates_per_service", "10")])
        .await;
    for _ in 0..10 {
        limited.create("a=1").await;
    }
    let full = app.start_sibling(&[("memory.limit_mib", "1")]).await;
    let long = format!("a={}", "x".repeat(600 * 1024));
    full.create(&long).await;
    let taken = bookings::start_app(&app, &bookings::default_group_toml("CLUSTER", 1)).await;
    bookings::book_number(&taken, "").await;
    for request in [
        keyed.post(STORE),
        limited.post(STORE),
        full.post(STORE).form_body(&long),
        taken.post("/genesys/1/service/request-interaction"),
    ] {
        compare(&document, &TestResponse::send(request).await, "");
    }
}

#[tokio::test]
async fn backend_errors_match_their_examples() {
    let app = TestApp::on_memory().await;
    let document = document(&app).await;
    let silent = Backend::new(|_| MockResponse::Hang).await;
    let settings = [("backend.response_timeout_ms", "300")];
    for backend in [unreachable_url(), silent.url()] {
        let app =
            crate::support::backends::start_app(&app, &ors_service(&[&backend]), &settings).await;
        let response = TestResponse::send(app.post("/genesys/1/service/chat")).await;
        compare(&document, &response, "");
    }
}

#[tokio::test]
async fn store_errors_match_their_examples() {
    let redis = Arc::new(TestRedis::dedicated());
    let app = TestApp::start(Some(redis.clone()), &random_prefix(), &[]).await;
    let document = document(&app).await;
    let service = app.create("Key1=Value1").await;
    let keys = app.redis_keys("svc:*").await;
    let mut connection = redis.connection().await;
    let mut corrupt = redis::cmd("HSET");
    corrupt.arg(&keys[0]).arg("_bin:pic").arg("gibberish");
    corrupt.query_async::<()>(&mut connection).await.unwrap();
    let corrupt = app.get(&format!("{service}/storage/binary/pic"));
    compare(&document, &TestResponse::send(corrupt).await, &service);
    let shutdown = redis::cmd("SHUTDOWN").arg("NOSAVE").to_owned();
    drop(shutdown.query_async::<()>(&mut connection).await);
    // After the disconnect is detected, requests fail without being sent.
    let unavailable = crate::support::eventually("the store is unavailable", async || {
        let response = TestResponse::send(app.post(STORE).form_body("a=1")).await;
        response
            .text()
            .contains("the store is unavailable")
            .then_some(response)
    });
    compare(&document, &unavailable.await, "");
}
