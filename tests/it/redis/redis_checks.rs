//! The checks of Redis at connect time, and their reports to operators.

use std::net::SocketAddr;

use redis::{aio::MultiplexedConnection, cmd};

use crate::support::{
    dedicated_redis::DedicatedRedis, eventually, metrics::Metrics, program::Program,
};

mod denied;
mod notifications;
mod verify;

/// Starts a Redis that passes all checks, with further options.
async fn start_valid_redis(options: &[(&str, &str)]) -> DedicatedRedis {
    let valid = [("appendonly", "yes"), ("notify-keyspace-events", "Egxe")];
    DedicatedRedis::start(&[&valid[..], options].concat()).await
}

/// Starts a replica on that Redis; returns its address.
async fn start_replica(url: &str, settings: &[(&str, &str)]) -> (Program, SocketAddr) {
    let mut program = Program::serve(&[&[("redis.url", url)], settings].concat());
    let address = program.address().await;
    (program, address)
}

/// Waits until a check has this result.
async fn wait_for_result(address: SocketAddr, check: &str, result: f64) {
    let sample = format!("redis_check{{check=\"{check}\"}}");
    eventually(&format!("{sample} is {result}"), async || {
        let metrics = Metrics::scrape(address).await;
        let matches =
            metrics.has(&sample) && (metrics.value(&sample) - result).abs() < f64::EPSILON;
        matches.then_some(())
    })
    .await;
}

/// Creates or changes the user `sb` with the password `hunter2`.
async fn set_user(connection: &mut MultiplexedConnection, rules: &[&str]) {
    let mut acl = cmd("ACL");
    acl.arg("SETUSER").arg("sb").arg("on").arg(">hunter2");
    acl.arg(rules).exec_async(connection).await.unwrap();
}

/// The URL with that user.
fn url_as_user(url: &str) -> String {
    url.replace("//", "//sb:hunter2@")
}
