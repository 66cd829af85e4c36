//! Outages in the middle of many requests.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use serde_json::Value;

use super::{Fixture, send_within_limit, unavailable_message};
use crate::support::{Bodies, eventually, proxy::ProxyMode};

/// What became of the writes: one key each, whose value is its name.
#[derive(Default)]
struct ClientResult {
    stored: Vec<String>,
    unchanged: Vec<String>,
    unknown: usize,
}

/// How many writes were answered how, for who waits for it.
#[derive(Default)]
struct Counts {
    stored: AtomicUsize,
    failed: AtomicUsize,
    stopped: AtomicBool,
}

/// Writes one key after another until it is over.
async fn write(fixture: &Fixture, service: &str, name: &str, counts: &Counts) -> ClientResult {
    let mut told = ClientResult::default();
    for n in 0.. {
        if counts.stopped.load(Relaxed) {
            break;
        }
        let key = format!("{name}{n}");
        let request = fixture.app.post(&format!("{service}/storage"));
        let answer = send_within_limit(request.form_body(&format!("{key}={key}"))).await;
        if answer.status == 200 {
            counts.stored.fetch_add(1, Relaxed);
            told.stored.push(key);
            continue;
        }
        counts.failed.fetch_add(1, Relaxed);
        if unavailable_message(&answer).contains("nothing was changed") {
            told.unchanged.push(key);
        } else {
            told.unknown += 1;
        }
    }
    told
}

/// Lets the count grow a little.
async fn wait_for_increase(count: &AtomicUsize, by: usize) {
    let before = count.load(Relaxed);
    let grown = async || (count.load(Relaxed) >= before + by).then_some(());
    eventually("requests are answered", grown).await;
}

/// Makes and ends an outage again and again while four clients write, then compares what they were
/// told with what is there.
async fn assert_writes_survive(rounds: usize, outage: impl Fn(&Fixture)) {
    let fixture = Fixture::start(
        ProxyMode::Forward(Duration::ZERO),
        &[("limits.keys", "1000000")],
    )
    .await;
    let service = fixture.replica.create("").await;
    let counts = Counts::default();
    let trouble = async {
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
        tokio::join!(client("a"), client("b"), client("c"), client("d"), trouble);

    let held = fixture.replica.storage(&service).await;
    for told in [a, b, c, d] {
        for key in &told.stored {
            assert_eq!(held[key], Value::from(key.as_str()), "acknowledged");
        }
        for key in &told.unchanged {
            assert_eq!(held[key], Value::Null, "said to have changed nothing");
        }
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_connections_were_cut() {
    assert_writes_survive(6, |fixture| fixture.proxy.set_mode(ProxyMode::Close)).await;
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_redis_was_silent() {
    assert_writes_survive(2, |fixture| fixture.proxy.set_mode(ProxyMode::Stall)).await;
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_answers_were_lost() {
    assert_writes_survive(2, |fixture| {
        fixture.proxy.set_mode(ProxyMode::DropResponses)
    })
    .await;
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_answers_were_torn() {
    assert_writes_survive(6, |fixture| fixture.proxy.set_mode(ProxyMode::Truncate)).await;
}
