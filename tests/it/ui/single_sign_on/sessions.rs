//! Sessions of users who signed in by single sign-on: roles, names, their end.

use reqwest::Method;
use serde_json::json;

use super::fixture::{
    Fixture, SESSION_COOKIE, SIGN_IN, UNEXPECTED, assert_rejected, cookie, page, start_replica,
};
use crate::{
    api::{
        admin::fixture::{PASSWORD, actors, get_json, request},
        chat::agents::fixture::{client, start_chat},
    },
    support::{Bodies, TestApp, TestResponse, encode, on_every_kind_of_store, random_prefix},
    ui::fixture::{AdminSession, HOME, between},
};

on_every_kind_of_store!(
    a_pending_sign_in_is_completed_once,
    the_claim_gives_the_role,
    a_user_without_a_role_is_rejected,
    the_audit_log_has_a_name_that_no_other_user_can_have,
    clients_of_chats_see_the_name_without_its_prefix,
    a_session_ends_at_a_replica_with_other_settings,
    signing_out_ends_the_session,
    single_sign_on_alone_enables_the_console,
);

async fn a_pending_sign_in_is_completed_once(app: TestApp) {
    let fixture = Fixture::start(&app).await;
    // The codes of this provider can be used several times.
    let callback = fixture.authenticate(&fixture.app, "").await;
    let all = (0..4).map(|_| callback.send(&fixture.app));
    let all = futures_util::future::join_all(all).await;
    let (signed_in, rejected): (Vec<_>, Vec<_>) =
        all.iter().partition(|response| response.status == 303);
    assert_eq!((signed_in.len(), rejected.len()), (1, 3));
    for response in rejected {
        assert_rejected(response, 401, UNEXPECTED);
    }
    assert_rejected(&callback.send(&fixture.app).await, 401, UNEXPECTED);
    assert_eq!(fixture.provider.requests("/token"), 1);
    // The marks of used sign-ins expire.
    if let Some(redis) = &fixture.app.redis {
        let keys = redis
            .keys(&format!("{}rl:{{single-sign-on*", fixture.app.prefix))
            .await;
        assert_eq!(keys.len(), 1, "{keys:?}");
    }
}

async fn the_claim_gives_the_role(app: TestApp) {
    let fixture = Fixture::start(&app).await;
    // The pages require the roles viewer, operator and admin.
    let pages = ["/services", "/try", "/new/services?preset=store"];
    for (roles, expected, role) in [
        (json!("readers"), [200, 403, 403], "viewer"),
        (json!(["shift", "unknown"]), [200, 200, 403], "operator"),
        (json!(["readers", "chiefs"]), [200, 200, 200], "admin"),
    ] {
        fixture.provider.state().claims = json!({"preferred_username": "ann", "roles": roles});
        let signed_in = fixture.sign_in(&fixture.app, "").await;
        for (path, expected) in pages.into_iter().zip(expected) {
            let response = page(&fixture.app, &signed_in, path).await;
            assert_eq!(response.status, expected, "{role} {path}");
            let text = format!("<span class=\"tag\">{role}</span>");
            assert!(response.text().contains(&text), "{role} {path}");
        }
    }
}

async fn a_user_without_a_role_is_rejected(app: TestApp) {
    let fixture = Fixture::start(&app).await;
    for (claims, expected) in [
        (
            json!({"preferred_username": "ann"}),
            "has no claim \"roles\"",
        ),
        (
            json!({"preferred_username": "ann", "roles": ["Chiefs", ""]}),
            "no value of the claim \"roles\"",
        ),
        (
            json!({"preferred_username": "ann", "roles": {"chiefs": true}}),
            "the claim \"roles\" of the ID token is neither",
        ),
        (
            json!({"email": "ann@example.com", "roles": ["chiefs"]}),
            "has no claim \"preferred_username\"",
        ),
    ] {
        fixture.provider.state().claims = claims;
        fixture.assert_rejected(403, expected).await;
    }
    let hostile = json!({"preferred_username": "<script>alert(1)</script>", "roles": []});
    fixture.provider.state().claims = hostile;
    let response = fixture.sign_in(&fixture.app, "").await;
    assert_rejected(&response, 403, "<script>alert(1)</script>");
    assert!(!response.text().contains("<script>alert"), "escaped");
}

async fn the_audit_log_has_a_name_that_no_other_user_can_have(app: TestApp) {
    // The admin password is accepted with any name.
    let fixture = Fixture::start_with(&app, &[("admin.username", "*")]).await;
    let signed_in = fixture.sign_in(&fixture.app, "").await;
    let session = cookie(&signed_in, SESSION_COOKIE).unwrap();
    let form = page(&fixture.app, &signed_in, "/new/services?preset=store").await;
    let token = between(form.text(), "name=\"form_token\" value=\"", "\"");
    let fields = format!(
        "form_token={token}&name=cart&option:_type=builtin&option:_service=store&revision=none"
    );
    let create = fixture.app.post(&format!("{HOME}/new/services"));
    let create = create.header("cookie", format!("{SESSION_COOKIE}={session}"));
    let created = TestResponse::send(create.form_body(&fields)).await;
    assert_eq!(created.status, 303, "{}", created.text());
    let log = get_json(&fixture.app, "audit-log").await;
    let actors = actors(&log);
    assert_eq!(actors, ["sso:ann"]);
    // Basic authentication ends a user name at the first colon.
    let form = format!("name=sso%3Aann&password={}", PASSWORD.replace(' ', "+"));
    let sign_in = fixture.app.post(SIGN_IN).form_body(&form);
    let response = TestResponse::send(sign_in).await;
    assert_eq!(response.status, 400, "{}", response.text());
    assert_eq!(cookie(&response, SESSION_COOKIE), None);
}

