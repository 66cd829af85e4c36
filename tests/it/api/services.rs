//! Contract sections 2 and 4: creation and description of services.

use jiff::Timestamp;
use serde_json::json;

use super::expiry::CLOCK_TOLERANCE;
use crate::support::{Bodies, Multipart, TestApp, TestResponse, on_every_kind_of_store};

pub(crate) const STORE: &str = "/genesys/1/service/store";

on_every_kind_of_store!(
    a_service_is_created_with_its_data,
    every_kind_of_body_creates_the_same_service,
    a_create_without_a_body_creates_an_empty_service,
    the_create_response_begins_with_the_id_and_contains_strings_only,
    two_services_share_nothing,
    the_description_of_a_service_contains_no_values,
    the_description_of_an_empty_service_has_all_members,
    a_name_that_is_not_configured_creates_nothing,
    an_unknown_id_is_not_found_in_any_format,
    responses_are_not_cacheable,
    unknown_headers_are_ignored,
);

async fn a_service_is_created_with_its_data(app: TestApp) {
    let service = app.create("Key1=Value1&_ttl=60").await;
    let answer = TestResponse::send(app.get(&format!("{service}/storage"))).await;
    assert_eq!(answer.text(), r#"{"Key1":"Value1"}"#);
}

async fn every_kind_of_body_creates_the_same_service(app: TestApp) {
    let multipart = Multipart::new().text("Key1", "Value1").text("Key2", "2");
    let by_query = format!("{STORE}?Key1=Value1&Key2=2");
    for request in [
        app.post(STORE).form_body("Key1=Value1&Key2=2"),
        app.post(STORE).json_body(r#"{"Key1":"Value1","Key2":2}"#),
        app.post(STORE).multipart_body(multipart),
        app.post(&by_query),
        app.get(&by_query),
    ] {
        let service = TestResponse::send(request).await.service_id();
        let expected = json!({"Key1": "Value1", "Key2": "2"});
        assert_eq!(app.storage(&service).await, expected);
    }
}

async fn a_create_without_a_body_creates_an_empty_service(app: TestApp) {
    for request in [app.post(STORE), app.get(STORE)] {
        let service = TestResponse::send(request).await.service_id();
        assert_eq!(app.storage(&service).await, json!({}));
    }
}

async fn the_create_response_begins_with_the_id_and_contains_strings_only(app: TestApp) {
    let request = app.post(STORE).json_body(r#"{"Key1":1,"_ttl":60}"#);
    let answer = TestResponse::send(request).await;
    assert!(answer.text().starts_with(r#"{"_id":""#), "{answer:?}");
    let json = answer.json();
    assert!(
        json.as_object()
            .unwrap()
            .values()
            .all(serde_json::Value::is_string)
    );
    let id = uuid::Uuid::parse_str(json["_id"].as_str().unwrap()).unwrap();
    assert_eq!(id.get_version_num(), 4);
}

async fn two_services_share_nothing(app: TestApp) {
    let (one, other) = (app.create("Key1=1").await, app.create("Key1=2").await);
    assert_ne!(one, other);
    assert_eq!(app.storage(&one).await, json!({"Key1": "1"}));
    assert_eq!(app.storage(&other).await, json!({"Key1": "2"}));
}

async fn the_description_of_a_service_contains_no_values(app: TestApp) {
    let multipart = Multipart::new()
        .text("Key1", "Value1")
        .text("_ttl", "60")
        .text("Key2", "Value2")
        .file("photo", "me.png", "image/png", b"12345");
    let before = Timestamp::now().as_millisecond();
    let service = TestResponse::send(app.post(STORE).multipart_body(multipart)).await;
    let after = (Timestamp::now() + CLOCK_TOLERANCE).as_millisecond();
    let service = service.service_id();

    let answer = TestResponse::send(app.get(&service)).await;
    assert!(!answer.text().contains("Value"), "{answer:?}");
    let mut description = answer.json();
    assert!(service.ends_with(description["_id"].as_str().unwrap()));
    assert_eq!(description["_service"], "store");
    let created = millis(&description["_created"]);
    assert!((before..=after).contains(&created), "{description}");
    assert_eq!(millis(&description["_expiration_time"]), created + 60_000);
    assert!((50..=60).contains(&description["_ttl"].as_i64().unwrap()));
    let keys = description["_keys"].as_array_mut().unwrap();
    keys.sort_by_key(ToString::to_string);
    assert_eq!(description["_keys"], json!(["Key1", "Key2"]));
    let photo = json!([{
        "name": "photo", "content_type": "image/png", "file_name": "me.png", "size": 5,
    }]);
    assert_eq!(description["_binaries"], photo);
}

/// Parses a time in ISO 8601, in UTC with milliseconds, to milliseconds since 1970.
pub(crate) fn millis(time: &serde_json::Value) -> i64 {
    let text = time.as_str().unwrap();
    let parsed: Timestamp = text.parse().unwrap();
    assert_eq!(text, format!("{parsed:.3}"));
    parsed.as_millisecond()
}

async fn the_description_of_an_empty_service_has_all_members(app: TestApp) {
    let description = app.get_service(&app.create("").await).await;
    assert_eq!(
        (&description["_keys"], &description["_binaries"]),
        (&json!([]), &json!([]))
    );
    let mut members: Vec<&String> = description.as_object().unwrap().keys().collect();
    members.sort();
    let all = [
        "_binaries",
        "_created",
        "_expiration_time",
        "_id",
        "_keys",
        "_service",
        "_ttl",
    ];
    assert_eq!(members, all);
}

async fn a_name_that_is_not_configured_creates_nothing(app: TestApp) {
    for name in ["request-nothing", "Store", "store%20", "_id", "%C3%A9"] {
        let path = format!("/genesys/1/service/{name}");
        let answer = TestResponse::send(app.post(&path).form_body("a=1")).await;
        answer.error_message("ServiceNotFound", 404);
    }
    let message = TestResponse::send(app.post("/genesys/1/service/request-nothing")).await;
    let message = message.error_message("ServiceNotFound", 404);
    assert!(message.contains("request-nothing"), "{message}");
}

async fn an_unknown_id_is_not_found_in_any_format(app: TestApp) {
    for id in [
        "39a98e24-b03b-4191-b756-1efe8f3b16b8",
        "7d-QXH0-1",
        "a%20b",
        "%C3%A9%2F..",
        "%7B%7D%3A*",
    ] {
        let service = format!("/genesys/1/service/{id}");
        for request in [
            app.get(&service),
            app.put(&service).json_body(r#"{"ttl":1}"#),
            app.delete(&service),
            app.get(&format!("{service}/storage")),
            app.get(&format!("{service}/storage/Key1")),
            app.get(&format!("{service}/storage/_key")),
            app.get(&format!("{service}/storage/binary/Key1")),
            app.post(&format!("{service}/storage")).form_body("a=1"),
            app.post(&format!("{service}/storage")),
            app.delete(&format!("{service}/storage/Key1")),
            app.delete(&format!("{service}/storage")),
            app.post(&format!("{service}/update")).form_body("a=1"),
            app.post(&format!("{service}/ixn/chat/send")),
        ] {
            let answer = TestResponse::send(request).await;
            let message = answer.error_message("ServiceNotFound", 404);
            assert!(message.contains("service"), "{message}");
        }
    }
}

async fn responses_are_not_cacheable(app: TestApp) {
    const JSON: &str = "application/json;charset=utf-8";
    const TEXT: &str = "text/plain;charset=utf-8";
    let picture = Multipart::new().file("pic", "p.png", "image/png", b"1");
    let service = app.create("Key1=Value1").await;
    let storage = format!("{service}/storage");
    let key = format!("{storage}/Key1");
    for (request, kind) in [
        (app.post(STORE), JSON),
        (app.get(&service), JSON),
        (app.get(&storage), JSON),
        (app.get(&key), JSON),
        (app.get(&key).header("accept", "text/plain"), TEXT),
        // A response without a body has no content type.
        (app.post(&storage).multipart_body(picture), ""),
        (app.get(&format!("{storage}/binary/pic")), "image/png"),
        (app.get(&format!("{storage}/nothing")), JSON),
        (app.get("/nowhere"), JSON),
        (app.request(reqwest::Method::PATCH, &service), JSON),
        (app.put(&service).form_body("ttl=60"), ""),
        (app.delete(&key), TEXT),
        (app.delete(&service), TEXT),
    ] {
        let answer = TestResponse::send(request).await;
        assert_eq!(answer.header("content-type"), kind, "{answer:?}");
        assert_eq!(answer.header("cache-control"), "no-cache, no-store");
        assert_eq!(answer.header("pragma"), "no-cache");
    }
}

async fn unknown_headers_are_ignored(app: TestApp) {
    let request = app.post(STORE).form_body("Key1=Value1");
    let request = request
        .header("gms_user", "agent 7 <é>")
        .header("GMS-Host", "elsewhere")
        .header("Accept", "image/*;q=0")
        .header("Authorization", "Basic bm90Om1pbmU=")
        .header("X-Unknown", "1");
    let service = TestResponse::send(request).await.service_id();
    assert_eq!(app.storage(&service).await, json!({"Key1": "Value1"}));
}
