//! The node status: an operator drains a replica, which reports OFFLINE and still serves requests.

use redis::cmd;
use reqwest::Method;
use serde_json::{Value, json};

use super::fixture::{
    ADMIN_SETTINGS, audit_actions, get_json, request, start_admin, start_admin_with, start_replica,
};
use crate::support::{
    TestApp, TestResponse,
    dedicated_redis::DedicatedRedis,
    eventually, now, on_every_kind_of_store, random_prefix,
    readiness::{readiness, reasons},
};

on_every_kind_of_store!(
    an_offline_replica_is_not_ready_and_serves_requests,
    each_change_is_recorded_once,
    the_status_is_listed,
);

/// The probes that report the node status.
const PROBES: [&str; 2] = ["/genesys/1/admin/node/status", "/genesys/1/node"];

async fn set_status(app: &TestApp, status: &str) -> TestResponse {
    let path = format!("node/changestatus/{status}");
    TestResponse::send(request(app, Method::POST, &path)).await
}

/// Sets the status. Panics unless the response is `expected`.
async fn assert_set(app: &TestApp, status: &str, expected: &str) {
    let response = set_status(app, status).await;
    assert_eq!((response.status.as_u16(), response.text()), (200, expected));
    assert_eq!(response.header("content-type"), "text/plain;charset=utf-8");
}

async fn assert_probes(app: &TestApp, status: u16, text: &str) {
    for path in PROBES {
        let response = TestResponse::send(app.get(path)).await;
        assert_eq!((response.status.as_u16(), response.text()), (status, text));
        let head = TestResponse::send(app.request(Method::HEAD, path)).await;
        assert_eq!((head.status.as_u16(), head.text()), (status, ""));
    }
    let ready = TestResponse::send(app.get("/readyz")).await;
    assert_eq!(ready.status.as_u16(), status, "{}", ready.text());
}

async fn an_offline_replica_is_not_ready_and_serves_requests(app: TestApp) {
    let app = start_admin(&app).await;
    let service = app.create("a=1").await;
    assert_probes(&app, 200, "ONLINE").await;
    for (word, expected) in [("OFFLINE", "OFFLINE"), ("Offline", "OFFLINE")] {
        assert_set(&app, word, expected).await;
        assert_probes(&app, 503, "OFFLINE").await;
        let (status, body) = readiness(&app).await;
        assert_eq!(status, 503);
        assert_eq!(reasons(&body), ["offline"]);
        let message = "an operator set the replica offline";
        let summary = json!([
            body["status"],
            body["ready"],
            body["reason"],
            body["message"]
        ]);
        assert_eq!(summary, json!(["not_ready", false, "offline", message]));
        assert_eq!(body["reasons"][0]["blocking"], true);
        let text = TestResponse::send(app.get("/readyz")).await;
        assert_eq!(text.text(), format!("not ready: offline: {message}"));
    }
    // It is alive, serves reads and writes, and keeps the connections open.
    TestResponse::send(app.get("/livez")).await.assert_ok();
    assert_eq!(app.storage(&service).await, json!({"a": "1"}));
    let created = TestResponse::send(app.post("/genesys/1/service/store")).await;
    created.service_id();
    assert!(!created.headers.contains_key("connection"));
    assert_set(&app, "online", "ONLINE").await;
    assert_probes(&app, 200, "ONLINE").await;
}

/// The own replica in the list.
async fn listed(app: &TestApp) -> Value {
    eventually("the replica is listed", async || {
        let all = get_json(app, "replicas").await["replicas"].clone();
        let mut all = all.as_array().unwrap().iter();
        let own = all.find(|one| one["address"] == app.address.to_string());
        own.cloned()
    })
    .await
}

async fn each_change_is_recorded_once(app: TestApp) {
    let app = start_admin(&app).await;
    for status in [
        "ONLINE", "OFFLINE", "OFFLINE", "offline", "ONLINE", "ONLINE",
    ] {
        assert_eq!(set_status(&app, status).await.status, 200);
    }
    let replica = listed(&app).await;
    let name = format!(
        "{}/{}",
        replica["host"].as_str().unwrap(),
        replica["id"].as_str().unwrap()
    );
    let action = format!("set_status replica {name}");
    assert_eq!(audit_actions(&app).await, [action.clone(), action]);
    let events = get_json(&app, "audit-log").await["events"].clone();
    for (event, before, after) in [
        (&events[0], "OFFLINE", "ONLINE"),
        (&events[1], "ONLINE", "OFFLINE"),
    ] {
        assert_eq!(event["before"], json!({"status": before}));
        assert_eq!(event["after"], json!({"status": after}));
        assert_eq!(event["actor"], "admin");
        assert_eq!(event["client_address"], "127.0.0.1");
    }
}

async fn the_status_is_listed(app: TestApp) {
    let app = start_admin_with(&app, &[("admin.username", "*")]).await;
    let status = |replica: &Value| {
        let members = ["status", "status_by", "requested_status"];
        json!(members.map(|member| replica[member].clone()))
    };
    let replica = listed(&app).await;
    assert_eq!(status(&replica), json!(["ONLINE", null, null]));
    assert_eq!(replica["status_since"], Value::Null);
    let mut last = String::new();
    for word in ["OFFLINE", "ONLINE"] {
        let path = format!("/genesys/1/admin/node/changestatus/{word}");
        let set = app
            .post(&path)
            .basic_auth("jane", Some(super::fixture::PASSWORD));
        assert_eq!(TestResponse::send(set).await.status, 200);
        let replica = listed(&app).await;
        assert_eq!(status(&replica), json!([word, "jane", null]));
        let since = replica["status_since"].as_str().unwrap().to_owned();
        assert!(since > last && since.ends_with('Z'), "{since}");
        last = since;
    }
}