async fn clients_of_chats_see_the_name_without_its_prefix(app: TestApp) {
    let fixture = Fixture::start(&app).await;
    let id = start_chat(&fixture.app, "nickname=Cleo").await;
    let signed_in = fixture.sign_in(&fixture.app, "").await;
    let chats = page(&fixture.app, &signed_in, "/chats").await;
    let token = between(chats.text(), "data-token=\"", "\"");
    let session = cookie(&signed_in, SESSION_COOKIE).unwrap();
    let join = format!("{HOME}/agent/chats/{}/join", encode(&id));
    let join = fixture.app.post(&join).header("x-form-token", token);
    let join = join.header("cookie", format!("{SESSION_COOKIE}={session}"));
    let joined = TestResponse::send(join).await;
    assert_eq!(joined.status, 200, "{}", joined.text());
    let seen = client(&fixture.app, &id, "refresh", "").await.to_string();
    assert!(seen.contains("\"ann\"") && !seen.contains("sso:"), "{seen}");
}

async fn a_session_ends_at_a_replica_with_other_settings(app: TestApp) {
    if app.redis.is_none() {
        return;
    }
    let fixture = Fixture::start(&app).await;
    for changed in [
        ("single_sign_on.client_secret", "a new secret of the client"),
        ("single_sign_on.admin_values", "others"),
        ("single_sign_on.viewer_values", "readers, chiefs"),
        ("single_sign_on.roles_claim", "groups"),
        ("single_sign_on.name_claim", "email"),
        ("single_sign_on.client_id", "another client"),
        ("single_sign_on.issuer", "http://127.0.0.1:1"),
    ] {
        let signed_in = fixture.sign_in(&fixture.app, "").await;
        assert_eq!(page(&fixture.app, &signed_in, "").await.status, 200);
        let other = fixture.start_other(&[changed]).await;
        assert_eq!(
            page(&other, &signed_in, "").await.status,
            303,
            "{changed:?}"
        );
        // For all replicas.
        assert_eq!(
            page(&fixture.app, &signed_in, "").await.status,
            303,
            "{changed:?}"
        );
        // The same settings otherwise: a pending sign-in cannot be completed either.
        let callback = fixture.authenticate(&fixture.app, "").await;
        assert_eq!(callback.send(&other).await.status, 401, "{changed:?}");
    }
    // Settings that do not decide who can sign in.
    let signed_in = fixture.sign_in(&fixture.app, "").await;
    let other = [
        ("single_sign_on.button", "Log in"),
        ("single_sign_on.scopes", ""),
    ];
    let other = fixture.start_other(&other).await;
    assert_eq!(page(&other, &signed_in, "").await.status, 200);
    // Disabled.
    let disabled = crate::api::admin::fixture::start_replica(&fixture.app, &[]).await;
    let session = AdminSession::sign_in(&disabled).await;
    assert_eq!(session.get("").await.status, 200);
    let token = cookie(&signed_in, SESSION_COOKIE).unwrap();
    let home = session.unauthenticated_request(Method::GET, "");
    let home = home.header("cookie", format!("{SESSION_COOKIE}={token}"));
    assert_eq!(TestResponse::send(home).await.status, 303);
    assert_eq!(
        session.on(&fixture.app).get("").await.status,
        200,
        "by password"
    );
}

async fn signing_out_ends_the_session(app: TestApp) {
    let fixture = Fixture::start(&app).await;
    let signed_in = fixture.sign_in(&fixture.app, "").await;
    let home = page(&fixture.app, &signed_in, "").await;
    let token = between(home.text(), "name=\"form_token\" value=\"", "\"");
    let session = cookie(&signed_in, SESSION_COOKIE).unwrap();
    let sign_out = fixture.app.post(&format!("{HOME}/sign-out"));
    let sign_out = sign_out.header("cookie", format!("{SESSION_COOKIE}={session}"));
    let form = format!("form_token={token}");
    let response = TestResponse::send(sign_out.form_body(&form)).await;
    assert_eq!(response.header("location"), SIGN_IN);
    assert_eq!(page(&fixture.app, &signed_in, "").await.status, 303);
}

async fn single_sign_on_alone_enables_the_console(app: TestApp) {
    let fixture = Fixture::start(&app).await;
    let issuer = &fixture.provider.issuer;
    let none = [("admin.password", "")];
    let alone = start_replica(&app, &random_prefix(), issuer, &none).await;
    let sign_in = TestResponse::send(alone.get(SIGN_IN)).await;
    assert!(sign_in.text().contains("Sign in with single sign-on"));
    assert!(
        !sign_in.text().contains("type=\"password\""),
        "no user has a password"
    );
    let signed_in = fixture.sign_in(&alone, "").await;
    assert_eq!(page(&alone, &signed_in, "").await.status, 200);
    for password in ["", PASSWORD] {
        let get = alone.get("/genesys/1/admin/services");
        let get = get.basic_auth("admin", Some(password));
        let response = TestResponse::send(get).await;
        response.error_message("Unauthorized", 401);
    }
    // The admin API has no single sign-on.
    let session = cookie(&signed_in, SESSION_COOKIE).unwrap();
    let get = alone.get("/genesys/1/admin/services");
    let get = get.header("cookie", format!("{SESSION_COOKIE}={session}"));
    assert_eq!(TestResponse::send(get).await.status, 401);
    let response = TestResponse::send(request(&fixture.app, Method::GET, "services")).await;
    assert_eq!(response.status, 200);
}
