//! A failover of Redis while services with webhooks are changed. With `redis.wait_replicas`, every acknowledged change has its
//! event afterwards, and no event reports what did not happen.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{
    NUMBERS,
    ledger::{Changes, Received, find_contradiction},
    open_store, spawn_workers,
};
use crate::support::{
    TestRedis,
    bookings::{catalog, default_group_toml},
    program::Program,
};

/// The timeouts of a failover, and of the deliveries after it, on a busy machine.
const FAILOVER: Duration = Duration::from_secs(60);
const DELIVERIES: Duration = Duration::from_secs(90);

/// Waits until this number of further changes is acknowledged.
async fn wait_for_changes(changes: &Changes, count: usize) {
    let (before, deadline) = (changes.acknowledged(), Instant::now() + FAILOVER);
    while changes.acknowledged() < before + count {
        assert!(Instant::now() < deadline, "no changes are acknowledged");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn every_acknowledged_change_has_its_event_after_a_failover() {
    let redis = TestRedis::sentinels_with_replicas().await;
    let catalog = catalog(&default_group_toml("CLUSTER", NUMBERS));
    let of_redis = redis.settings();
    let mut settings = vec![
        ("redis.prefix", "webhook-failover:"),
        ("redis.wait_replicas", "1"),
        ("redis.wait_timeout_ms", "1000"),
        ("redis.connect_timeout_ms", "1000"),
        ("redis.response_timeout_ms", "2000"),
    ];
    settings.extend(of_redis.iter().map(|(name, value)| (*name, value.as_str())));
    let with_catalog = [&settings[..], &[("catalog.file", catalog.path())]].concat();
    let mut replica = Program::serve(&with_catalog);
    replica.address().await;
    let store = open_store(&settings).await;
    let (changes, mut received) = (Changes::default(), Received::default());
    let mut tasks = spawn_workers(&store, &changes);
    wait_for_changes(&changes, 150).await;
    let primary = redis.addresses()[0].to_string();
    redis.kill(primary.rsplit(':').next().unwrap().parse().unwrap());
    // Some of the first ones may have been acknowledged before.
    wait_for_changes(&changes, 300).await;
    tasks.abort_all();
    while tasks.join_next().await.is_some() {}
    // Another crash: what the store has not relayed is left to the cleanup leader.
    drop(store);
    let store = open_store(&settings).await;
    let deadline = Instant::now() + DELIVERIES;
    loop {
        received.receive(&store).await;
        let contradiction = find_contradiction(&changes, &received);
        let Some(contradiction) = contradiction else {
            break;
        };
        assert!(Instant::now() < deadline, "{contradiction}");
        sleep(Duration::from_millis(200)).await;
    }
    // Nothing more arrives than was changed.
    sleep(Duration::from_secs(2)).await;
    received.receive(&store).await;
    assert_eq!(find_contradiction(&changes, &received), None);
}
