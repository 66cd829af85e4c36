//! `Accept` for the resource that has two representations.

use crate::support::{TestApp, TestResponse};

#[tokio::test]
async fn accept_selects_json_or_plain_text() {
    let app = TestApp::on_memory().await;
    let service = app.create("Key1=Value1").await;
    let key = format!("{service}/storage/Key1");
    for (accept, is_text) in [
        ("text/plain", true),
        ("TEXT/PLAIN", true),
        ("text/*", true),
        ("text/plain;charset=utf-8", true),
        ("text/plain;q=0, */*", false),
        ("*/*, text/plain;q=0.5", false),
        ("*/*", false),
        ("application/json, text/plain, */*", false),
        ("image/png", false),
    ] {
        let response = TestResponse::send(app.get(&key).header("accept", accept)).await;
        assert_eq!(response.status, 200, "{accept}");
        let expected = if is_text {
            "Value1"
        } else {
            "{\"Key1\":\"Value1\"}"
        };
        assert_eq!(response.text(), expected, "{accept}");
    }
}
