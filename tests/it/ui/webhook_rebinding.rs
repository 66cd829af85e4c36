//! A name of a receiver that resolves to an address inside the network later (DNS rebinding), with the resolver of the
//! system: what is sent, and what *Webhooks* shows.

use std::fs;

use serde_json::json;
use tempfile::NamedTempFile;

use super::fixture::AdminSession;
use crate::{
    api::{
        admin::fixture::ADMIN_SETTINGS,
        webhooks::fixture::{
            ENDPOINT, create_webhook, send_test_event, wait_for_deliveries, wait_for_failure,
        },
    },
    support::{
        TestApp,
        backends::{Backend, MockResponse, ReceivedRequest},
        program::Program,
    },
};

/// The address that the settings allow stands for a public one.
const SETTINGS: [(&str, &str); 2] = [
    ("webhooks.allow_http", "true"),
    ("webhooks.allowed_networks", "127.1.0.0/16"),
];

/// Closes the connection, so that the next event needs a look-up.
fn respond(_: &ReceivedRequest) -> MockResponse {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    MockResponse::Raw(head.to_owned())
}

#[tokio::test]
async fn a_name_that_points_inside_the_network_later_gets_no_request() {
    let inside = Backend::new(respond).await;
    let port = inside.address.port();
    let outside = Backend::new_at(([127, 1, 0, 1], port).into(), respond).await;
    let hosts = NamedTempFile::new().unwrap();
    let point_to = |addresses: &[&str]| {
        let lines = addresses
            .iter()
            .map(|address| format!("{address} receiver.example\n"));
        fs::write(hosts.path(), lines.collect::<String>()).unwrap();
    };
    point_to(&["127.1.0.1"]);
    let settings = [&ADMIN_SETTINGS[..], &SETTINGS].concat();
    let mut program = Program::serve_with_hosts(hosts.path().to_str().unwrap(), &settings);
    let app = TestApp::of_program(program.address().await);
    let url = format!("http://receiver.example:{port}/");
    create_webhook(&app, &url, &json!({})).await;
    send_test_event(&app, ENDPOINT).await;
    wait_for_deliveries(&app, ENDPOINT, 1).await;

    point_to(&["127.0.0.1"]);
    let rejected = send_test_event(&app, ENDPOINT).await;
    let error = wait_for_failure(&app, ENDPOINT).await;
    assert_eq!(error, "address 127.0.0.1 is not allowed");
    let session = AdminSession::sign_in(&app).await;
    for path in ["/webhooks", "/webhooks/services%2Fshop"] {
        let page = session.page(path).await;
        assert!(page.contains(&error), "{page}");
    }
    assert_eq!(outside.received_requests().len(), 1);

    // Of several addresses, only an allowed one gets the event, with the next attempt.
    point_to(&["127.0.0.1", "127.1.0.1"]);
    wait_for_deliveries(&app, ENDPOINT, 2).await;
    let received = outside.received_requests();
    assert_eq!(received.len(), 2);
    assert_eq!(received[1].header("webhook-id"), rejected);
    assert!(inside.received_requests().is_empty());
}
