//! The Bayeux protocol without chats: sessions, channels, bodies and errors.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::fixture::{CometSession, PATH, exchange, wait_until_waiting};
use crate::support::{Bodies, TestApp, TestResponse, on_every_kind_of_store, random_prefix};

on_every_kind_of_store!(
    handshake_opens_a_session,
    unknown_sessions_are_reported,
    first_connect_is_answered_at_once,
    connect_waits_for_its_timeout,
    second_connect_answers_the_first,
    disconnect_ends_the_session_and_its_connect,
    session_of_another_user_does_not_exist,
);

/// Longer than a connect that does not wait takes.
const TIMEOUT: Duration = Duration::from_secs(20);

async fn handshake_opens_a_session(app: TestApp) {
    let handshake = json!({"channel": "/meta/handshake", "version": "1.0", "id": 7});
    let replies = exchange(&app, "ann", &handshake).await;
    let reply = &replies[0];
    assert_eq!(reply["channel"], "/meta/handshake");
    assert_eq!(reply["successful"], true);
    assert_eq!(reply["version"], "1.0");
    assert_eq!(reply["id"], 7);
    let types = json!(["websocket", "long-polling"]);
    assert_eq!(reply["supportedConnectionTypes"], types);
    let advice = json!({"reconnect": "retry", "interval": 0, "timeout": 30_000});
    assert_eq!(reply["advice"], advice);
    // At least 128 bits besides the digest of the user.
    let id = reply["clientId"].as_str().unwrap();
    let again = exchange(&app, "ann", &handshake).await;
    let other = again[0]["clientId"].as_str().unwrap();
    assert_eq!(id[..32], other[..32]);
    assert_ne!(id[32..], other[32..]);
    assert!(id.len() >= 64);
}

async fn unknown_sessions_are_reported(app: TestApp) {
    for client_id in [json!("x"), json!("0".repeat(64)), json!(7), Value::Null] {
        let connect = json!([{"channel": "/meta/connect", "clientId": client_id}]);
        let reply = &exchange(&app, "ann", &connect).await[0];
        assert_eq!(reply["successful"], false);
        assert_eq!(reply["error"], "402::session_unknown");
        let advice = json!({"reconnect": "handshake", "interval": 0});
        assert_eq!(reply["advice"], advice);
        let subscribe =
            json!({"channel": "/meta/subscribe", "clientId": client_id, "subscription": "/a"});
        let reply = &exchange(&app, "ann", &subscribe).await[0];
        assert_eq!(reply["error"], "402::session_unknown");
        // A bare object, as one family of clients sends it.
        let disconnect = json!({"channel": "/meta/disconnect", "clientId": client_id, "id": "9"});
        let reply = &exchange(&app, "", &disconnect).await[0];
        assert_eq!(reply["successful"], true, "{reply}");
        assert_eq!(reply["id"], "9");
    }
}

async fn first_connect_is_answered_at_once(app: TestApp) {
    let session = CometSession::handshake(&app, "ann", false).await;
    let members = json!({"connectionType": "long-polling"});
    let connected = tokio::time::timeout(TIMEOUT, session.connect(&app, members)).await;
    let (pushed, reply) = connected.unwrap();
    assert_eq!(pushed.len(), 0);
    assert_eq!(reply["successful"], true);
    assert_eq!(reply["advice"]["reconnect"], "retry");
    assert_eq!(reply.get("ext"), None);
    // And so is every one that asks for it.
    session.connect_at_once(&app).await;
}

async fn connect_waits_for_its_timeout(app: TestApp) {
    let app = app.start_sibling(&[("comet.timeout_seconds", "1")]).await;
    let session = CometSession::open(&app, "ann", true).await;
    session.connect_at_once(&app).await;
    let started = tokio::time::Instant::now();
    let (pushed, reply) = session.connect(&app, json!({"ext": {"ack": 0}})).await;
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(pushed.len(), 0);
    assert_eq!(reply["successful"], true);
    assert_eq!(reply["ext"]["ack"], 0);
    assert_eq!(reply["advice"]["timeout"], 1_000);
}

async fn second_connect_answers_the_first(app: TestApp) {
    let replica = if app.redis.is_some() {
        Some(app.start_replica().await)
    } else {
        None
    };
    let other = replica.as_ref().unwrap_or(&app);
    let session = CometSession::open(&app, "ann", false).await;
    session.connect_at_once(&app).await;
    let first = session.connect(&app, json!({}));
    let second = async {
        wait_until_waiting(&app).await;
        let (_, reply) = session.connect_at_once(other).await;
        reply
    };
    let both = tokio::time::timeout(TIMEOUT, async { tokio::join!(first, second) });
    let ((pushed, first), second) = both.await.unwrap();
    assert_eq!(pushed.len(), 0);
    for reply in [first, second] {
        assert_eq!(reply["successful"], true, "{reply}");
        assert_eq!(reply["advice"]["reconnect"], "retry");
    }
}

