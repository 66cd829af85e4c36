//! What is checked of Redis when the service connects, and what an operator sees of it.

use std::net::SocketAddr;

use redis::{aio::MultiplexedConnection, cmd};

use crate::support::{
    dedicated_redis::DedicatedRedis, eventually, metrics::Metrics, program::Program,
};

mod denied;
mod notifications;
mod verify;

/// A Redis that passes all checks, with these options over those that it needs for that.
async fn start_valid_redis(options: &[(&str, &str)]) -> DedicatedRedis {
    let sound = [("appendonly", "yes"), ("notify-keyspace-events", "Egxe")];
    DedicatedRedis::start(&[&sound[..], options].concat()).await
}

/// A replica on that Redis, and where it serves.
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
        let is = metrics.has(&sample) && (metrics.value(&sample) - result).abs() < f64::EPSILON;
        is.then_some(())
    })
    .await;
}

/// Makes or changes the user `sb`, whose password is `hunter2`.
async fn set_user(connection: &mut MultiplexedConnection, rules: &[&str]) {
    let mut acl = cmd("ACL");
    acl.arg("SETUSER").arg("sb").arg("on").arg(">hunter2");
    acl.arg(rules).exec_async(connection).await.unwrap();
}

/// The URL for that user.
fn url_as_user(url: &str) -> String {
    url.replace("//", "//sb:hunter2@")
}
