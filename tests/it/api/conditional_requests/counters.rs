//! Many writers increment one key with `If-Match`.
//!
//! `IF_MATCH_INCREMENTS` sets the size of a longer run.

use std::{env, sync::Arc, time::Duration};

use futures_util::future::join_all;
use rand::RngExt;

use super::etag;
use crate::support::{
    Bodies, RedisKind, TestApp, TestRedis, TestResponse, on_every_kind_of_store, random_prefix,
};

on_every_kind_of_store!(no_increment_is_lost_or_doubled);

/// The number of writers.
const WRITERS: usize = 64;
/// The range of the pause after a conflict, which doubles each time.
const MIN_PAUSE: Duration = Duration::from_millis(1);
const MAX_PAUSE: Duration = Duration::from_millis(256);

/// The number of increments in all.
#[expect(clippy::disallowed_methods, reason = "the size of a longer run")]
fn increments() -> usize {
    let increments = env::var("IF_MATCH_INCREMENTS");
    increments.map_or(640, |value| value.parse().unwrap())
}

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
    let (before, increments) = (etag(replicas[0], &path).await, increments());
    let writer = async |n: usize| {
        let mut refused = 0;
        for round in (n..increments).step_by(WRITERS) {
            let replica = replicas[(n + round) % replicas.len()];
            refused += increment(replica, &path).await;
        }
        refused
    };
    let refused: usize = join_all((0..WRITERS).map(writer)).await.iter().sum();
    assert!(refused > 0, "the writers never met");
    let count = replicas[0].storage(&service).await;
    assert_eq!(count["count"], increments.to_string());
    let after = etag(replicas[0], &path).await;
    let changes = super::number(&after) - super::number(&before);
    assert_eq!(changes, increments as u64);
}

/// With three replicas, except on the embedded store.
async fn no_increment_is_lost_or_doubled(app: TestApp) {
    if app.redis.is_none() {
        return count_on(&[&app]).await;
    }
    let (second, third) = (app.start_replica().await, app.start_replica().await);
    count_on(&[&app, &second, &third]).await;
}

#[tokio::test]
async fn no_increment_is_lost_or_doubled_behind_sentinels() {
    let redis: Arc<TestRedis> = TestRedis::shared_kind(RedisKind::Sentinel);
    let app = TestApp::start(Some(redis), &random_prefix(), &[]).await;
    no_increment_is_lost_or_doubled(app).await;
}
