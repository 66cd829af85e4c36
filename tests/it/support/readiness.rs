//! The readiness of a service, as `/readyz` has it.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::sleep;

use super::{Answer, PATIENCE, TestApp};

/// Status and body.
pub(crate) async fn readiness(app: &TestApp) -> (u16, Value) {
    let request = app.get("/readyz").header("accept", "application/json");
    let answer = Answer::of(request).await;
    (answer.status.as_u16(), answer.json())
}

/// Waits until the main reason is `reason`; gives status and body.
pub(crate) async fn reason_is(app: &TestApp, reason: &str) -> (u16, Value) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (status, body) = readiness(app).await;
        if body["reason"] == reason {
            return (status, body);
        }
        assert!(Instant::now() < deadline, "it never was {reason}: {body}");
        sleep(Duration::from_millis(20)).await;
    }
}
