//! Sign-in, session cookie, and security headers.

use redis::cmd;
use reqwest::{Client, Method, StatusCode, redirect::Policy};

use super::{
    browser_fixture::{ADMIN_SETTINGS, PASSWORD},
    fixture::{HOME, between},
};
use crate::support::{Bodies, TestApp, TestRedis, TestResponse, random_prefix};

async fn start_admin(overrides: &[(&str, &str)]) -> TestApp {
    let all = [&ADMIN_SETTINGS[..], overrides].concat();
    let mut app = TestApp::start(Some(TestRedis::shared()), &random_prefix(), &all).await;
    disable_redirects(&mut app);
    app
}

async fn start_replica(app: &TestApp, overrides: &[(&str, &str)]) -> TestApp {
    let all = [&ADMIN_SETTINGS[..], overrides].concat();
    let mut replica = TestApp::start(app.redis.clone(), &app.prefix, &all).await;
    disable_redirects(&mut replica);
    replica
}

/// The tests inspect redirects instead of following them.
fn disable_redirects(app: &mut TestApp) {
    app.client = Client::builder().redirect(Policy::none()).build().unwrap();
}

async fn try_sign_in(app: &TestApp, name: &str, password: &str, to: &str) -> TestResponse {
    let form = format!(
        "name={name}&password={}&to={to}",
        password.replace(' ', "+")
    );
    TestResponse::send(app.post(&format!("{HOME}/sign-in")).form_body(&form)).await
}

/// Signs in. Returns the value of the header `Cookie`.
async fn session_cookie(app: &TestApp) -> String {
    let response = try_sign_in(app, "admin", PASSWORD, "").await;
    assert_eq!(
        response.status,
        StatusCode::SEE_OTHER,
        "{}",
        response.text()
    );
    let cookie = response.header("set-cookie").split(';').next();
    cookie.unwrap().to_owned()
}

async fn page(app: &TestApp, cookie: &str) -> TestResponse {
    TestResponse::send(app.get(HOME).header("cookie", cookie)).await
}

fn assert_redirected_to_sign_in(response: &TestResponse) {
    assert_eq!(
        response.status,
        StatusCode::SEE_OTHER,
        "{}",
        response.text()
    );
    let location = response.header("location");
    assert!(
        location.starts_with(&format!("{HOME}/sign-in?to=")),
        "{location}"
    );
}

fn form_token(page: &TestResponse) -> String {
    between(page.text(), "name=\"form_token\" value=\"", "\"").to_owned()
}

#[tokio::test]
async fn pages_redirect_to_sign_in_and_back() {
    let app = start_admin(&[]).await;
    assert_redirected_to_sign_in(&TestResponse::send(app.get(HOME)).await);
    assert_redirected_to_sign_in(&page(&app, "switchboard_session=made-up").await);
    let wrong = try_sign_in(&app, "<b>x", "wrong", "").await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(wrong.text().contains("Incorrect user name or password"));
    assert!(!wrong.text().contains("<b>x"), "{}", wrong.text());
    assert!(wrong.headers.get("set-cookie").is_none());
    let to = "%2Fgenesys%2F1%2Fadmin%2Fui%3Fx%3D1";
    let right = try_sign_in(&app, "admin", PASSWORD, to).await;
    assert_eq!(right.header("location"), format!("{HOME}?x=1"));
    let elsewhere = try_sign_in(&app, "admin", PASSWORD, "https%3A%2F%2Felsewhere").await;
    assert_eq!(elsewhere.header("location"), HOME);
}

