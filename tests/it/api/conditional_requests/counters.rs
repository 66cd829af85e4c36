//! Many writers increment one key with `If-Match`.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use rand::RngExt;

use super::etag;
use crate::support::{
    Bodies, RedisKind, TestApp, TestRedis, TestResponse, on_every_kind_of_store, random_prefix,
};

on_every_kind_of_store!(no_increment_is_lost_or_doubled);

/// The number of writers, and of increments in all.
const WRITERS: usize = 64;
const INCREMENTS: usize = 640;
/// The range of the pause after a conflict, which doubles each time.
const MIN_PAUSE: Duration = Duration::from_millis(1);
const MAX_PAUSE: Duration = Duration::from_millis(256);

/// Increments the key once. Returns the number of refused attempts.
async fn increment(app: &TestApp, path: &str) -> usize {
    let mut pause = MIN_PAUSE;
    for refused in 0.. {
        let read = TestResponse::send(app.get(path)).await;
        let tag = read.header("etag").to_owned();
        let count: usize = read.json()["count"].as_str().unwrap().parse().unwrap();
        let write = app.post(path).form_body(&format!("count={}", count + 1));
        let written = TestResponse::send(write.header("if-match", tag)).await;
        if written.status == 200 {
            return refused;
        }
        written.error_message("PreconditionFailed", 412);
        let random = rand::rng().random_range(MIN_PAUSE..=pause);
        tokio::time::sleep(random).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
    unreachable!()
}

/// Sends the requests of the writers to these replicas in turn.
async fn count_on(replicas: &[&TestApp]) {
    let service = replicas[0].create("count=0").await;
    let path = format!("{service}/storage");
    let before = etag(replicas[0], &path).await;
    let writer = async |n: usize| {
        let mut refused = 0;
        for round in (n..INCREMENTS).step_by(WRITERS) {
            let replica = replicas[(n + round) % replicas.len()];
            refused += increment(replica, &path).await;
        }
        refused
    };
    let refused: usize = join_all((0..WRITERS).map(writer)).await.iter().sum();
    assert!(refused > 0, "the writers never met");
    let count = replicas[0].storage(&service).await;
    assert_eq!(count["count"], INCREMENTS.to_string());
    let after = etag(replicas[0], &path).await;
    let changes = super::number(&after) - super::number(&before);
    assert_eq!(changes, INCREMENTS as u64);
}

async fn no_increment_is_lost_or_doubled(app: TestApp) {
    count_on(&[&app]).await;
}

#[tokio::test]
async fn no_increment_is_lost_or_doubled_by_three_replicas() {
    let redis: Arc<TestRedis> = TestRedis::shared_kind(RedisKind::Sentinel);
    let prefix = random_prefix();
    let first = TestApp::start(Some(redis), &prefix, &[]).await;
    let second = first.start_replica().await;
    let third = first.start_replica().await;
    count_on(&[&first, &second, &third]).await;
}
