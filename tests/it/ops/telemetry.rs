//! Telemetry: log, metrics and traces. They belong to a process, so these tests run the program.

use std::net::SocketAddr;

use reqwest::{Client, Method, StatusCode};

mod log;
mod metrics;
mod open_metrics;
mod secrets;
mod traces;

/// Sends one request and returns its status.
async fn request(address: SocketAddr, method: Method, path: &str) -> StatusCode {
    let url = format!("http://{address}{path}");
    let response = Client::new().request(method, url).send().await.unwrap();
    let status = response.status();
    response.bytes().await.unwrap();
    status
}

/// Creates a service and returns its path.
async fn create(address: SocketAddr, definition: &str, form: &str) -> String {
    let url = format!("http://{address}/genesys/1/service/{definition}");
    let create = Client::new().post(url).body(form.to_owned());
    let create = create.header("content-type", "application/x-www-form-urlencoded");
    let response = create.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let json: serde_json::Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    format!("/genesys/1/service/{}", json["_id"].as_str().unwrap())
}
