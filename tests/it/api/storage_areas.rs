//! The Storage API: storage areas, and the storage of services under the ids of the services.

use reqwest::{RequestBuilder, StatusCode};

use crate::support::{Bodies, Multipart, TestApp, TestResponse, encode};

mod access;
mod binaries;
mod clients;
mod credentials;
mod custom_ids;
mod errors;
mod hidden_ids;
mod idempotency;
mod services;
mod telemetry;
mod ttl;

pub(crate) const STORAGE: &str = "/genesys/1/storage";

/// The path of a storage area.
fn area_path(id: &str) -> String {
    format!("{STORAGE}/{}", encode(id))
}

/// The path of a binary of a storage area.
fn binary_path(id: &str, key: &str) -> String {
    format!("{STORAGE}/binary/{}/{}", encode(id), encode(key))
}

/// The request with the header `gms_user`; without it if `user` is empty.
fn as_user(request: RequestBuilder, user: &str) -> RequestBuilder {
    if user.is_empty() {
        return request;
    }
    request.header("gms_user", user)
}

/// Asserts the response to a create or a write: an id and nothing else. Returns the id.
fn written_id(answer: &TestResponse) -> String {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let json = answer.json();
    assert_eq!(json.as_object().unwrap().len(), 1, "{json}");
    json["id"].as_str().unwrap().to_owned()
}

/// Creates a storage area with a form. Returns its id.
async fn create_area(app: &TestApp, form: &str) -> String {
    let request = app.post(&format!("{STORAGE}/600")).form_body(form);
    written_id(&TestResponse::send(request).await)
}

/// Writes a form to the storage `id` as `user`.
async fn write_as(app: &TestApp, user: &str, id: &str, form: &str) -> TestResponse {
    let request = app.post(&format!("{}/600", area_path(id)));
    TestResponse::send(as_user(request, user).form_body(form)).await
}

/// Reads all strings of the storage `id` as `user`.
async fn read_as(app: &TestApp, user: &str, id: &str) -> TestResponse {
    TestResponse::send(as_user(app.get(&area_path(id)), user)).await
}

/// Asserts that `user` finds no storage `id`.
async fn assert_not_found(app: &TestApp, user: &str, id: &str) {
    let answer = read_as(app, user, id).await;
    answer.error_message("ServiceNotFound", 404);
}

fn picture(content: &[u8]) -> Multipart {
    Multipart::new().file("picture", "me.png", "image/png", content)
}
