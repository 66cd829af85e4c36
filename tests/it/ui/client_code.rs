//! The client code of the page *API reference*.

use std::process::Command;

use reqwest::Url;
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use super::fixture::{AdminSession, between, unescaped};
use crate::{
    api::{
        admin::fixture::{ADMIN_SETTINGS, PASSWORD},
        chat::agents::fixture::hash,
    },
    support::{TestApp, TestResponse, random_prefix},
};

mod runs;

/// The languages, with the text before a URL and after it.
const LANGUAGES: [(&str, &str, &str); 4] = [
    ("curl", "", "\n"),
    ("python", "urllib.request.Request(\n    \"", "\""),
    ("javascript", "fetch(\"", "\""),
    ("java", "URI.create(\"", "\""),
];

/// The client code of an operation; `key` is its language, with `-file` for the request with a file.
fn code(page: &str, key: &str, operation: &str) -> Option<String> {
    let start = format!("<pre id=\"code-{key}-{operation}\">");
    page.contains(&start)
        .then(|| unescaped(between(page, &start, "</pre>")))
}

/// The path and the query of the URL in the code of a request.
fn path_in_code<'a>(text: &'a str, start: &str, end: &str, base_url: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("{start}{base_url}")).unwrap();
    let (path, _) = rest.split_once(end).unwrap_or((rest, ""));
    // In a shell, further arguments are on other lines, and a URL with a query is quoted.
    path.trim_end_matches([' ', '\\']).trim_end_matches('\'')
}

/// The operations of the description, with their paths.
async fn operations(app: &TestApp) -> Vec<(String, Value)> {
    let document = TestResponse::send(app.get("/openapi.json")).await.json();
    let paths = document["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, item)| {
        let operations = item.as_object().unwrap().values();
        operations.map(|operation| (path.clone(), operation.clone()))
    });
    operations.collect()
}

/// The page of an app that serves all operations.
async fn start() -> (TestApp, String) {
    let users = format!("ann:{}", hash("secret"));
    let settings = [ADMIN_SETTINGS[0], ("agents.users", users.as_str())];
    let app = TestApp::start(None, &random_prefix(), &settings).await;
    let page = AdminSession::sign_in(&app).await.page("/api").await;
    (app, page)
}

/// Checks that a URL has all segments of the path of an operation, and its query parameters.
fn check_url(text: &str, path: &str, operation: &Value) {
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%:/?&=".contains(&byte);
    assert!(text.bytes().all(is_valid), "{text}");
    let url = Url::parse(text).unwrap();
    assert_eq!(url.as_str(), text);
    let segments: Vec<&str> = url.path().split('/').collect();
    let described: Vec<&str> = path.split('/').collect();
    assert_eq!(segments.len(), described.len(), "{text} of {path}");
    for (segment, described) in segments.iter().zip(described) {
        assert!(!segment.is_empty() || described.is_empty(), "{text}");
        assert!(
            described.starts_with('{') || *segment == described,
            "{text}"
        );
    }
    for (name, value) in url.query_pairs() {
        let parameter = parameters(operation, "query");
        let mut parameter = parameter.filter(|parameter| parameter["name"] == *name);
        let example = parameter.next().unwrap()["example"].clone();
        let example = example.as_str().map_or(example.to_string(), str::to_owned);
        assert_eq!(value, example, "{text}");
    }
}

/// The parameters in this location that have an example.
fn parameters<'a>(operation: &'a Value, location: &str) -> impl Iterator<Item = &'a Value> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    parameters
        .filter(move |parameter| parameter["in"] == *location && !parameter["example"].is_null())
}

#[tokio::test]
async fn every_operation_has_code_with_the_examples_of_the_description() {
    let (app, page) = start().await;
    for (path, operation) in operations(&app).await {
        let id = operation["operationId"].as_str().unwrap();
        let content = &operation["requestBody"]["content"];
        let with_file = &content["multipart/form-data"]["example"]["MyPic.png"];
        let binary = &operation["responses"]["200"]["content"]["application/octet-stream"];
        for (language, start, end) in LANGUAGES {
            let text = code(&page, language, id).unwrap();
            let found = path_in_code(&text, start, end, &app.url(""));
            check_url(&app.url(found), &path, &operation);
            for header in parameters(&operation, "header") {
                let name = header["name"].as_str().unwrap();
                // With it, a create fails.
                let is_used = name != "If-Match" || operation["responses"]["201"].is_null();
                assert_eq!(text.contains(name), is_used, "{id}: {name}: {text}");
            }
            let types = content.as_object().into_iter().flatten();
            let types: Vec<&String> = types.map(|(content_type, _)| content_type).collect();
            let has_type = types.iter().any(|name| text.contains(name.as_str()));
            assert_eq!(has_type, !types.is_empty(), "{id}: {text}");
            let writes_file = ["-o MyPic.png", "copyfileobj", "writeFile", "ofFile"];
            let writes_file = writes_file.iter().any(|word| text.contains(word));
            assert_eq!(writes_file, !binary.is_null(), "{id}: {text}");
            let with_file_code = code(&page, &format!("{language}-file"), id);
            assert_eq!(with_file_code.is_some(), with_file.is_string(), "{id}");
        }
    }
}

#[tokio::test]
async fn headers_and_bodies_depend_on_the_operation() {
    let (_app, page) = start().await;
    let curl = |operation: &str| code(&page, "curl", operation).unwrap();
    let create = curl("createService");
    assert!(create.contains("/service/store "), "{create}");
    assert!(create.contains("\"_ttl\": 3600"), "{create}");
    assert!(create.contains("-H 'gms_user: ada'"), "{create}");
    assert!(create.contains("-H \"Idempotency-Key: $("), "{create}");
    for operation in ["deleteGroup", "deleteConfiguredService", "mergeCatalog"] {
        let change = curl(operation);
        assert!(change.contains("-H 'If-Match: *'"), "{change}");
    }
    assert!(curl("mergeCatalog").contains("application/toml"));
    let resend = curl("resendDeadLetters");
    assert!(resend.contains("/services%2Fshop/"), "{resend}");
    assert!(!resend.contains("since"), "{resend}");
    let quarantine = curl("quarantineNumber");
    assert!(quarantine.contains("%2B1%20800%20"), "{quarantine}");
    assert!(curl("exchangeCometMessages").contains("/meta/handshake"));
    for operation in ["deleteService", "setExpiration"] {
        let text = curl(operation);
        assert!(text.contains("/service/39a98e24-"), "{text}");
    }
    let head = curl("headBinary");
    assert!(head.starts_with("curl -I "), "{head}");
    let stream = curl("streamChat");
    assert!(stream.starts_with("curl -N -X GET "), "{stream}");
}
