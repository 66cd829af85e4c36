//! Commands and keys that Redis denies: clients get 503, and operators see the missing rights.

use std::net::SocketAddr;

use redis::cmd;
use reqwest::Client;
use serde_json::Value;

use super::{set_user, start_replica, start_valid_redis, url_as_user, wait_for_result};
use crate::support::{Bodies, TestResponse, eventually, program::Program};

async fn create(address: SocketAddr) -> TestResponse {
    let url = format!("http://{address}/genesys/1/service/request-interaction");
    TestResponse::send(Client::new().post(url).form_body("a=1")).await
}

fn assert_denied(response: &TestResponse) {
    assert_eq!(response.status, 503, "{}", response.text());
    let body: Value = response.json();
    assert_eq!(body["exception"], "StoreUnavailable");
    let message = body["message"].as_str().unwrap();
    assert!(
        message.contains("denies") && !message.contains("bug"),
        "{message}"
    );
    assert!(!response.header("retry-after").is_empty());
}

/// Waits until a warning lists this rule.
async fn wait_for_warning(program: &Program, rule: &str) {
    program
        .wait_for_log_event("redis check failed", |line| {
            let mut words = line["detail"].as_str().unwrap_or_default().split(' ');
            words.any(|word| word == rule)
        })
        .await;
}

#[tokio::test]
async fn denied_command_at_run_time_is_503_and_logged_once() {
    let redis = start_valid_redis(&[]).await;
    let mut connection = redis.connection().await.unwrap();
    set_user(&mut connection, &["~*", "&*", "+@all"]).await;
    let (program, address) = start_replica(&url_as_user(&redis.url()), &[]).await;
    wait_for_result(address, "rights", 1.0).await;
    let created = create(address).await;
    assert_eq!(created.status, 200, "{}", created.text());
    let storage = format!("http://{address}{}/storage", created.service_id());
    for (denied, permitted) in [
        ("-evalsha", "+evalsha"),
        ("-hset", "+hset"),
        ("-zadd", "+zadd"),
        ("-hget", "+hget"),
    ] {
        set_user(&mut connection, &[denied]).await;
        let response = if denied == "-hget" {
            TestResponse::send(Client::new().get(format!("{storage}/a"))).await
        } else {
            create(address).await
        };
        assert_denied(&response);
        for _ in 0..20 {
            assert_denied(&create(address).await);
        }
        wait_for_result(address, "rights", 0.0).await;
        wait_for_warning(&program, permitted).await;
        set_user(&mut connection, &[permitted]).await;
        wait_for_result(address, "rights", 1.0).await;
    }
    assert_eq!(program.log_events("redis check failed").len(), 4);
}

#[tokio::test]
async fn missing_key_pattern_is_reported_with_and_without_acl() {
    for acl in ["+acl", "-acl"] {
        let redis = start_valid_redis(&[]).await;
        let mut connection = redis.connection().await.unwrap();
        let rules = [
            "resetkeys",
            "~sb1:svc:*",
            "~sb1:end:*",
            "~sb1:idx:*",
            "~sb1:lease:cleanup",
        ];
        let other_rules = ["~sb1:probe:*", "~sb1:{catalog}:*", "&*", "+@all", acl];
        set_user(&mut connection, &[&rules[..], &other_rules].concat()).await;
        let (program, address) = start_replica(&url_as_user(&redis.url()), &[]).await;
        wait_for_result(address, "rights", 0.0).await;
        for rule in [
            "~sb1:own:*",
            "~sb1:chat:*",
            "~sb1:{chats}:*",
            "~sb1:grp:*",
            "~sb1:blob:*",
            "~sb1:idem:*",
            "~sb1:rl:*",
        ] {
            wait_for_warning(&program, rule).await;
        }
        let warning = &program.log_events("redis check failed")[0];
        let detail = warning["detail"].as_str().unwrap();
        assert!(
            !detail.contains("~sb1:svc:*") && !detail.contains('+'),
            "{detail}"
        );
        assert_denied(&create(address).await);
        set_user(&mut connection, &["~sb1:*"]).await;
        wait_for_result(address, "rights", 1.0).await;
        assert_eq!(create(address).await.status, 200);
    }
}

#[tokio::test]
async fn rights_check_leaves_no_keys() {
    for acl in ["+acl", "-acl"] {
        let redis = start_valid_redis(&[]).await;
        let mut connection = redis.connection().await.unwrap();
        set_user(&mut connection, &["~*", "&*", "+@all", acl]).await;
        let url = url_as_user(&redis.url());
        let exited = Program::run(&["verify", "--redis"], &[("redis.url", &url)]);
        let exited = exited.wait().await;
        assert!(
            exited.stdout.contains("permitted"),
            "{}{}",
            exited.stdout,
            exited.stderr
        );
        let keys: Vec<String> = cmd("KEYS")
            .arg("*")
            .query_async(&mut connection)
            .await
            .unwrap();
        assert!(keys.is_empty(), "{keys:?}");
    }
}

#[tokio::test]
async fn denied_loading_of_scripts_is_named_once() {
    let redis = start_valid_redis(&[]).await;
    let mut connection = redis.connection().await.unwrap();
    set_user(&mut connection, &["~*", "&*", "+@all", "-script|load"]).await;
    let (program, address) = start_replica(&url_as_user(&redis.url()), &[]).await;
    let ready = Client::new().get(format!("http://{address}/readyz"));
    let body = eventually("the right is named", async || {
        let request = ready.try_clone().unwrap();
        let body = TestResponse::send(request).await.text().to_owned();
        body.contains("+script|load").then_some(body)
    })
    .await;
    assert!(body.starts_with("not ready: missing_rights: "), "{body}");
    for event in program.log_events("redis connection failed") {
        let detail = event["detail"].as_str().unwrap();
        assert_eq!(detail.matches("script|load").count(), 1, "{detail}");
    }
    set_user(&mut connection, &["+script|load"]).await;
    eventually("the replica is ready", async || {
        let request = ready.try_clone().unwrap();
        (TestResponse::send(request).await.status == 200).then_some(())
    })
    .await;
}
