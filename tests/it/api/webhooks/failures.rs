//! Receivers that fail: what is sent, and what operators see.

use serde_json::json;

use super::fixture::{
    ENDPOINT, SECRET, create_webhook, create_webhook_of, receiver, send_test_event, start, verify,
    wait_for_deliveries, wait_for_failure,
};
use crate::{
    api::admin::fixture::start_admin_with,
    support::{
        TestApp,
        backends::{Backend, MockResponse},
        certificate::{Certificate, CertificateFiles},
        eventually, on_redis_only,
    },
};

on_redis_only!(
    a_redirect_is_not_followed,
    a_response_of_a_gib_is_cut_off,
    a_receiver_that_does_not_exist_is_reported,
    an_address_that_is_not_allowed_gets_no_request,
    a_certificate_of_an_unknown_authority_is_rejected,
);

async fn a_redirect_is_not_followed(app: TestApp) {
    let app = start(&app, &[]).await;
    let target = receiver(200).await;
    let location = format!("{}/new?token=secret", target.url());
    let receiver = Backend::new(move |_| {
        MockResponse::Raw(format!(
            "HTTP/1.1 307 X\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
        ))
    })
    .await;
    create_webhook(&app, &receiver.url(), &json!({})).await;
    send_test_event(&app, ENDPOINT).await;
    let error = wait_for_failure(&app, ENDPOINT).await;
    let expected = format!(
        "response 307: redirect to {}/new not followed",
        target.url()
    );
    assert_eq!(error, expected);
    assert!(target.received_requests().is_empty());
}

async fn a_response_of_a_gib_is_cut_off(app: TestApp) {
    let app = start(&app, &[]).await;
    let receiver = Backend::new(|_| MockResponse::Large(1 << 30, Some(1 << 30))).await;
    create_webhook(&app, &receiver.url(), &json!({})).await;
    send_test_event(&app, ENDPOINT).await;
    wait_for_deliveries(&app, ENDPOINT, 1).await;
}

async fn a_receiver_that_does_not_exist_is_reported(app: TestApp) {
    let app = start(&app, &[]).await;
    let mut receiver = receiver(200).await;
    receiver.stop().await;
    create_webhook(&app, &receiver.url(), &json!({})).await;
    let id = send_test_event(&app, ENDPOINT).await;
    let error = wait_for_failure(&app, ENDPOINT).await;
    assert!(error.starts_with("Connection refused"), "{error}");
    receiver.restart().await;
    wait_for_deliveries(&app, ENDPOINT, 1).await;
    assert_eq!(verify(&receiver.last_request(), SECRET)["id"], id);
}

async fn an_address_that_is_not_allowed_gets_no_request(app: TestApp) {
    let allowed = [
        ("webhooks.allow_http", "true"),
        ("webhooks.allowed_networks", "127.1.0.0/16"),
    ];
    let app = start_admin_with(&app, &allowed).await;
    let receiver = receiver(200).await;
    let port = receiver.address.port();
    for (name, host, address) in [
        ("literal", "127.0.0.1", "127.0.0.1"),
        ("decimal", "2130706433", "127.0.0.1"),
        ("mapped", "[::ffff:127.0.0.1]", "127.0.0.1"),
        ("name", "localhost", ""),
    ] {
        let url = format!("http://{host}:{port}/");
        create_webhook_of(&app, name, &url, &json!({})).await;
        let endpoint = format!("services/{name}");
        send_test_event(&app, &endpoint).await;
        let error = wait_for_failure(&app, &endpoint).await;
        assert!(error.starts_with(&format!("address {address}")), "{error}");
        assert!(error.ends_with("is not allowed"), "{error}");
    }
    assert!(receiver.received_requests().is_empty());
}

/// The receiver is another app, which answers 404 to a path that it does not have.
async fn a_certificate_of_an_unknown_authority_is_rejected(app: TestApp) {
    let certificate = Certificate::generate();
    let files = CertificateFiles::write(&certificate);
    let receiver = app.start_sibling(&files.settings()).await;
    let url = format!("https://localhost:{}/hook", receiver.address.port());
    let untrusting = start(&app, &[]).await;
    create_webhook(&untrusting, &url, &json!({})).await;
    send_test_event(&untrusting, ENDPOINT).await;
    let error = wait_for_failure(&untrusting, ENDPOINT).await;
    assert!(error.contains("certificate"), "{error}");
    assert!(error.contains("webhooks.ca_file"), "{error}");
    let ca_file = files.settings()[0].1.to_owned();
    let trusting = start(&app, &[("webhooks.ca_file", &ca_file)]).await;
    create_webhook(&trusting, &url, &json!({})).await;
    send_test_event(&trusting, ENDPOINT).await;
    let error = eventually("the receiver has responded", async || {
        Some(wait_for_failure(&trusting, ENDPOINT).await)
    });
    assert_eq!(error.await, "response 404");
}
