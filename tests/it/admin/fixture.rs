//! What the tests of the administration are made of.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{Bodies, TestApp, TestResponse, encode, random_prefix};

/// The password of the administration in tests.
pub(crate) const PASSWORD: &str = "correct horse";
/// Turns the administration on.
pub(crate) const ADMIN_SETTINGS: [(&str, &str); 1] = [("admin.password", PASSWORD)];

/// A service beside `app`, on a store of the same kind, with an administration.
pub(crate) async fn start_admin(app: &TestApp) -> TestApp {
    start_admin_with(app, &[]).await
}

/// The same with other settings beside.
pub(crate) async fn start_admin_with(app: &TestApp, others: &[(&str, &str)]) -> TestApp {
    let all = [&ADMIN_SETTINGS[..], others].concat();
    TestApp::start(app.redis.clone(), &random_prefix(), &all).await
}

/// Another replica of it.
pub(crate) async fn start_replica(app: &TestApp, others: &[(&str, &str)]) -> TestApp {
    let all = [&ADMIN_SETTINGS[..], others].concat();
    TestApp::start(app.redis.clone(), &app.prefix, &all).await
}

/// A request of an operator, `path` below the administration.
pub(crate) fn request(app: &TestApp, method: Method, path: &str) -> RequestBuilder {
    let request = app.request(method, &format!("/genesys/1/admin/{path}"));
    request.basic_auth("admin", Some(PASSWORD))
}

pub(crate) async fn get(app: &TestApp, path: &str) -> TestResponse {
    TestResponse::send(request(app, Method::GET, path)).await
}

/// What a 200 tells.
pub(crate) async fn get_json(app: &TestApp, path: &str) -> Value {
    let answer = get(app, path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

/// Puts an entry without saying which state is replaced.
pub(crate) async fn put(app: &TestApp, path: &str, options: &Value) -> TestResponse {
    let request = request(app, Method::PUT, path);
    TestResponse::send(request.json_body(&options.to_string())).await
}

/// Puts an entry in place of the state `etag`.
pub(crate) async fn put_if_match(
    app: &TestApp,
    path: &str,
    etag: &str,
    options: &Value,
) -> TestResponse {
    let request = request(app, Method::PUT, path).header("if-match", etag);
    TestResponse::send(request.json_body(&options.to_string())).await
}

/// Makes an entry; gives its `ETag`.
pub(crate) async fn create_entry(app: &TestApp, path: &str, options: &Value) -> String {
    let answer = put(app, path, options).await;
    assert_eq!(answer.status, 201, "{path}: {}", answer.text());
    answer.header("etag").to_owned()
}

/// Replaces an entry, whatever its state; gives its `ETag`.
pub(crate) async fn replace_entry(app: &TestApp, path: &str, options: &Value) -> String {
    let answer = put_if_match(app, path, "*", options).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.header("etag").to_owned()
}

/// Deletes an entry, whatever its state.
pub(crate) async fn delete_entry(app: &TestApp, path: &str) {
    let request = request(app, Method::DELETE, path).header("if-match", "*");
    TestResponse::send(request).await.assert_ok();
}

/// Imports a catalogue; `method` says what becomes of what it does not have.
pub(crate) async fn import(app: &TestApp, method: Method, etag: &str, text: &str) -> TestResponse {
    let request = request(app, method, "catalog").header("if-match", etag);
    TestResponse::send(request.typed_body("application/toml", text.as_bytes())).await
}

/// A service of plain storage.
pub(crate) fn store_options() -> Value {
    json!({"_type": "builtin", "_service": "store"})
}

/// A group that holds numbers for one service at a time.
pub(crate) fn exclusive_group_options(numbers: &[&str]) -> Value {
    json!({"_allocation_strategy": "LOCAL", "numbers": numbers})
}

/// A service that gives out numbers of a group.
pub(crate) fn request_interaction_options(group: &str) -> Value {
    json!({"_type": "builtin", "_service": "request-interaction", "_resource_group": group})
}

/// Creates a service from the configured service `name`.
pub(crate) async fn create_service(app: &TestApp, name: &str) -> TestResponse {
    TestResponse::send(app.post(&format!("/genesys/1/service/{}", encode(name)))).await
}

/// A form of it.
pub(crate) async fn create_service_with(app: &TestApp, name: &str, form: &str) -> TestResponse {
    let request = app.post(&format!("/genesys/1/service/{}", encode(name)));
    TestResponse::send(request.form_body(form)).await
}

/// The whole history, newest first: action, kind and name of each.
pub(crate) async fn audit_actions(app: &TestApp) -> Vec<String> {
    let history = get_json(app, "audit-log?limit=200").await;
    let events = history["events"].as_array().unwrap().iter();
    let deed = |event: &Value| {
        let text = |member: &str| event[member].as_str().unwrap().to_owned();
        [text("action"), text("kind"), text("name")].join(" ")
    };
    events.map(deed).collect()
}
