//! A replica that an operator set OFFLINE: the healthcheck command, metrics, the log, and a shutdown.

use std::net::SocketAddr;

use reqwest::{Client, StatusCode};
use serde_json::Value;

use super::terminate;
use crate::support::{eventually, metrics::Metrics, program::Program};

async fn set_status(address: SocketAddr, status: &str) {
    let url = format!("http://{address}/genesys/1/admin/node/changestatus/{status}");
    let request = Client::new().post(url).basic_auth("admin", Some("secret"));
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.text().await.unwrap(), status);
}

/// The names of the reasons of `/readyz`.
async fn reasons(address: SocketAddr) -> Vec<String> {
    let request = Client::new().get(format!("http://{address}/readyz"));
    let request = request.header("accept", "application/json");
    let response = request.send().await.unwrap().text().await.unwrap();
    let response: Value = serde_json::from_str(&response).unwrap();
    let reasons = response["reasons"].as_array().unwrap().iter();
    reasons
        .map(|one| one["reason"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn an_offline_replica_is_healthy_until_it_shuts_down() {
    let settings = [
        ("admin.password", "secret"),
        ("server.drain_seconds", "3600"),
    ];
    let mut program = Program::serve(&settings);
    let address = program.address().await;
    let listen = address.to_string();
    let healthcheck = async || {
        let settings = [("server.listen", listen.as_str())];
        Program::run(&["healthcheck"], &settings).wait().await
    };
    set_status(address, "OFFLINE").await;
    // A container that is restarted would be ONLINE again.
    let ended = healthcheck().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let expected = "503 Service Unavailable: offline: an operator set the replica offline";
    assert!(ended.stdout.contains(expected), "{}", ended.stdout);
    eventually("the metrics show the status", async || {
        let metrics = Metrics::scrape(address).await;
        let is_offline = metrics.value("ready{reason=\"offline\"}") > 0.5
            && metrics.value("ready{reason=\"ready\"}") < 0.5;
        is_offline.then_some(())
    })
    .await;
    for message in ["node status set", "replica is not ready"] {
        program.wait_for_log_event(message, |_| true).await;
    }
    let [event] = &program.log_events("node status set")[..] else {
        panic!("one event");
    };
    assert_eq!(
        (&event["status"], &event["by"]),
        (&"OFFLINE".into(), &"admin".into())
    );
    let [event] = &program.log_events("replica is not ready")[..] else {
        panic!("one event");
    };
    assert_eq!(event["reasons"], "offline");
    assert_eq!(event["detail"], "set by \"admin\"");

    program.signal("TERM");
    let ended = eventually("it is not healthy", async || {
        let ended = healthcheck().await;
        (ended.code == Some(1)).then_some(ended)
    })
    .await;
    let expected = "draining: the replica is shutting down; offline: ";
    assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    assert_eq!(reasons(address).await, ["draining", "offline"]);
    set_status(address, "ONLINE").await;
    assert_eq!(reasons(address).await, ["draining"]);
    assert_eq!(terminate(program).await.code, Some(0));
}
