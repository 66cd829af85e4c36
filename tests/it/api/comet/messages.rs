//! Messages of the Bayeux protocol: bodies, channels and errors.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::fixture::{CometSession, PATH, exchange, post};
use crate::support::{Bodies, TestApp, TestResponse, on_redis_only};

on_redis_only!(
    other_messages_of_a_handshake_are_ignored,
    bodies_have_many_forms,
    all_paths_below_are_one_endpoint,
    channels_of_subscriptions_are_checked,
    malformed_messages_have_error_replies,
    large_bodies_are_rejected,
    connect_with_other_messages_does_not_wait,
    unsupported_connection_types_are_rejected,
);

/// Longer than a connect that does not wait takes.
const TIMEOUT: Duration = Duration::from_secs(20);

async fn other_messages_of_a_handshake_are_ignored(app: TestApp) {
    let messages = json!([
        {"channel": "/meta/subscribe", "subscription": "/_genesys"},
        {"channel": "/meta/handshake", "version": "1.0"},
        {"channel": "/meta/connect"},
    ]);
    let replies = exchange(&app, "", &messages).await;
    assert_eq!(replies.len(), 1, "{replies:?}");
    assert_eq!(replies[0]["channel"], "/meta/handshake");
}

async fn bodies_have_many_forms(app: TestApp) {
    let message = json!({"channel": "/meta/disconnect", "id": "a&b"}).to_string();
    let encoded = crate::support::encode(&message);
    for (kind, body, replies) in [
        ("application/json", message.clone(), 1),
        ("application/json;charset=UTF-8", format!("[{message}]"), 1),
        (
            "text/json;charset=UTF-8",
            format!("[{message},{message}]"),
            2,
        ),
        ("text/plain", message.clone(), 1),
        ("application/json", format!("\u{feff} {message}"), 1),
        ("application/json", "[]".to_owned(), 0),
        (
            "application/x-www-form-urlencoded",
            format!("message={encoded}"),
            1,
        ),
        (
            "application/x-www-form-urlencoded",
            format!("other=1&message={encoded}&message=%5B{encoded}%5D"),
            2,
        ),
        // JSON labeled as a form.
        (
            "application/x-www-form-urlencoded",
            format!("[{message}]"),
            1,
        ),
    ] {
        let request = app.post(PATH).typed_body(kind, body.as_bytes());
        let response = TestResponse::send(request).await;
        assert_eq!(response.status, StatusCode::OK, "{body}");
        let json = response.json();
        let all = json.as_array().unwrap();
        assert_eq!(all.len(), replies, "{kind} {body}: {json}");
        for reply in all {
            assert_eq!(reply["successful"], true, "{kind} {body}: {json}");
            assert_eq!(reply["id"], "a&b", "{kind} {body}: {json}");
        }
    }
}

async fn all_paths_below_are_one_endpoint(app: TestApp) {
    for below in ["", "/", "/handshake", "/a/b/c", "/connect?x=1"] {
        let path = format!("{PATH}{below}");
        let handshake = json!({"channel": "/meta/handshake"}).to_string();
        let response = TestResponse::send(app.post(&path).json_body(&handshake)).await;
        assert_eq!(response.json()[0]["successful"], true, "{path}");
        let refused = TestResponse::send(app.request(Method::PUT, &path)).await;
        refused.error_message("MethodNotAllowed", 405);
        let no_upgrade = TestResponse::send(app.get(&path)).await;
        no_upgrade.error_message("MethodNotAllowed", 405);
    }
    let other = TestResponse::send(app.post(&format!("{PATH}x"))).await;
    other.error_message("NotFound", 404);
}

async fn channels_of_subscriptions_are_checked(app: TestApp) {
    let session = CometSession::handshake(&app, "ann", false).await;
    for (subscription, is_valid) in [
        (json!("/_genesys"), true),
        (json!(["/_genesys", "/other/*", "/**"]), true),
        (json!("/service/chat/180-92e0f9e6"), true),
        (json!("genesys"), false),
        (json!(""), false),
        (json!([]), false),
        (json!(["/a", 1]), false),
        (json!({}), false),
        (json!(vec!["/a"; 101]), false),
        (Value::Null, false),
    ] {
        for channel in ["/meta/subscribe", "/meta/unsubscribe"] {
            let members = json!({"subscription": subscription});
            let reply = session.send(&app, channel, members).await.remove(0);
            assert_eq!(reply["channel"], channel);
            assert_eq!(reply["successful"], is_valid, "{reply}");
            if is_valid {
                assert_eq!(reply["subscription"], subscription);
            } else {
                assert_eq!(reply["error"], "400::subscription_invalid");
            }
        }
    }
}

async fn malformed_messages_have_error_replies(app: TestApp) {
    let many: Vec<Value> = vec![json!({}); 101];
    for body in [
        "",
        "null",
        "7",
        "\"a\"",
        "{",
        "[{]",
        &json!(many).to_string(),
        "\u{0}",
    ] {
        let response = TestResponse::send(app.post(PATH).json_body(body)).await;
        assert_eq!(response.status, StatusCode::OK, "{body}");
        let reply = &response.json()[0];
        assert_eq!(reply["successful"], false, "{body}");
        let error = reply["error"].as_str().unwrap();
        assert!(error.starts_with("400::"), "{body}: {error}");
    }
    let messages = json!([
        7, {}, {"channel": 1}, {"channel": ""}, {"channel": "/a b"},
        {"channel": "/meta/connect", "id": {"a": 1}},
        {"channel": "/some/channel", "data": {}, "id": "5"},
    ]);
    let replies = exchange(&app, "", &messages).await;
    let errors: Vec<&str> = replies
        .iter()
        .map(|reply| reply["error"].as_str().unwrap())
        .collect();
    let missing = "400::channel_missing";
    let expected = [
        missing,
        missing,
        missing,
        missing,
        missing,
        "402::session_unknown",
        "403:/some/channel:publish_denied",
    ];
    assert_eq!(errors, expected);
    assert_eq!(replies[6]["id"], "5");
    let nested = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    let response = TestResponse::send(app.post(PATH).json_body(&nested)).await;
    assert_eq!(response.json()[0]["successful"], false);
}

async fn large_bodies_are_rejected(app: TestApp) {
    let body = json!([{"channel": "/meta/handshake", "ext": "x".repeat(64 * 1024)}]);
    post(&app, "", &body).await.error_message("TooLarge", 413);
}

async fn connect_with_other_messages_does_not_wait(app: TestApp) {
    let session = CometSession::open(&app, "ann", false).await;
    session.connect_at_once(&app).await;
    let subscribe =
        json!({"channel": "/meta/subscribe", "clientId": session.client_id, "subscription": "/a"});
    let messages = json!([session.message("/meta/connect"), subscribe]);
    let replies = tokio::time::timeout(TIMEOUT, exchange(&app, "ann", &messages));
    let replies = replies.await.unwrap();
    assert_eq!(replies.len(), 2);
    for reply in replies {
        assert_eq!(reply["successful"], true, "{reply}");
    }
}

async fn unsupported_connection_types_are_rejected(app: TestApp) {
    let handshake = json!({"channel": "/meta/handshake", "supportedConnectionTypes": ["iframe"]});
    let reply = exchange(&app, "ann", &handshake).await.remove(0);
    assert_eq!(reply["successful"], false);
    assert_eq!(reply["advice"]["reconnect"], "none");
}
