//! The readiness of a service, as `/readyz` has it.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::sleep;

use super::{TIMEOUT, TestApp, TestResponse};

/// Status and body.
pub(crate) async fn readiness(app: &TestApp) -> (u16, Value) {
    let request = app.get("/readyz").header("accept", "application/json");
    let answer = TestResponse::send(request).await;
    (answer.status.as_u16(), answer.json())
}

/// Waits until the main reason is `reason`; gives status and body.
pub(crate) async fn wait_for_reason(app: &TestApp, reason: &str) -> (u16, Value) {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let (status, body) = readiness(app).await;
        if body["reason"] == reason {
            return (status, body);
        }
        assert!(Instant::now() < deadline, "it never was {reason}: {body}");
        sleep(Duration::from_millis(20)).await;
    }
}
