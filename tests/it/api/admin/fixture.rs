//! Fixture of the tests of the admin API.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{Bodies, Multipart, TestApp, TestResponse, encode, random_prefix};

/// The admin password in tests.
pub(crate) const PASSWORD: &str = "correct horse";
/// Settings that enable the admin API.
pub(crate) const ADMIN_SETTINGS: [(&str, &str); 1] = [("admin.password", PASSWORD)];

/// An app with the admin API, on the same kind of store as `app`.
pub(crate) async fn start_admin(app: &TestApp) -> TestApp {
    start_admin_with(app, &[]).await
}

/// An app with the admin API and other settings, on the same kind of store as `app`.
pub(crate) async fn start_admin_with(app: &TestApp, others: &[(&str, &str)]) -> TestApp {
    let all = [&ADMIN_SETTINGS[..], others].concat();
    TestApp::start(app.redis.clone(), &random_prefix(), &all).await
}

/// Another replica of `app`.
pub(crate) async fn start_replica(app: &TestApp, others: &[(&str, &str)]) -> TestApp {
    let all = [&ADMIN_SETTINGS[..], others].concat();
    TestApp::start(app.redis.clone(), &app.prefix, &all).await
}

/// A request with the admin credentials; `path` is below `/genesys/1/admin/`.
pub(crate) fn request(app: &TestApp, method: Method, path: &str) -> RequestBuilder {
    let request = app.request(method, &format!("/genesys/1/admin/{path}"));
    request.basic_auth("admin", Some(PASSWORD))
}

pub(crate) async fn get(app: &TestApp, path: &str) -> TestResponse {
    TestResponse::send(request(app, Method::GET, path)).await
}

/// The JSON of a response. Panics unless the status is 200.
pub(crate) async fn get_json(app: &TestApp, path: &str) -> Value {
    let response = get(app, path).await;
    assert_eq!(response.status, 200, "{path}: {}", response.text());
    response.json()
}

/// Puts an entry without a precondition.
pub(crate) async fn put(app: &TestApp, path: &str, options: &Value) -> TestResponse {
    let request = request(app, Method::PUT, path);
    TestResponse::send(request.json_body(&options.to_string())).await
}

/// Puts an entry with `If-Match`.
pub(crate) async fn put_if_match(
    app: &TestApp,
    path: &str,
    etag: &str,
    options: &Value,
) -> TestResponse {
    let request = request(app, Method::PUT, path).header("if-match", etag);
    TestResponse::send(request.json_body(&options.to_string())).await
}

/// Creates an entry. Returns its `ETag`.
pub(crate) async fn create_entry(app: &TestApp, path: &str, options: &Value) -> String {
    let response = put(app, path, options).await;
    assert_eq!(response.status, 201, "{path}: {}", response.text());
    response.header("etag").to_owned()
}

/// Replaces an entry with `If-Match: *`. Returns its `ETag`.
pub(crate) async fn replace_entry(app: &TestApp, path: &str, options: &Value) -> String {
    let response = put_if_match(app, path, "*", options).await;
    assert_eq!(response.status, 200, "{path}: {}", response.text());
    response.header("etag").to_owned()
}

/// Deletes an entry with `If-Match: *`.
pub(crate) async fn delete_entry(app: &TestApp, path: &str) {
    let request = request(app, Method::DELETE, path).header("if-match", "*");
    TestResponse::send(request).await.assert_ok();
}

/// Imports a catalog: `PUT` replaces, `POST` merges.
pub(crate) async fn import(app: &TestApp, method: Method, etag: &str, text: &str) -> TestResponse {
    let request = request(app, method, "catalog").header("if-match", etag);
    TestResponse::send(request.typed_body("application/toml", text.as_bytes())).await
}

/// Options of a `store` service.
pub(crate) fn store_options() -> Value {
    json!({"_type": "builtin", "_service": "store"})
}

/// Options of an exclusive group.
pub(crate) fn exclusive_group_options(numbers: &[&str]) -> Value {
    json!({"_allocation_strategy": "LOCAL", "numbers": numbers})
}

/// Options of a `request-interaction` service.
pub(crate) fn request_interaction_options(group: &str) -> Value {
    json!({"_type": "builtin", "_service": "request-interaction", "_resource_group": group})
}

/// Creates the group `support` and the service definition `call`, which books its numbers. Returns the `ETag` of the
/// group.
pub(crate) async fn create_group_and_service(app: &TestApp, group: &Value) -> String {
    let etag = create_entry(app, "groups/support", group).await;
    let service = request_interaction_options("support");
    create_entry(app, "services/call", &service).await;
    etag
}

/// An app with the admin API, an exclusive group `support` and the service definition `call`, which books its numbers.
pub(crate) async fn start_with_group(app: &TestApp, numbers: &[&str]) -> TestApp {
    let app = start_admin(app).await;
    create_group_and_service(&app, &exclusive_group_options(numbers)).await;
    app
}

/// Creates a group with one number, a service definition that books it, and one with a password.
pub(crate) async fn create_pool_call_and_vault(app: &TestApp) {
    let pool = exclusive_group_options(&["8005550001"]);
    create_entry(app, "groups/pool", &pool).await;
    create_entry(app, "services/call", &request_interaction_options("pool")).await;
    let mut vault = store_options();
    vault["password"] = json!("hunter2");
    create_entry(app, "services/vault", &vault).await;
}

/// Creates a service of `jane` with a string, a file and an access number.
pub(crate) async fn create_service_with_file_and_booking(app: &TestApp) -> TestResponse {
    let body =
        Multipart::new()
            .text("language", "french")
            .file("map", "map.png", "image/png", b"bytes");
    let create = app.post("/genesys/1/service/request-interaction");
    let create = create.header("gms_user", "jane").multipart_body(body);
    TestResponse::send(create).await
}

/// Creates a service from the configured service `name`.
pub(crate) async fn create_service(app: &TestApp, name: &str) -> TestResponse {
    TestResponse::send(app.post(&format!("/genesys/1/service/{}", encode(name)))).await
}

/// Creates a service with a form.
pub(crate) async fn create_service_with(app: &TestApp, name: &str, form: &str) -> TestResponse {
    let request = app.post(&format!("/genesys/1/service/{}", encode(name)));
    TestResponse::send(request.form_body(form)).await
}

/// The actors of the events of an audit log.
pub(crate) fn actors(log: &Value) -> Vec<&Value> {
    let events = log["events"].as_array().unwrap().iter();
    events.map(|event| &event["actor"]).collect()
}

/// Action, kind and name of all audit events, newest first.
pub(crate) async fn audit_actions(app: &TestApp) -> Vec<String> {
    let history = get_json(app, "audit-log?limit=200").await;
    let events = history["events"].as_array().unwrap().iter();
    let action = |event: &Value| {
        let text = |member: &str| event[member].as_str().unwrap().to_owned();
        [text("action"), text("kind"), text("name")].join(" ")
    };
    events.map(action).collect()
}
