//! The readiness of a service, from `/readyz`.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::sleep;

use super::{TIMEOUT, TestApp, TestResponse};

/// Status and body.
pub(crate) async fn readiness(app: &TestApp) -> (u16, Value) {
    let request = app.get("/readyz").header("accept", "application/json");
    let response = TestResponse::send(request).await;
    (response.status.as_u16(), response.json())
}

/// The names of all reasons in the body.
pub(crate) fn reasons(body: &Value) -> Vec<&str> {
    let all = body["reasons"].as_array().unwrap();
    let names = all.iter().map(|reason| reason["reason"].as_str().unwrap());
    names.collect()
}

/// Waits until the main reason is `reason`; returns status and body.
pub(crate) async fn wait_for_reason(app: &TestApp, reason: &str) -> (u16, Value) {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let (status, body) = readiness(app).await;
        if body["reason"] == reason {
            return (status, body);
        }
        assert!(
            Instant::now() < deadline,
            "timed out: reason {reason}: {body}"
        );
        sleep(Duration::from_millis(20)).await;
    }
}
