//! Callbacks: only that of the own pending sign-in signs a user in, and once.

use serde_json::json;

use super::fixture::{
    CALLBACK, Callback, Fixture, PENDING_COOKIE, PUBLIC_URL, SIGN_IN, UNEXPECTED, assert_rejected,
    begin, cookie, page, set_cookie,
};
use crate::{
    api::admin::fixture::PASSWORD,
    support::{TestApp, TestResponse, identity_provider::CLIENT_ID, on_redis_only},
    ui::fixture::HOME,
};

on_redis_only!(
    a_sign_in_begins_on_one_replica_and_is_completed_on_another,
    the_request_to_the_provider_has_state_nonce_and_challenge,
    the_cookie_of_a_pending_sign_in_is_limited,
    a_callback_without_the_cookie_of_its_sign_in_is_rejected,
    a_callback_with_a_wrong_state_is_rejected,
    a_pending_sign_in_expires,
    an_error_of_the_provider_is_shown_without_its_text,
    a_callback_of_another_issuer_is_rejected,
    a_sign_in_returns_to_pages_of_the_console_only,
    failed_callbacks_are_limited_like_passwords,
    without_settings_there_is_no_single_sign_on,
);

async fn a_sign_in_begins_on_one_replica_and_is_completed_on_another(app: TestApp) {
    let fixture = Fixture::start(&app).await;
    let other = fixture.start_other(&[]).await;
    let callback = fixture.authenticate(&fixture.app, "").await;
    let signed_in = callback.send(&other).await;
    assert_eq!(signed_in.status, 303, "{}", signed_in.text());
    assert_eq!(signed_in.header("location"), HOME);
    assert_eq!(cookie(&signed_in, PENDING_COOKIE).as_deref(), Some(""));
    for replica in [&fixture.app, &other] {
        let home = page(replica, &signed_in, "").await;
        assert_eq!(home.status, 200);
        assert!(
            home.text()
                .contains("Signed in as <strong><bdi>sso:ann</bdi>")
        );
    }
}

async fn the_request_to_the_provider_has_state_nonce_and_challenge(app: TestApp) {
    let fixture = Fixture::start(&app).await;
    let parameters = async || {
        let begun = begin(&fixture.app, "").await;
        let url = url::Url::parse(begun.header("location")).unwrap();
        let pairs = url.query_pairs().into_owned();
        pairs.collect::<std::collections::HashMap<_, _>>()
    };
    let (one, two) = (parameters().await, parameters().await);
    for secret in ["state", "nonce", "code_challenge"] {
        assert_eq!(one[secret].len(), 43, "{one:?}");
        assert_ne!(one[secret], two[secret], "{secret}");
    }
    assert_eq!(one["code_challenge_method"], "S256");
    assert_eq!(one["response_type"], "code");
    assert_eq!(one["client_id"], CLIENT_ID);
    assert_eq!(one["scope"], "openid profile email");
    assert_eq!(one["redirect_uri"], [PUBLIC_URL, CALLBACK].concat());
}

async fn the_cookie_of_a_pending_sign_in_is_limited(app: TestApp) {
    let fixture = Fixture::start(&app).await;
    let begun = begin(&fixture.app, "").await;
    let header = set_cookie(&begun, PENDING_COOKIE).unwrap();
    for attribute in [
        "HttpOnly",
        "SameSite=Lax",
        "Max-Age=600",
        "Path=/genesys/1/admin/ui/sign-in",
    ] {
        assert!(header.contains(attribute), "{header}");
    }
    assert!(!header.contains("Secure"), "{header}");
    // The cookie does not contain what the provider gets.
    let location = url::Url::parse(begun.header("location")).unwrap();
    for (name, value) in location.query_pairs() {
        let is_secret = ["state", "nonce", "code_challenge"].contains(&name.as_ref());
        assert!(!is_secret || !header.contains(value.as_ref()), "{name}");
    }
    let https = [("single_sign_on.public_url", "https://switchboard.example/")];
    let encrypted = begin(&fixture.start_other(&https).await, "").await;
    let header = set_cookie(&encrypted, PENDING_COOKIE).unwrap();
    assert!(header.contains("Secure"), "{header}");
    let location = encrypted.header("location");
    assert!(
        location.contains("https%3A%2F%2Fswitchboard.example%2Fgenesys"),
        "{location}"
    );
}