async fn disconnect_ends_the_session_and_its_connect(app: TestApp) {
    let session = CometSession::open(&app, "ann", false).await;
    session.connect_at_once(&app).await;
    let waiting = session.connect(&app, json!({}));
    let disconnect = async {
        wait_until_waiting(&app).await;
        session.send(&app, "/meta/disconnect", json!({})).await
    };
    let both = tokio::time::timeout(TIMEOUT, async { tokio::join!(waiting, disconnect) });
    let ((_, waiting), disconnect) = both.await.unwrap();
    // The official client aborts its disconnect if the connect fails.
    assert_eq!(waiting["successful"], true, "{waiting}");
    assert_eq!(disconnect[0]["successful"], true, "{disconnect:?}");
    let (_, reply) = session.connect(&app, json!({})).await;
    assert_eq!(reply["error"], "402::session_unknown");
}

async fn session_of_another_user_does_not_exist(app: TestApp) {
    let session = CometSession::open(&app, "ann", false).await;
    for (user, exists) in [("ann", true), ("bob", false), ("", true)] {
        let mut connect = session.message("/meta/connect");
        connect["advice"] = json!({"timeout": 0});
        let reply = &exchange(&app, user, &connect).await[0];
        assert_eq!(reply["successful"], exists, "{user}: {reply}");
    }
}

#[tokio::test]
async fn pages_of_listed_origins_may_send_credentials() {
    const SHOP: &str = "https://shop.example";
    let settings = [("cors.allowed_origins", SHOP)];
    let app = TestApp::start(None, &random_prefix(), &settings).await;
    let preflight = app
        .request(Method::OPTIONS, PATH)
        .header("origin", SHOP)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "gms_user,content-type,x-requested-with",
        );
    let response = TestResponse::send(preflight).await;
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(response.header("access-control-allow-origin"), SHOP);
    assert_eq!(response.header("access-control-allow-credentials"), "true");
    let handshake = json!({"channel": "/meta/handshake"}).to_string();
    let post = |origin| {
        app.post(PATH)
            .json_body(&handshake)
            .header("origin", origin)
    };
    let response = TestResponse::send(post(SHOP)).await;
    assert_eq!(response.header("access-control-allow-origin"), SHOP);
    assert_eq!(response.header("access-control-allow-credentials"), "true");
    let response = TestResponse::send(post("https://other.example")).await;
    assert_eq!(response.header("access-control-allow-origin"), "");
    // No other route allows credentials.
    let service = app.post("/genesys/1/service/store").header("origin", SHOP);
    let response = TestResponse::send(service).await;
    assert_eq!(response.header("access-control-allow-origin"), SHOP);
    assert_eq!(response.header("access-control-allow-credentials"), "");
}

#[tokio::test]
async fn connects_beyond_the_limit_do_not_wait() {
    let settings = [("comet.max_connections", "1")];
    let app = TestApp::start(None, &random_prefix(), &settings).await;
    let (one, other) = (
        CometSession::open(&app, "ann", false).await,
        CometSession::open(&app, "bob", false).await,
    );
    one.connect_at_once(&app).await;
    other.connect_at_once(&app).await;
    let waiting = one.connect(&app, json!({}));
    let further = async {
        wait_until_waiting(&app).await;
        let (_, reply) = other.connect(&app, json!({})).await;
        one.send(&app, "/meta/disconnect", json!({})).await;
        reply
    };
    let both = tokio::time::timeout(TIMEOUT, async { tokio::join!(waiting, further) });
    let (_, reply) = both.await.unwrap();
    assert_eq!(reply["successful"], true);
    assert_eq!(reply["advice"]["interval"], 5_000);
}

#[tokio::test]
async fn api_keys_are_required() {
    let settings = [("auth.api_keys", "sesame")];
    let app = TestApp::start(None, &random_prefix(), &settings).await;
    let handshake = json!({"channel": "/meta/handshake"}).to_string();
    let refused = TestResponse::send(app.post(PATH).json_body(&handshake)).await;
    refused.error_message("Unauthorized", 401);
    let request = app
        .post(PATH)
        .json_body(&handshake)
        .header("x-api-key", "sesame");
    assert_eq!(
        TestResponse::send(request).await.json()[0]["successful"],
        true
    );
}

#[tokio::test]
async fn waiting_connect_ends_when_the_replica_drains() {
    let settings = [("server.drain_seconds", "0")];
    let app = TestApp::start(None, &random_prefix(), &settings).await;
    let session = CometSession::open(&app, "ann", false).await;
    session.connect_at_once(&app).await;
    let request = app
        .post(PATH)
        .json_body(&json!([session.message("/meta/connect")]).to_string());
    let waiting = tokio::spawn(TestResponse::send(request));
    wait_until_waiting(&app).await;
    tokio::time::timeout(TIMEOUT, app.stop()).await.unwrap();
    let reply = waiting.await.unwrap();
    assert_eq!(reply.header("connection"), "close");
    assert_eq!(reply.json()[0]["successful"], true, "{}", reply.text());
}
