//! The log: who signed in, why others did not, and no secret.

use reqwest::{Client, redirect::Policy};
use serde_json::json;

use super::fixture::{
    CALLBACK, PENDING_COOKIE, PUBLIC_URL, SESSION_COOKIE, SIGN_IN, cookie, settings,
};
use crate::support::{
    TestResponse,
    identity_provider::{CLIENT_SECRET, IdentityProvider},
    program::Program,
};

#[tokio::test]
async fn sign_ins_are_logged_without_secrets() {
    let provider = IdentityProvider::start();
    let single_sign_on = settings(&provider.issuer);
    let mut all = vec![("log.level", "trace"), ("log.requests", "all")];
    all.extend(
        single_sign_on
            .iter()
            .map(|(name, value)| (*name, value.as_str())),
    );
    let mut program = Program::serve(&all);
    let address = program.address().await;
    let client = Client::builder().redirect(Policy::none()).build().unwrap();
    let get = async |path: &str, cookie: &str| {
        let request = client.get(format!("http://{address}{path}"));
        TestResponse::send(request.header("cookie", cookie)).await
    };
    let mut secrets = vec![CLIENT_SECRET.to_owned()];
    for claims in [
        json!({"preferred_username": "ann", "roles": "shift"}),
        json!({"preferred_username": "bob"}),
    ] {
        provider.state().claims = claims;
        let begun = get(&format!("{SIGN_IN}/single-sign-on"), "").await;
        let pending = cookie(&begun, PENDING_COOKIE).unwrap();
        let authorized = TestResponse::send(client.get(begun.header("location"))).await;
        let callback = authorized
            .header("location")
            .strip_prefix(PUBLIC_URL)
            .unwrap();
        let signed_in = get(callback, &format!("{PENDING_COOKIE}={pending}")).await;
        let url = url::Url::parse(authorized.header("location")).unwrap();
        for (name, value) in url.query_pairs() {
            if name != "iss" {
                secrets.push(value.into_owned());
            }
        }
        secrets.push(pending);
        secrets.extend(cookie(&signed_in, SESSION_COOKIE));
    }
    let unexpected = get(&format!("{CALLBACK}?state=s3cret&code=s3cret"), "").await;
    assert_eq!(unexpected.status, 401);
    secrets.push("s3cret".to_owned());
    let signed_in = program
        .wait_for_log_event("operator signed in", |_| true)
        .await;
    assert_eq!(signed_in["operator"], "sso:ann");
    assert_eq!(signed_in["role"], "operator");
    assert_eq!(signed_in["subject"], "8a1b");
    assert_eq!(signed_in["client"], "127.0.0.1");
    for reason in [
        "\"bob\", but have no access",
        "the browser has no pending sign-in",
    ] {
        let failed = program.wait_for_log_event("sign-in failed", |event| {
            event["reason"].as_str().unwrap().contains(reason)
        });
        assert_eq!(failed.await["client"], "127.0.0.1");
    }
    program.signal("TERM");
    let ended = program.wait().await;
    assert_eq!(secrets.len(), 9, "{secrets:?}");
    for secret in secrets {
        assert!(
            !ended.stderr.contains(&secret),
            "{secret}: {}",
            ended.stderr
        );
    }
}
