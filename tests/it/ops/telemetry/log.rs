//! The log lines of requests.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::Duration,
};

use futures_util::future::join_all;
use reqwest::{Client, Method};
use serde_json::Value;

use super::{create, request};
use crate::support::{
    TestRedis, eventually,
    metrics::Metrics,
    program::Program,
    proxy::{Proxy, ProxyMode},
    random_prefix,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Waits for this number of request lines.
async fn wait_for_lines(program: &Program, count: usize) -> Vec<Value> {
    eventually("the lines are written", async || {
        let lines = program.log_events("request");
        assert!(lines.len() <= count, "{lines:#?}");
        (lines.len() == count).then_some(lines)
    })
    .await
}

#[tokio::test]
async fn a_failed_request_is_logged_with_route_exception_and_ids() {
    let mut program = Program::serve(&[]);
    let address = program.address().await;
    let service = create(address, "store", "a=1").await;
    request(address, Method::GET, &format!("{service}/storage/a")).await;
    request(address, Method::GET, &format!("{service}/storage/none")).await;
    let url = format!("http://{address}{service}/storage");
    for request_id in ["order-4711", "line\u{7f}break", &"x".repeat(201)] {
        let write = Client::new().post(&url).body("{no json");
        let write = write.header("content-type", "application/json");
        let request_id: Result<reqwest::header::HeaderValue, _> = request_id.parse();
        let write = match request_id {
            Ok(request_id) => write.header("x-request-id", request_id),
            Err(_) => write,
        };
        let write = write.header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-00"));
        assert_eq!(write.send().await.unwrap().status(), 500);
    }
    let lines = wait_for_lines(&program, 3).await;
    let line = &lines[0];
    for (field, expected) in [
        ("level", "WARN"),
        ("method", "POST"),
        ("route", "/genesys/1/service/{id}/storage"),
        ("exception", "UnreadableJson"),
        ("request_id", "order-4711"),
        ("trace_id", TRACE),
    ] {
        assert_eq!(line[field], expected, "{line:#}");
    }
    assert_eq!(line["status"], 500);
    assert!(line["duration_ms"].as_f64().unwrap() > 0.0, "{line:#}");
    for line in &lines[1..] {
        assert!(line.get("request_id").is_none(), "{line:#}");
    }
}

#[tokio::test]
async fn a_slow_request_is_logged_and_a_fast_one_is_not() {
    let redis = TestRedis::shared();
    let proxy = Proxy::to_redis(&redis);
    let (url, prefix) = (proxy.url(), random_prefix());
    let settings = [
        ("redis.url", url.as_str()),
        ("redis.prefix", &prefix),
        ("redis.response_timeout_ms", "60000"),
        ("log.slow_request_ms", "20000"),
    ];
    let mut fast = Program::serve(&settings);
    let mut slow = Program::serve(&[&settings[..3], &[("log.slow_request_ms", "50")]].concat());
    let (fast_address, slow_address) = (fast.address().await, slow.address().await);
    let service = create(fast_address, "store", "a=1").await;
    proxy.set_mode(ProxyMode::Forward(Duration::from_millis(60)));
    let path = format!("{service}/storage/a");
    for address in [fast_address, slow_address] {
        assert_eq!(request(address, Method::GET, &path).await, 200);
    }
    let lines = wait_for_lines(&slow, 1).await;
    assert_eq!(
        (&lines[0]["level"], &lines[0]["status"]),
        (&"WARN".into(), &200.into())
    );
    assert!(lines[0]["duration_ms"].as_f64().unwrap() >= 50.0);
    assert_eq!(fast.log_events("request").len(), 0);
}

#[tokio::test]
async fn all_requests_or_none_are_logged_by_the_setting() {
    let mut all = Program::serve(&[("log.requests", "all")]);
    let mut none = Program::serve(&[("log.requests", "none")]);
    let addresses = [all.address().await, none.address().await];
    for address in addresses {
        assert_eq!(request(address, Method::GET, "/livez").await, 200);
        assert_eq!(request(address, Method::GET, "/a/secret").await, 404);
        let url = format!("http://{address}/genesys/1/service/store");
        let create = Client::new().post(url).body("[]");
        let create = create.header("content-type", "application/json");
        assert_eq!(create.send().await.unwrap().status(), 500);
    }
    let lines = wait_for_lines(&all, 3).await;
    let logged = lines.iter().map(|line| {
        let level = line["level"].as_str().unwrap();
        let exception = line["exception"].as_str().unwrap_or_default();
        (level, line["route"].as_str().unwrap(), exception)
    });
    let logged: Vec<_> = logged.collect();
    let expected = [
        ("INFO", "/livez", ""),
        ("INFO", "none", "NotFound"),
        ("WARN", "/genesys/1/service/{service}", "UnreadableJson"),
    ];
    assert_eq!(logged, expected);
    none.signal("TERM");
    let ended = none.wait().await;
    assert!(!ended.stderr.contains("\"request\""), "{}", ended.stderr);
}

#[tokio::test]
async fn probes_of_a_replica_that_is_not_ready_are_not_failures() {
    let mut program = Program::serve(&[("server.drain_seconds", "3600")]);
    let address = program.address().await;
    program.signal("TERM");
    eventually("it is not ready", async || {
        let ready = request(address, Method::GET, "/readyz").await;
        (ready == 503).then_some(())
    })
    .await;
    program.signal("TERM");
    let ended = program.wait().await;
    assert!(!ended.stderr.contains("\"request\""), "{}", ended.stderr);
}

#[tokio::test]
async fn requests_do_not_wait_for_the_log_and_dropped_lines_are_counted() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.env_clear().env("SWITCHBOARD__LOG__REQUESTS", "all");
    command.env("SWITCHBOARD__SERVER__LISTEN", "127.0.0.1:0");
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    // Read the log up to the address, and no further.
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let address = loop {
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        if let Some(address) = line["address"].as_str() {
            break address.parse().unwrap();
        }
    };
    let url = format!("http://{address}/livez");
    let client = Client::new();
    eventually("lines are dropped", async || {
        let requests = (0..500).map(|_| client.get(&url).send());
        for response in join_all(requests).await {
            assert_eq!(response.unwrap().status(), 200);
        }
        let dropped = Metrics::scrape(address)
            .await
            .value("log_lines_dropped_total");
        (dropped > 0.5).then_some(())
    })
    .await;
    child.kill().unwrap();
    child.wait().unwrap();
}
