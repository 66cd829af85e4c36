//! The metrics of keyspace notifications report their actual delivery, independent of the configuration.

use std::{net::SocketAddr, sync::Arc};

use redis::{aio::MultiplexedConnection, cmd};
use reqwest::Client;

use super::{set_user, start_replica, start_valid_redis, url_as_user, wait_for_result};
use crate::support::{
    RedisKind, TestRedis, dedicated_redis::DedicatedRedis, eventually, metrics::Metrics,
};

const NO_CONFIG: [&str; 4] = ["~*", "&*", "+@all", "-config"];

async fn set_flags(connection: &mut MultiplexedConnection, flags: &str) {
    let mut set = cmd("CONFIG");
    set.arg("SET").arg("notify-keyspace-events").arg(flags);
    set.exec_async(connection).await.unwrap();
}

/// Waits until both metrics have this value.
async fn wait_until_enabled(address: SocketAddr, expected: f64) {
    wait_for_result(address, "notifications", expected).await;
    eventually("the metric of all servers has the value", async || {
        let value = Metrics::scrape(address)
            .await
            .value("keyspace_notifications_enabled");
        ((value - expected).abs() < f64::EPSILON).then_some(())
    })
    .await;
}

#[tokio::test]
async fn configured_flags_are_detected_without_config_right() {
    for flags in ["Egxe", "KEA", "AE", "Egx"] {
        let redis = start_valid_redis(&[("notify-keyspace-events", flags)]).await;
        set_user(&mut redis.connection().await.unwrap(), &NO_CONFIG).await;
        let (program, address) = start_replica(&url_as_user(&redis.url()), &[]).await;
        wait_until_enabled(address, 1.0).await;
        assert_eq!(
            program.count_log_events("keyspace notifications do not arrive"),
            0,
            "{flags}"
        );
    }
}

/// The age of the youngest connection with a subscription, in seconds.
async fn subscription_age(redis: &DedicatedRedis) -> u32 {
    let mut connection = redis.connection().await.unwrap();
    let mut list = cmd("CLIENT");
    list.arg("LIST").arg("TYPE").arg("PUBSUB");
    let clients: String = list.query_async(&mut connection).await.unwrap();
    let age = |client: &str| {
        let age = client.split(" age=").nth(1).unwrap();
        age.split(' ').next().unwrap().parse().unwrap()
    };
    clients.lines().map(age).min().unwrap_or_default()
}

#[tokio::test]
async fn subscription_survives_while_redis_rejects_ping() {
    // Snapshots cannot be written to /proc, so Redis rejects writes and `PING` (MISCONF) after the failed one.
    let options = [
        ("appendonly", "no"),
        ("dir", "/proc"),
        ("save", "3600 1"),
        ("notify-keyspace-events", "Egxe"),
    ];
    let redis = DedicatedRedis::start(&options).await;
    let (program, address) = start_replica(&redis.url(), &[]).await;
    wait_until_enabled(address, 1.0).await;
    redis.command(&["BGSAVE"]).await;
    eventually("the replica reports the failed snapshot", async || {
        let metrics = Metrics::scrape(address).await;
        let failing = metrics.value("ready{reason=\"snapshot_failing\"}");
        (failing > 0.5).then_some(())
    })
    .await;
    // A rejected write causes the checks to run again.
    let body = "a=1".to_owned();
    let url = format!("http://{address}/genesys/1/service/store");
    let created = Client::new()
        .post(url)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(created.status(), 503);
    wait_for_result(address, "persistence", 0.0).await;
    let start = subscription_age(&redis).await;
    // Longer than two intervals of the notification probe, which sends PING.
    eventually("the subscription gets older", async || {
        (subscription_age(&redis).await >= start + 12).then_some(())
    })
    .await;
    assert_eq!(
        program.count_log_events("keyspace notification subscription lost"),
        0
    );
    let metrics = Metrics::scrape(address).await;
    let enabled = metrics.value("keyspace_notifications_enabled");
    assert!((enabled - 1.0).abs() < f64::EPSILON, "{enabled}");
}

#[tokio::test]
async fn insufficient_flags_are_reported() {
    let redis = start_valid_redis(&[("notify-keyspace-events", "Eg")]).await;
    let mut connection = redis.connection().await.unwrap();
    set_user(&mut connection, &NO_CONFIG).await;
    let (program, address) = start_replica(&url_as_user(&redis.url()), &[]).await;
    wait_until_enabled(address, 0.0).await;
    set_flags(&mut connection, "Egxe").await;
    wait_until_enabled(address, 1.0).await;
    let warning = "keyspace notifications do not arrive";
    assert_eq!(program.count_log_events(warning), 1);
    for flags in ["", "K$", "Kgxe", "Ex"] {
        set_flags(&mut connection, flags).await;
        wait_until_enabled(address, 0.0).await;
        set_flags(&mut connection, "KEA").await;
        wait_until_enabled(address, 1.0).await;
    }
    assert_eq!(program.count_log_events(warning), 5);
}

#[tokio::test]
async fn cleared_flags_are_set_again_if_permitted() {
    let redis = start_valid_redis(&[("notify-keyspace-events", "")]).await;
    let mut connection = redis.connection().await.unwrap();
    let (program, address) = start_replica(&redis.url(), &[]).await;
    wait_until_enabled(address, 1.0).await;
    assert_eq!(
        program.count_log_events("keyspace notifications do not arrive"),
        0
    );
    set_flags(&mut connection, "K$").await;
    eventually("the recovery is logged", async || {
        (program.count_log_events("keyspace notifications arrive again") > 0).then_some(())
    })
    .await;
    wait_until_enabled(address, 1.0).await;
    let get = cmd("CONFIG")
        .arg("GET")
        .arg("notify-keyspace-events")
        .to_owned();
    let (_, flags): (String, String) = get.query_async(&mut connection).await.unwrap();
    assert!("KE$gxe".chars().all(|flag| flags.contains(flag)), "{flags}");
}

#[tokio::test]
async fn denied_channel_is_reported() {
    let redis = start_valid_redis(&[]).await;
    let mut connection = redis.connection().await.unwrap();
    set_user(&mut connection, &["~*", "resetchannels", "+@all"]).await;
    let (program, address) = start_replica(&url_as_user(&redis.url()), &[]).await;
    wait_until_enabled(address, 0.0).await;
    wait_for_result(address, "rights", 0.0).await;
    program
        .wait_for_log_event("redis check failed", |line| {
            let detail = line["detail"].as_str().unwrap_or_default();
            detail.contains("&__keyevent@0__:del")
        })
        .await;
    set_user(&mut connection, &["allchannels"]).await;
    wait_until_enabled(address, 1.0).await;
    wait_for_result(address, "rights", 1.0).await;
}

#[tokio::test]
async fn every_cluster_primary_must_send_notifications() {
    let redis = Arc::new(TestRedis::dedicated_kind(RedisKind::Cluster));
    let mut connections = redis.connections().await;
    for connection in &mut connections {
        set_user(connection, &NO_CONFIG).await;
        set_flags(connection, "Egxe").await;
    }
    let settings = redis.settings();
    let url = url_as_user(&settings[0].1);
    let (_program, address) = start_replica(&url, &[("redis.mode", "cluster")]).await;
    wait_until_enabled(address, 1.0).await;
    set_flags(&mut connections[1], "").await;
    wait_until_enabled(address, 0.0).await;
    set_flags(&mut connections[1], "Egxe").await;
    wait_until_enabled(address, 1.0).await;
}
