//! ID tokens: only a valid one signs a user in.

use serde_json::{Value, json};

use super::fixture::{Fixture, assert_rejected, page};
use crate::support::{
    TestApp,
    identity_provider::{SigningKey, TokenFault},
    now, on_redis_only,
};

on_redis_only!(
    a_token_with_a_wrong_claim_is_rejected,
    a_token_without_a_valid_signature_is_rejected,
    keys_are_requested_again_for_an_unknown_key_but_not_at_once,
    a_token_that_is_signed_with_rsa_is_accepted,
    claims_of_other_types_are_accepted,
);

const INVALID: &str = "The response of the identity provider is not valid";

/// No test reaches the limit of failed sign-ins.
async fn start(app: &TestApp) -> Fixture {
    Fixture::start_with(app, &[("rate_limit.failed_credentials_per_address", "0")]).await
}

fn set_claims(fixture: &Fixture, claims: &[(&str, Value)]) {
    let mut all = json!({"preferred_username": "ann", "roles": ["chiefs"]});
    for (name, value) in claims {
        all[*name] = value.clone();
    }
    fixture.provider.state().claims = all;
}

async fn a_token_with_a_wrong_claim_is_rejected(app: TestApp) {
    let fixture = start(&app).await;
    let seconds = now().millis() / 1000;
    for (name, value) in [
        ("nonce", json!("of another sign-in")),
        ("nonce", json!(null)),
        ("aud", json!("another client")),
        ("aud", json!(["switchboard", "another client"])),
        ("iss", json!("http://127.0.0.1:1")),
        ("iss", json!(format!("{}/", fixture.provider.issuer))),
        ("exp", json!(seconds - 60)),
        ("exp", json!(null)),
        ("sub", json!(null)),
    ] {
        set_claims(&fixture, &[(name, value.clone())]);
        let response = fixture.sign_in(&fixture.app, "").await;
        assert_eq!(response.status, 502, "{name} {value}: {}", response.text());
        assert_rejected(&response, 502, INVALID);
    }
    set_claims(&fixture, &[]);
    assert_eq!(fixture.sign_in(&fixture.app, "").await.status, 303);
}

async fn a_token_without_a_valid_signature_is_rejected(app: TestApp) {
    let fixture = start(&app).await;
    for fault in [
        TokenFault::Unsigned,
        TokenFault::WrongSignature,
        TokenFault::SharedSecret,
        TokenFault::Missing,
    ] {
        fixture.provider.state().token_fault = Some(fault);
        fixture.assert_rejected(502, INVALID).await;
    }
    fixture.provider.state().token_fault = None;
    assert_eq!(fixture.sign_in(&fixture.app, "").await.status, 303);
}

async fn keys_are_requested_again_for_an_unknown_key_but_not_at_once(app: TestApp) {
    let fixture = start(&app).await;
    let sign_in = || fixture.sign_in(&fixture.app, "");
    for _ in 0..3 {
        assert_eq!(sign_in().await.status, 303);
    }
    assert_eq!(fixture.provider.requests("/keys"), 1, "cached");
    fixture.provider.state().key = SigningKey::es256();
    assert_eq!(sign_in().await.status, 303, "the new key");
    assert_eq!(fixture.provider.requests("/keys"), 2);
    // Tokens with unknown keys do not cause a request each.
    fixture.provider.state().key = SigningKey::es256();
    for _ in 0..3 {
        fixture.assert_rejected(502, INVALID).await;
    }
    assert_eq!(fixture.provider.requests("/keys"), 2);
}

async fn a_token_that_is_signed_with_rsa_is_accepted(app: TestApp) {
    let fixture = start(&app).await;
    fixture.provider.state().key = SigningKey::rs256();
    let signed_in = fixture.sign_in(&fixture.app, "").await;
    let home = page(&fixture.app, &signed_in, "").await;
    assert!(home.text().contains("sso:ann"), "{}", home.text());
    fixture.provider.state().token_fault = Some(TokenFault::WrongSignature);
    fixture.assert_rejected(502, INVALID).await;
}

async fn claims_of_other_types_are_accepted(app: TestApp) {
    let fixture = start(&app).await;
    let others = [
        ("email_verified", json!("true")),
        ("groups", json!({"a": [1, null]})),
        ("aud", json!(["switchboard"])),
        ("name", json!("Ann \u{e9}")),
    ];
    set_claims(&fixture, &others);
    assert_eq!(fixture.sign_in(&fixture.app, "").await.status, 303);
}