async fn a_callback_without_the_cookie_of_its_sign_in_is_rejected(app: TestApp) {
    let fixture = Fixture::start(&app).await;
    // The callback of an attacker, in the browser of another user.
    let attacker = fixture.authenticate(&fixture.app, "").await;
    let without = TestResponse::send(fixture.app.get(&attacker.path)).await;
    assert_rejected(&without, 401, UNEXPECTED);
    let user = fixture.authenticate(&fixture.app, "").await;
    let mixed = Callback {
        path: attacker.path.clone(),
        cookie: user.cookie.clone(),
    };
    assert_rejected(&mixed.send(&fixture.app).await, 401, UNEXPECTED);
    for forged in [
        "",
        "a.1.b.c",
        &user.cookie[1..],
        &attacker.cookie.replace('.', ""),
    ] {
        let forged = Callback {
            path: user.path.clone(),
            cookie: forged.to_owned(),
        };
        assert_rejected(&forged.send(&fixture.app).await, 401, UNEXPECTED);
    }
    assert_eq!(fixture.provider.requests("/token"), 0);
    assert_eq!(user.send(&fixture.app).await.status, 303);
}

async fn a_callback_with_a_wrong_state_is_rejected(app: TestApp) {
    let fixture = Fixture::start(&app).await;
    let callback = fixture.authenticate(&fixture.app, "").await;
    let (state, code) = (callback.parameter("state"), callback.parameter("code"));
    let changed = state.chars().rev().collect::<String>();
    for query in [
        format!("state={changed}&code={code}"),
        format!("state=&code={code}"),
        format!("code={code}"),
        format!("state={state}"),
        format!("state={}&code={code}", &state[1..]),
    ] {
        let wrong = Callback {
            path: format!("{CALLBACK}?{query}"),
            cookie: callback.cookie.clone(),
        };
        assert_rejected(&wrong.send(&fixture.app).await, 401, UNEXPECTED);
    }
    assert_eq!(fixture.provider.requests("/token"), 0);
}

async fn a_pending_sign_in_expires(app: TestApp) {
    let fixture = Fixture::start(&app).await;
    let callback = fixture.authenticate(&fixture.app, "").await;
    let mut parts: Vec<&str> = callback.cookie.split('.').collect();
    let expires_at: i64 = parts[1].parse().unwrap();
    let remaining = expires_at - crate::support::now().millis();
    assert!((580_000..=600_000).contains(&remaining), "{remaining}");
    // The time is signed.
    let later = (expires_at + 1).to_string();
    parts[1] = &later;
    let extended = Callback {
        path: callback.path.clone(),
        cookie: parts.join("."),
    };
    assert_rejected(&extended.send(&fixture.app).await, 401, UNEXPECTED);
}

async fn an_error_of_the_provider_is_shown_without_its_text(app: TestApp) {
    let fixture = Fixture::start(&app).await;
    fixture.provider.state().is_denied = true;
    let response = fixture.sign_in(&fixture.app, "").await;
    assert_rejected(
        &response,
        401,
        "The identity provider has rejected the sign-in: access_denied.",
    );
    assert!(!response.text().contains("the user has rejected it"));
    // The code of the error is text of the provider too.
    let callback = fixture.authenticate(&fixture.app, "").await;
    let state = callback.parameter("state");
    let marked = Callback {
        path: format!("{CALLBACK}?state={state}&error=%3Cscript%3Ebad"),
        ..callback
    };
    let response = marked.send(&fixture.app).await;
    assert_rejected(&response, 401, "has rejected the sign-in: scriptbad.");
}