#[tokio::test]
async fn a_restart_forgets_the_status() {
    let app = start_admin(&TestApp::on_redis().await).await;
    assert_set(&app, "OFFLINE", "OFFLINE").await;
    let (redis, prefix) = (app.redis.clone(), app.prefix.clone());
    app.stop().await;
    let restarted = TestApp::start(redis, &prefix, &ADMIN_SETTINGS).await;
    assert_probes(&restarted, 200, "ONLINE").await;
    assert_eq!(listed(&restarted).await["status"], "ONLINE");
    let all = get_json(&restarted, "replicas").await;
    assert_eq!(all["replicas"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_status_belongs_to_one_replica() {
    let one = start_admin(&TestApp::on_redis().await).await;
    let other = start_replica(&one, &[]).await;
    assert_set(&one, "OFFLINE", "OFFLINE").await;
    assert_probes(&other, 200, "ONLINE").await;
    // The other replica lists it as OFFLINE at once: as requested until the next heartbeat.
    let all = get_json(&other, "replicas").await["replicas"].clone();
    let statuses = all.as_array().unwrap().iter().map(|replica| {
        let requested = &replica["requested_status"];
        let current = if requested.is_null() {
            &replica["status"]
        } else {
            requested
        };
        (
            replica["address"].as_str().unwrap().to_owned(),
            current.clone(),
        )
    });
    for (address, status) in statuses {
        let expected = if address == one.address.to_string() {
            "OFFLINE"
        } else {
            "ONLINE"
        };
        assert_eq!(status, expected);
    }
}

#[tokio::test]
async fn heartbeats_and_requests_of_other_versions_are_tolerated() {
    let app = start_admin(&TestApp::on_redis().await).await;
    let own = listed(&app).await;
    let mut connection = app.redis.as_ref().unwrap().connection().await;
    let key = format!("{}{{catalog}}:replicas", app.prefix);
    let later = now().millis() + 3_600_000;
    let heartbeat = r#"{"id":"old","version":"0.1.0","address":"192.0.2.1:80"}"#;
    for (field, value) in [
        // Without a status.
        ("old".to_owned(), format!("{later}\n{heartbeat}")),
        // With an unknown status.
        (
            format!("{}:status", own["id"].as_str().unwrap()),
            format!("{later}\nSLEEPING\njane"),
        ),
        // Of a replica that has stopped.
        ("gone:status".to_owned(), "1000\nOFFLINE\njane".to_owned()),
    ] {
        let mut set = cmd("HSET");
        set.arg(&key).arg(field).arg(value);
        set.exec_async(&mut connection).await.unwrap();
    }
    let all = get_json(&app, "replicas").await["replicas"].clone();
    let all = all.as_array().unwrap();
    assert_eq!(all.len(), 2, "{all:?}");
    for replica in all {
        assert_eq!(replica["status"], "ONLINE");
        assert_eq!(replica["requested_status"], Value::Null);
    }
    eventually("the old request is deleted", async || {
        let mut exists = cmd("HEXISTS");
        exists.arg(&key).arg("gone:status");
        let exists: bool = exists.query_async(&mut connection).await.unwrap();
        (!exists).then_some(())
    })
    .await;
    // A valid request replaces the unknown one.
    assert_set(&app, "OFFLINE", "OFFLINE").await;
    assert_eq!(listed(&app).await["status"], "OFFLINE");
}

#[tokio::test]
async fn the_status_cannot_be_set_while_redis_is_unavailable() {
    let redis = DedicatedRedis::start(&[]).await;
    let url = redis.url();
    let settings = [&ADMIN_SETTINGS[..], &[("redis.url", url.as_str())]].concat();
    let app = TestApp::start(None, &random_prefix(), &settings).await;
    assert_set(&app, "OFFLINE", "OFFLINE").await;
    redis.kill();
    let (_, body) = eventually("Redis is unavailable", async || {
        let (status, body) = readiness(&app).await;
        (reasons(&body).len() == 2).then_some((status, body))
    })
    .await;
    assert_eq!(reasons(&body), ["offline", "store_unreachable"]);
    let response = set_status(&app, "ONLINE").await;
    response.error_message("StoreUnavailable", 503);
    assert_eq!(reasons(&readiness(&app).await.1)[0], "offline");
}

#[tokio::test]
async fn other_words_and_methods_are_rejected() {
    let app = start_admin(&TestApp::on_memory().await).await;
    for word in ["DOWN", "OFFLINE%20", "%C3%BC", "OFFLINE,ONLINE"] {
        let message = set_status(&app, word).await;
        let message = message.error_message("InvalidParameter", 400);
        let word = word.replace("%20", " ").replace("%C3%BC", "\u{fc}");
        assert_eq!(
            message,
            format!("status is {word:?}, expected ONLINE or OFFLINE")
        );
    }
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let request = request(&app, method, "node/changestatus/OFFLINE");
        let response = TestResponse::send(request).await;
        response.error_message("MethodNotAllowed", 405);
        assert_eq!(response.header("allow"), "POST");
    }
    assert_probes(&app, 200, "ONLINE").await;
    assert!(audit_actions(&app).await.is_empty());
}