#[tokio::test]
async fn session_cookie_is_limited_to_the_pages_and_http_only() {
    let app = start_admin(&[]).await;
    let response = try_sign_in(&app, "admin", PASSWORD, "").await;
    let cookie = response.header("set-cookie");
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/genesys/1/admin/ui"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(
        !cookie.contains("Secure"),
        "browsers reject Secure cookies over plain HTTP"
    );
    let proxied = app.post(&format!("{HOME}/sign-in"));
    let proxied = proxied.header("x-forwarded-proto", "https");
    let form = format!("name=admin&password={}", PASSWORD.replace(' ', "+"));
    let response = TestResponse::send(proxied.form_body(&form)).await;
    assert!(response.header("set-cookie").contains("Secure"));
    // The admin API does not accept the cookie.
    let cookie = response.header("set-cookie").split(';').next().unwrap();
    let api = app
        .get("/genesys/1/admin/services")
        .header("cookie", cookie);
    assert_eq!(
        TestResponse::send(api).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn pages_have_security_headers() {
    let app = start_admin(&[]).await;
    let cookie = session_cookie(&app).await;
    for path in [
        HOME,
        &format!("{HOME}/sign-in"),
        &format!("{HOME}/assets/pages.js"),
    ] {
        let response = TestResponse::send(app.get(path).header("cookie", &cookie)).await;
        assert_eq!(response.status, StatusCode::OK, "{path}");
        let policy = response.header("content-security-policy");
        for rule in [
            "default-src 'none'",
            "script-src 'sha256-",
            "frame-ancestors 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        // Scripts are allowed by digest, not by origin; the digest of each script element is allowed.
        let scripts = policy
            .split("; ")
            .find(|rule| rule.starts_with("script-src"))
            .unwrap();
        assert!(!scripts.contains("'self'"), "{scripts}");
        for element in response
            .text()
            .split("<script")
            .skip(1)
            .filter(|_| !path.contains("/assets/"))
        {
            let digest = element.split("integrity=\"").nth(1).unwrap();
            let digest = digest.split('"').next().unwrap();
            assert!(scripts.contains(&format!("'{digest}'")), "{path}: {digest}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(response.header("x-frame-options"), "DENY");
        assert_eq!(response.header("x-content-type-options"), "nosniff");
        assert_eq!(response.header("referrer-policy"), "same-origin");
        assert!(response.header("cache-control").contains("no-cache"));
    }
}

#[tokio::test]
async fn session_is_shared_by_all_replicas() {
    let app = start_admin(&[]).await;
    let other = start_replica(&app, &[]).await;
    let cookie = session_cookie(&app).await;
    let on_other = page(&other, &cookie).await;
    assert_eq!(on_other.status, StatusCode::OK);
    let out = other.post(&format!("{HOME}/sign-out"));
    let form = format!("form_token={}", form_token(&on_other));
    let out = TestResponse::send(out.header("cookie", &cookie).form_body(&form)).await;
    assert_eq!(out.status, StatusCode::SEE_OTHER);
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    assert_redirected_to_sign_in(&page(&app, &cookie).await);
}

#[tokio::test]
async fn session_expires_when_idle_and_when_the_password_changes() {
    let app = start_admin(&[("admin.session_idle_seconds", "60")]).await;
    let cookie = session_cookie(&app).await;
    let mut connection = app.redis.as_ref().unwrap().connection().await;
    let pattern = format!("{}session:*", app.prefix);
    let keys: Vec<String> = cmd("KEYS")
        .arg(pattern)
        .query_async(&mut connection)
        .await
        .unwrap();
    let [key] = keys.as_slice() else {
        panic!("{keys:?}");
    };
    assert!(
        !key.contains(cookie.split('=').nth(1).unwrap()),
        "the key contains the session token"
    );
    let left: u64 = cmd("PTTL")
        .arg(key)
        .query_async(&mut connection)
        .await
        .unwrap();
    assert!((1..=60_000).contains(&left), "{left}");
    let changed = start_replica(&app, &[("admin.password", "another one")]).await;
    assert_redirected_to_sign_in(&page(&changed, &cookie).await);
    assert_eq!(page(&app, &cookie).await.status, StatusCode::OK);
    // A session past its maximum age.
    let expired = "{\"operator\":\"admin\",\"role\":\"administrator\",\"until\":1}";
    cmd("SET")
        .arg(key)
        .arg(expired)
        .exec_async(&mut connection)
        .await
        .unwrap();
    assert_redirected_to_sign_in(&page(&app, &cookie).await);
    let on_other: bool = cmd("EXISTS")
        .arg(key)
        .query_async(&mut connection)
        .await
        .unwrap();
    assert!(!on_other);
}

#[tokio::test]
async fn too_many_sign_in_attempts_are_rejected_on_every_replica() {
    let app = start_admin(&[("server.trusted_proxies", "127.0.0.0/8")]).await;
    let other = start_replica(&app, &[("server.trusted_proxies", "127.0.0.0/8")]).await;
    let attempt = async |app: &TestApp, from: &str, password: &str| {
        let request = app
            .post(&format!("{HOME}/sign-in"))
            .header("x-forwarded-for", from);
        let form = format!("name=admin&password={}", password.replace(' ', "+"));
        TestResponse::send(request.form_body(&form)).await
    };
    for _ in 0..5 {
        // Successful attempts do not count.
        assert_eq!(attempt(&app, "192.0.2.1", PASSWORD).await.status, 303);
        assert_eq!(attempt(&app, "192.0.2.1", "no").await.status, 401);
        assert_eq!(attempt(&other, "192.0.2.1", "no").await.status, 401);
    }
    for app in [&app, &other] {
        let refused = attempt(app, "192.0.2.1", PASSWORD).await;
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
        assert!(refused.text().contains("the limit is 10 in 60 seconds"));
    }
    assert_eq!(attempt(&app, "192.0.2.2", PASSWORD).await.status, 303);
}

#[tokio::test]
async fn forged_forms_are_rejected() {
    let app = start_admin(&[]).await;
    let cookie = session_cookie(&app).await;
    let mine = page(&app, &cookie).await;
    let others = form_token(&page(&app, &session_cookie(&app).await).await);
    let out = || {
        let request = app.request(Method::POST, &format!("{HOME}/sign-out"));
        request.header("cookie", &cookie)
    };
    for form in [
        "",
        "form_token=",
        "form_token=x",
        &format!("form_token={others}"),
    ] {
        let response = TestResponse::send(out().form_body(form)).await;
        assert_eq!(response.status, StatusCode::FORBIDDEN, "{form}");
        assert!(response.text().contains("no changes were made"));
    }
    let token = format!("form_token={}", form_token(&mine));
    for (name, value) in [
        ("origin", "https://elsewhere"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let response = TestResponse::send(out().header(name, value).form_body(&token)).await;
        assert_eq!(response.status, StatusCode::FORBIDDEN, "{name}: {value}");
    }
    let sent = out().typed_body("text/plain", token.as_bytes());
    let response = TestResponse::send(sent).await;
    assert_eq!(response.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(
        page(&app, &cookie).await.status,
        StatusCode::OK,
        "still signed in"
    );
    let unsigned = app.post(&format!("{HOME}/sign-out")).form_body(&token);
    assert_eq!(
        TestResponse::send(unsigned).await.status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn error_pages_have_the_menu() {
    let app = start_admin(&[]).await;
    let cookie = session_cookie(&app).await;
    for (path, exception) in [
        ("nothing", "no route matches"),
        ("services/unknown", "there is no service"),
        ("active-services?limit=0", "limit"),
    ] {
        let request = app.get(&format!("{HOME}/{path}"));
        let response = TestResponse::send(request.header("cookie", &cookie)).await;
        assert!(response.status.is_client_error(), "{path}");
        let text = response.text();
        assert!(
            text.contains(exception) && text.contains("Sign out"),
            "{path}: {text}"
        );
        assert_eq!(response.header("content-type"), "text/html;charset=utf-8");
        let unsigned = TestResponse::send(app.get(&format!("{HOME}/{path}"))).await;
        assert_eq!(unsigned.status, StatusCode::SEE_OTHER, "{path}");
    }
}
