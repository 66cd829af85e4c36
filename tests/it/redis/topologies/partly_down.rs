//! A Cluster that is partly or completely down.

use std::sync::Arc;

use crate::support::{
    Bodies, RedisKind, TestApp, TestRedis, TestResponse,
    dedicated_redis::DedicatedRedis,
    eventually, random_prefix,
    readiness::{readiness, reasons, wait_for_reason},
};

use super::resharding::{cluster_nodes, command};

/// Returns the number of successful creates; all others must return `StoreUnavailable`.
async fn count_successes(app: &TestApp) -> usize {
    let mut successes = 0;
    for _ in 0..40 {
        let create = app.post("/genesys/1/service/store").form_body("a=1");
        let response = TestResponse::send(create).await;
        if response.status == 200 {
            successes += 1;
        } else {
            response.error_message("StoreUnavailable", 503);
            assert!(!response.header("retry-after").is_empty());
        }
    }
    successes
}

#[tokio::test]
async fn cluster_down_is_not_ready_but_partly_down_is() {
    let redis = Arc::new(TestRedis::dedicated_kind(RedisKind::Cluster));
    let mut members = cluster_nodes(&redis).await;
    let prefix = random_prefix();
    let app = TestApp::start(Some(Arc::clone(&redis)), &prefix, &[]).await;
    wait_for_reason(&app, "ready").await;
    assert_eq!(count_successes(&app).await, 40);

    // Until then, members of a busy machine must not fail.
    for member in &mut members {
        let timeout = ["CONFIG", "SET", "cluster-node-timeout", "1000"];
        command(member, &timeout).await.unwrap();
    }
    let killed = members.remove(0);
    redis.kill(killed.port());
    let (status, body) = wait_for_reason(&app, "cluster_down").await;
    assert_eq!(
        (status, body["ready"].as_bool()),
        (503, Some(false)),
        "{body}"
    );
    assert_eq!(reasons(&body), ["cluster_down"], "{body}");
    assert_eq!(count_successes(&app).await, 0);

    for member in &mut members {
        let partly = ["CONFIG", "SET", "cluster-require-full-coverage", "no"];
        command(member, &partly).await.unwrap();
    }
    let (status, body) = wait_for_reason(&app, "cluster_partly_down").await;
    assert_eq!(
        (status, body["status"].as_str()),
        (200, Some("degraded")),
        "{body}"
    );
    let some = eventually("a part is served", async || {
        let some = count_successes(&app).await;
        (some > 0).then_some(some)
    })
    .await;
    assert!(some < 40, "{some}");
    assert_eq!(readiness(&app).await.0, 200);
}

#[tokio::test]
async fn cluster_without_slots_is_not_ready() {
    let member = DedicatedRedis::start(&[("cluster-enabled", "yes")]).await;
    let url = member.url();
    let settings = [("redis.url", url.as_str()), ("redis.mode", "cluster")];
    let app = TestApp::start(None, &random_prefix(), &settings).await;
    let (status, body) = wait_for_reason(&app, "cluster_down").await;
    assert_eq!(status, 503);
    assert!(
        body["message"].as_str().unwrap().contains("no slot"),
        "{body}"
    );
    let create = app.post("/genesys/1/service/store").form_body("a=1");
    TestResponse::send(create)
        .await
        .error_message("StoreUnavailable", 503);

    member
        .command(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"])
        .await;
    wait_for_reason(&app, "ready").await;
    assert_eq!(count_successes(&app).await, 40);
    member
        .command(&["CLUSTER", "DELSLOTSRANGE", "0", "16383"])
        .await;
    assert_eq!(wait_for_reason(&app, "cluster_down").await.0, 503);
}

#[tokio::test]
async fn replica_without_stale_data_has_one_reason() {
    let primary = DedicatedRedis::start(&[]).await;
    let replica = DedicatedRedis::start(&[("replica-serve-stale-data", "no")]).await;
    let url = replica.url();
    let app = TestApp::start(None, &random_prefix(), &[("redis.url", url.as_str())]).await;
    wait_for_reason(&app, "ready").await;
    let port = primary.port().to_string();
    replica.command(&["REPLICAOF", "127.0.0.1", &port]).await;
    wait_for_reason(&app, "read_only").await;
    primary.kill();
    let (status, body) = wait_for_reason(&app, "no_primary").await;
    assert_eq!(status, 503, "{body}");
    assert_eq!(reasons(&body), ["no_primary"], "{body}");
}
