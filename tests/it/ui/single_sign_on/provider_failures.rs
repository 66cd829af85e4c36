//! An identity provider that is down, slow or faulty. Sign-in with a password is not affected.

use serde_json::json;

use super::fixture::{Fixture, PENDING_COOKIE, begin, cookie, start_replica};
use crate::{
    support::{
        TestApp, TestResponse,
        backends::unreachable_url,
        certificate::{Certificate, CertificateFiles},
        eventually,
        identity_provider::{IdentityProvider, ProviderFault},
        on_redis_only, random_prefix,
    },
    ui::fixture::AdminSession,
};

on_redis_only!(
    a_provider_that_is_down_does_not_prevent_the_start_or_passwords,
    a_faulty_discovery_is_reported_and_tried_again,
    a_document_of_another_issuer_is_rejected,
    a_faulty_token_endpoint_prevents_the_sign_in,
    a_silent_provider_is_not_waited_for,
    a_provider_with_https_needs_a_trusted_certificate_and_only_https,
    the_client_authenticates_as_the_document_says,
);

const UNAVAILABLE: &str = "The identity provider is not available. Try again later.";
const INVALID: &str = "The response of the identity provider is not valid";

/// Asserts that a sign-in does not begin, and that the password is accepted.
async fn assert_not_begun(app: &TestApp, text: &str) {
    let begun = begin(app, "").await;
    assert_not_begun_by(&begun, text);
    AdminSession::sign_in(app).await;
}

fn assert_not_begun_by(begun: &TestResponse, text: &str) {
    assert_eq!(begun.status, 502, "{}", begun.text());
    assert!(begun.text().contains(text), "{}", begun.text());
    assert!(begun.text().contains("type=\"password\""), "the form");
    assert_eq!(cookie(begun, PENDING_COOKIE), None);
}

async fn a_provider_that_is_down_does_not_prevent_the_start_or_passwords(app: TestApp) {
    let issuer = unreachable_url();
    let app = start_replica(&app, &random_prefix(), &issuer, &[]).await;
    assert_not_begun(&app, UNAVAILABLE).await;
    let ready = TestResponse::send(app.get("/readyz")).await;
    assert_eq!(ready.status, 200);
}

async fn a_faulty_discovery_is_reported_and_tried_again(app: TestApp) {
    for fault in [
        ProviderFault::Huge,
        ProviderFault::ServerError,
        ProviderFault::Redirect,
        ProviderFault::NotJson,
    ] {
        let fixture = Fixture::start(&app).await;
        fixture.provider.state().discovery_fault = Some(fault);
        for _ in 0..3 {
            assert_not_begun(&fixture.app, UNAVAILABLE).await;
        }
        let path = "/.well-known/openid-configuration";
        assert_eq!(fixture.provider.requests(path), 1, "{fault:?}");
        fixture.provider.state().discovery_fault = None;
        if fault == ProviderFault::ServerError {
            eventually("the provider is used again", async || {
                (begin(&fixture.app, "").await.status == 303).then_some(())
            })
            .await;
        }
    }
}

async fn a_document_of_another_issuer_is_rejected(app: TestApp) {
    for document in [
        json!({"issuer": "https://other.example"}),
        json!({"jwks_uri": "http://127.0.0.1:1/keys"}),
        json!({"authorization_endpoint": null}),
    ] {
        let fixture = Fixture::start(&app).await;
        fixture.provider.state().document = document;
        assert_not_begun(&fixture.app, UNAVAILABLE).await;
    }
    let fixture = Fixture::start(&app).await;
    let url = "javascript:alert(1)";
    fixture.provider.state().document = json!({"authorization_endpoint": url});
    assert_not_begun(&fixture.app, INVALID).await;
}

async fn a_faulty_token_endpoint_prevents_the_sign_in(app: TestApp) {
    let fixture = Fixture::start(&app).await;
    for (fault, text) in [
        (ProviderFault::Huge, INVALID),
        (ProviderFault::ServerError, UNAVAILABLE),
        (ProviderFault::Redirect, INVALID),
        (ProviderFault::NotJson, INVALID),
    ] {
        fixture.provider.state().token_endpoint_fault = Some(fault);
        fixture.assert_rejected(502, text).await;
    }
    fixture.provider.state().token_endpoint_fault = None;
    assert_eq!(fixture.sign_in(&fixture.app, "").await.status, 303);
}

async fn a_silent_provider_is_not_waited_for(app: TestApp) {
    let fixture = Fixture::start(&app).await;
    fixture.provider.state().token_endpoint_fault = Some(ProviderFault::Silent);
    fixture.assert_rejected(502, UNAVAILABLE).await;
    let other = fixture.start_other(&[]).await;
    fixture.provider.state().discovery_fault = Some(ProviderFault::Silent);
    // Concurrent requests wait for one result.
    let all = (0..8).map(|_| begin(&other, ""));
    for begun in futures_util::future::join_all(all).await {
        assert_not_begun_by(&begun, UNAVAILABLE);
    }
    let path = "/.well-known/openid-configuration";
    assert_eq!(fixture.provider.requests(path), 2, "one of each replica");
    AdminSession::sign_in(&other).await;
}

async fn a_provider_with_https_needs_a_trusted_certificate_and_only_https(app: TestApp) {
    let certificate = Certificate::generate();
    let files = CertificateFiles::write(&certificate);
    let trusted = [("single_sign_on.ca_file", files.settings()[0].1)];
    let start = async |others: &[(&str, &str)]| {
        let provider = IdentityProvider::start_encrypted(&certificate);
        Fixture::with_provider(&app, provider, others).await
    };
    let fixture = start(&trusted).await;
    assert_eq!(fixture.sign_in(&fixture.app, "").await.status, 303);
    assert_not_begun(&start(&[]).await.app, UNAVAILABLE).await;
    for endpoint in ["jwks_uri", "authorization_endpoint"] {
        let fixture = start(&trusted).await;
        let url = format!("http://127.0.0.1:1/{endpoint}");
        fixture.provider.state().document = json!({endpoint: url});
        let begun = begin(&fixture.app, "").await;
        assert_eq!(begun.status, 502, "{endpoint}: {}", begun.text());
        assert_eq!(cookie(&begun, PENDING_COOKIE), None);
    }
    let fixture = start(&trusted).await;
    let url = "http://127.0.0.1:1/token";
    fixture.provider.state().document = json!({"token_endpoint": url});
    fixture.assert_rejected(502, INVALID).await;
}

async fn the_client_authenticates_as_the_document_says(app: TestApp) {
    for methods in [
        json!(["client_secret_post"]),
        json!(["client_secret_post", "client_secret_basic"]),
        json!(["private_key_jwt"]),
    ] {
        let fixture = Fixture::start(&app).await;
        let document = json!({"token_endpoint_auth_methods_supported": methods});
        fixture.provider.state().document = document;
        let response = fixture.sign_in(&fixture.app, "").await;
        assert_eq!(response.status, 303, "{methods}: {}", response.text());
    }
}
