//! The client operations of the OpenAPI document against the implementation.

use reqwest::{Method, StatusCode};

use super::document;
use crate::support::{Bodies, TestApp, TestResponse, bookings, encode};

#[tokio::test]
async fn numeric_ranges_match_the_allowed_values() {
    let app = TestApp::on_memory().await;
    let app = bookings::start_app(&app, &bookings::default_group_toml("RANDOM", 9)).await;
    let document = document(&app).await;
    let service = app.create("a=1").await;
    let call = "/genesys/1/service/request-interaction";
    let in_body = "/requestBody/content/application~1json/schema/properties";
    let mut checked = 0;
    for (method, path) in [(Method::POST, call), (Method::PUT, &service)] {
        let operation = method.as_str().to_lowercase();
        let pointer = format!("/paths/~1genesys~11~1service~1{{service}}/{operation}{in_body}");
        for (name, schema) in document.pointer(&pointer).unwrap().as_object().unwrap() {
            let Some(low) = schema["minimum"].as_u64() else {
                continue;
            };
            let high = schema["maximum"].as_u64().unwrap();
            let expected = format!("expected an integer from {low} to {high}");
            for (value, allowed) in [
                (low, true),
                (high, true),
                (low - 1, false),
                (high + 1, false),
            ] {
                let form = format!("{name}={value}&_provide_code=true");
                let response =
                    TestResponse::send(app.request(method.clone(), path).form_body(&form)).await;
                assert_eq!(
                    response.status == StatusCode::OK,
                    allowed,
                    "{form}: {}",
                    response.text()
                );
                assert!(
                    allowed || response.text().contains(&expected),
                    "{form}: {}",
                    response.text()
                );
            }
            checked += 1;
        }
    }
    assert_eq!(checked, 4);
}

#[tokio::test]
async fn body_examples_are_valid() {
    let app = TestApp::on_memory().await;
    let document = document(&app).await;
    let examples = "/paths/~1genesys~11~1service~1{service}/post/requestBody/content/application~1json/examples";
    let examples = document.pointer(examples).unwrap().as_object().unwrap();
    let mut id = String::new();
    for name in [
        "store",
        "request-interaction",
        "request-access",
        "match-interaction",
    ] {
        let example = examples[name]["value"].to_string();
        let body = example.replace("39a98e24-b03b-4191-b756-1efe8f3b16b8", &id);
        let path = format!("/genesys/1/service/{}", encode(name));
        let create = app
            .post(&path)
            .header("content-type", "application/json")
            .body(body);
        let response = TestResponse::send(create).await;
        assert_eq!(
            response.status,
            StatusCode::OK,
            "{name}: {}",
            response.text()
        );
        if let Some(created) = response.json()["_id"].as_str() {
            id = created.to_owned();
        }
    }
    assert_eq!(examples.len(), 4);
}
