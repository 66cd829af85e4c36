//! Commands and keys that Redis denies: clients get 503, and operators learn what is missing.

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

fn assert_denied(answer: &TestResponse) {
    assert_eq!(answer.status, 503, "{}", answer.text());
    let body: Value = answer.json();
    assert_eq!(body["exception"], "StoreUnavailable");
    let message = body["message"].as_str().unwrap();
    assert!(
        message.contains("denies") && !message.contains("bug"),
        "{message}"
    );
    assert!(!answer.header("retry-after").is_empty());
}

/// Waits until the log has named this as missing.
async fn wait_for_warning(program: &Program, rule: &str) {
    eventually(&format!("{rule} is named"), async || {
        let warnings = program.log_events("redis check failed");
        let mut seen = warnings.iter().filter_map(|line| line["seen"].as_str());
        seen.any(|seen| seen.split(' ').any(|word| word == rule))
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_command_that_is_denied_while_it_runs_is_503_and_named_once() {
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
        let answer = if denied == "-hget" {
            TestResponse::send(Client::new().get(format!("{storage}/a"))).await
        } else {
            create(address).await
        };
        assert_denied(&answer);
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
async fn a_key_pattern_that_is_missing_is_named_whether_redis_tells_rights_or_not() {
    for acl in ["+acl", "-acl"] {
        let redis = start_valid_redis(&[]).await;
        let mut connection = redis.connection().await.unwrap();
        let all = [
            "resetkeys",
            "~sb1:svc:*",
            "~sb1:end:*",
            "~sb1:idx:*",
            "~sb1:lease:cleanup",
        ];
        let more = ["~sb1:probe:*", "~sb1:{catalog}:*", "&*", "+@all", acl];
        set_user(&mut connection, &[&all[..], &more].concat()).await;
        let (program, address) = start_replica(&url_as_user(&redis.url()), &[]).await;
        wait_for_result(address, "rights", 0.0).await;
        for rule in [
            "~sb1:own:*",
            "~sb1:grp:*",
            "~sb1:blob:*",
            "~sb1:idem:*",
            "~sb1:rl:*",
        ] {
            wait_for_warning(&program, rule).await;
        }
        let warning = &program.log_events("redis check failed")[0];
        let seen = warning["seen"].as_str().unwrap();
        assert!(
            !seen.contains("~sb1:svc:*") && !seen.contains('+'),
            "{seen}"
        );
        assert_denied(&create(address).await);
        set_user(&mut connection, &["~sb1:*"]).await;
        wait_for_result(address, "rights", 1.0).await;
        assert_eq!(create(address).await.status, 200);
    }
}

#[tokio::test]
async fn checking_rights_leaves_nothing_behind_and_no_denial_where_all_is_permitted() {
    for acl in ["+acl", "-acl"] {
        let redis = start_valid_redis(&[]).await;
        let mut connection = redis.connection().await.unwrap();
        set_user(&mut connection, &["~*", "&*", "+@all", acl]).await;
        let url = url_as_user(&redis.url());
        let ended = Program::run(&["verify", "--redis"], &[("redis.url", &url)]);
        let ended = ended.wait().await;
        assert!(
            ended.stdout.contains("permitted"),
            "{}{}",
            ended.stdout,
            ended.stderr
        );
        let keys: Vec<String> = cmd("KEYS")
            .arg("*")
            .query_async(&mut connection)
            .await
            .unwrap();
        assert!(keys.is_empty(), "{keys:?}");
    }
}
