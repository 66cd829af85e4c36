//! What the program tells about itself. Its counts, its log and its traces belong to a process, so these
//! tests run the program.

use std::net::SocketAddr;

use reqwest::{Client, Method, StatusCode};

mod log;
mod metrics;
mod secrets;
mod traces;

/// One request; its status.
async fn request(address: SocketAddr, method: Method, path: &str) -> StatusCode {
    let url = format!("http://{address}{path}");
    let answer = Client::new().request(method, url).send().await.unwrap();
    let status = answer.status();
    answer.bytes().await.unwrap();
    status
}

/// Creates a service; its path.
async fn create(address: SocketAddr, definition: &str, form: &str) -> String {
    let url = format!("http://{address}/genesys/1/service/{definition}");
    let create = Client::new().post(url).body(form.to_owned());
    let create = create.header("content-type", "application/x-www-form-urlencoded");
    let answer = create.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let json: serde_json::Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    format!("/genesys/1/service/{}", json["_id"].as_str().unwrap())
}