async fn a_callback_of_another_issuer_is_rejected(app: TestApp) {
    let fixture = Fixture::start(&app).await;
    let callback = fixture.authenticate(&fixture.app, "").await;
    let (state, code) = (callback.parameter("state"), callback.parameter("code"));
    assert_eq!(callback.parameter("iss"), fixture.provider.issuer);
    let path = |iss: &str| format!("{CALLBACK}?state={state}&code={code}{iss}");
    let other = Callback {
        path: path("&iss=https://other.example"),
        ..callback.clone()
    };
    assert_rejected(&other.send(&fixture.app).await, 401, UNEXPECTED);
    // Not every provider sends it.
    let without = Callback {
        path: path(""),
        ..callback
    };
    assert_eq!(without.send(&fixture.app).await.status, 303);
}

async fn a_sign_in_returns_to_pages_of_the_console_only(app: TestApp) {
    let fixture = Fixture::start(&app).await;
    for (to, expected) in [
        (
            "/genesys/1/admin/ui/services?q=a%20b",
            "/genesys/1/admin/ui/services?q=a%20b",
        ),
        ("https://elsewhere.example/", HOME),
        ("//elsewhere.example/genesys/1/admin/ui", HOME),
        ("/genesys/1/admin/ui/\\elsewhere", HOME),
        ("/genesys/1/admin/ui/../../service/store", HOME),
        ("/genesys/1/admin/ui/sign-out", HOME),
        ("", HOME),
    ] {
        let response = fixture.sign_in(&fixture.app, to).await;
        assert_eq!(response.status, 303, "{to}: {}", response.text());
        assert_eq!(response.header("location"), expected, "{to}");
    }
    // A page with a long URL does not make the cookie too long.
    let long = format!("/genesys/1/admin/ui/services?q={}", "a".repeat(4_000));
    let callback = fixture.authenticate(&fixture.app, &long).await;
    assert!(callback.cookie.len() < 4_000);
    assert_eq!(callback.send(&fixture.app).await.header("location"), HOME);
}

async fn failed_callbacks_are_limited_like_passwords(app: TestApp) {
    let limit = [("rate_limit.failed_credentials_per_address", "3")];
    let fixture = Fixture::start_with(&app, &limit).await;
    for _ in 0..5 {
        // Neither successful sign-ins count, nor callbacks that a page of another site can cause.
        assert_eq!(fixture.sign_in(&fixture.app, "").await.status, 303);
        let unexpected = TestResponse::send(fixture.app.get(CALLBACK)).await;
        assert_rejected(&unexpected, 401, UNEXPECTED);
    }
    let valid = fixture.authenticate(&fixture.app, "").await;
    fixture.provider.state().claims = json!({"preferred_username": "ann", "roles": "others"});
    for _ in 0..3 {
        fixture.assert_rejected(403, "no value of the claim").await;
    }
    let limited = fixture.sign_in(&fixture.app, "").await;
    assert_rejected(&limited, 429, "too many wrong credentials");
    assert_ne!(limited.header("retry-after"), "");
    assert_rejected(&valid.send(&fixture.app).await, 429, "too many");
    let password = fixture.app.get("/genesys/1/admin/services");
    let password = password.basic_auth("admin", Some(PASSWORD));
    assert_eq!(
        TestResponse::send(password).await.status,
        429,
        "the same limit"
    );
}

async fn without_settings_there_is_no_single_sign_on(app: TestApp) {
    let app = crate::api::admin::fixture::start_admin(&app).await;
    for path in [format!("{SIGN_IN}/single-sign-on"), CALLBACK.to_owned()] {
        assert_eq!(TestResponse::send(app.get(&path)).await.status, 404);
    }
    let page = TestResponse::send(app.get(SIGN_IN)).await;
    assert!(!page.text().contains("single-sign-on"), "{}", page.text());
}
