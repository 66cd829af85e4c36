//! Outages during many concurrent requests.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use serde_json::Value;

use super::{Fixture, send_within_limit, unavailable_message};
use crate::support::{Bodies, eventually, proxy::ProxyMode};

/// The results of the writes of one client: one key each, whose value is its name.
#[derive(Default)]
struct ClientResult {
    stored: Vec<String>,
    unchanged: Vec<String>,
    unknown: usize,
}

/// The numbers of writes by result, for tasks that wait for progress.
#[derive(Default)]
struct Counts {
    stored: AtomicUsize,
    failed: AtomicUsize,
    stopped: AtomicBool,
}

/// Writes one key after another until stopped.
async fn write(fixture: &Fixture, service: &str, name: &str, counts: &Counts) -> ClientResult {
    let mut result = ClientResult::default();
    for n in 0.. {
        if counts.stopped.load(Relaxed) {
            break;
        }
        let key = format!("{name}{n}");
        let request = fixture.app.post(&format!("{service}/storage"));
        let response = send_within_limit(request.form_body(&format!("{key}={key}"))).await;
        if response.status == 200 {
            counts.stored.fetch_add(1, Relaxed);
            result.stored.push(key);
            continue;
        }
        counts.failed.fetch_add(1, Relaxed);
        if unavailable_message(&response).contains("no changes were made") {
            result.unchanged.push(key);
        } else {
            result.unknown += 1;
        }
    }
    result
}

/// Waits until the count has grown by `by`.
async fn wait_for_increase(count: &AtomicUsize, by: usize) {
    let before = count.load(Relaxed);
    let has_grown = async || (count.load(Relaxed) >= before + by).then_some(());
    eventually("requests are answered", has_grown).await;
}

/// Causes repeated outages while four clients write, then compares their results with the stored data.
async fn assert_writes_survive(rounds: usize, outage: impl Fn(&Fixture)) {
    let fixture = Fixture::start(
        ProxyMode::Forward(Duration::ZERO),
        &[("limits.keys", "1000000")],
    )
    .await;
    let service = fixture.replica.create("").await;
    let counts = Counts::default();
    let outages = async {
        for _ in 0..rounds {
            wait_for_increase(&counts.stored, 20).await;
            outage(&fixture);
            wait_for_increase(&counts.failed, 5).await;
            fixture.proxy.restore();
            fixture.wait_until_ready().await;
        }
        wait_for_increase(&counts.stored, 20).await;
        counts.stopped.store(true, Relaxed);
    };
    let client = |name| write(&fixture, &service, name, &counts);
    let (a, b, c, d, ()) =
        tokio::join!(client("a"), client("b"), client("c"), client("d"), outages);

    let storage = fixture.replica.storage(&service).await;
    for result in [a, b, c, d] {
        for key in &result.stored {
            assert_eq!(storage[key], Value::from(key.as_str()), "acknowledged");
        }
        for key in &result.unchanged {
            assert_eq!(storage[key], Value::Null, "reported as unchanged");
        }
    }
}

#[tokio::test]
async fn acknowledged_writes_survive_closed_connections() {
    assert_writes_survive(6, |fixture| fixture.proxy.set_mode(ProxyMode::Close)).await;
}

#[tokio::test]
async fn acknowledged_writes_survive_unresponsive_redis() {
    assert_writes_survive(2, |fixture| fixture.proxy.set_mode(ProxyMode::Stall)).await;
}

#[tokio::test]
async fn acknowledged_writes_survive_lost_replies() {
    assert_writes_survive(2, |fixture| {
        fixture.proxy.set_mode(ProxyMode::DropResponses);
    })
    .await;
}

#[tokio::test]
async fn acknowledged_writes_survive_truncated_replies() {
    assert_writes_survive(6, |fixture| fixture.proxy.set_mode(ProxyMode::Truncate)).await;
}
