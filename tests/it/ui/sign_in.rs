//! Who may see the pages, and for how long.

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

/// Where it is sent to is looked at, not followed.
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

/// Signs in; gives the cookie as it is sent back.
async fn session_cookie(app: &TestApp) -> String {
    let answer = try_sign_in(app, "admin", PASSWORD, "").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    let cookie = answer.header("set-cookie").split(';').next();
    cookie.unwrap().to_owned()
}

async fn page(app: &TestApp, cookie: &str) -> TestResponse {
    TestResponse::send(app.get(HOME).header("cookie", cookie)).await
}

fn assert_redirected_to_sign_in(answer: &TestResponse) {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    let place = answer.header("location");
    assert!(place.starts_with(&format!("{HOME}/sign-in?to=")), "{place}");
}

fn form_token(page: &TestResponse) -> String {
    between(page.text(), "name=\"form_token\" value=\"", "\"").to_owned()
}

#[tokio::test]
async fn who_is_not_signed_in_is_asked_to_and_led_on_afterwards() {
    let app = start_admin(&[]).await;
    assert_redirected_to_sign_in(&TestResponse::send(app.get(HOME)).await);
    assert_redirected_to_sign_in(&page(&app, "switchboard_session=made-up").await);
    let wrong = try_sign_in(&app, "<b>x", "wrong", "").await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(wrong.text().contains("not those of the administration"));
    assert!(!wrong.text().contains("<b>x"), "{}", wrong.text());
    assert!(wrong.headers.get("set-cookie").is_none());
    let to = "%2Fgenesys%2F1%2Fadmin%2Fui%3Fx%3D1";
    let right = try_sign_in(&app, "admin", PASSWORD, to).await;
    assert_eq!(right.header("location"), format!("{HOME}?x=1"));
    let elsewhere = try_sign_in(&app, "admin", PASSWORD, "https%3A%2F%2Felsewhere").await;
    assert_eq!(elsewhere.header("location"), HOME);
}

#[tokio::test]
async fn the_cookie_goes_to_the_pages_alone_and_no_script_reads_it() {
    let app = start_admin(&[]).await;
    let answer = try_sign_in(&app, "admin", PASSWORD, "").await;
    let cookie = answer.header("set-cookie");
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/genesys/1/admin/ui"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(
        !cookie.contains("Secure"),
        "over plain HTTP it would be lost"
    );
    let behind = app.post(&format!("{HOME}/sign-in"));
    let behind = behind.header("x-forwarded-proto", "https");
    let form = format!("name=admin&password={}", PASSWORD.replace(' ', "+"));
    let answer = TestResponse::send(behind.form_body(&form)).await;
    assert!(answer.header("set-cookie").contains("Secure"));
    // The API takes no cookie: what a page makes a browser send does nothing there.
    let cookie = answer.header("set-cookie").split(';').next().unwrap();
    let api = app
        .get("/genesys/1/admin/services")
        .header("cookie", cookie);
    assert_eq!(
        TestResponse::send(api).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn no_page_can_be_framed_run_what_is_not_ours_or_be_kept() {
    let app = start_admin(&[]).await;
    let cookie = session_cookie(&app).await;
    for path in [
        HOME,
        &format!("{HOME}/sign-in"),
        &format!("{HOME}/assets/pages.js"),
    ] {
        let answer = TestResponse::send(app.get(path).header("cookie", &cookie)).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        let policy = answer.header("content-security-policy");
        for rule in [
            "default-src 'none'",
            "script-src 'sha256-",
            "frame-ancestors 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        // No script runs for where it comes from, and each one that a page names is allowed.
        let scripts = policy
            .split("; ")
            .find(|rule| rule.starts_with("script-src"))
            .unwrap();
        assert!(!scripts.contains("'self'"), "{scripts}");
        for element in answer
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
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "same-origin");
        assert!(answer.header("cache-control").contains("no-cache"));
    }
}

#[tokio::test]
async fn a_visit_holds_on_every_replica_and_ends_on_all_of_them() {
    let app = start_admin(&[]).await;
    let other = start_replica(&app, &[]).await;
    let cookie = session_cookie(&app).await;
    let there = page(&other, &cookie).await;
    assert_eq!(there.status, StatusCode::OK);
    let out = other.post(&format!("{HOME}/sign-out"));
    let form = format!("form_token={}", form_token(&there));
    let out = TestResponse::send(out.header("cookie", &cookie).form_body(&form)).await;
    assert_eq!(out.status, StatusCode::SEE_OTHER);
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    assert_redirected_to_sign_in(&page(&app, &cookie).await);
}

#[tokio::test]
async fn a_visit_ends_when_nothing_is_done_after_a_while_and_with_the_password() {
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
        "the store knows no token"
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
    // As it is when it has lasted for long enough.
    let over = "{\"operator\":\"admin\",\"until\":1}";
    cmd("SET")
        .arg(key)
        .arg(over)
        .exec_async(&mut connection)
        .await
        .unwrap();
    assert_redirected_to_sign_in(&page(&app, &cookie).await);
    let there: bool = cmd("EXISTS")
        .arg(key)
        .query_async(&mut connection)
        .await
        .unwrap();
    assert!(!there);
}

#[tokio::test]
async fn too_many_attempts_from_one_address_are_refused_on_every_replica() {
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
        // Those that succeed do not count.
        assert_eq!(attempt(&app, "192.0.2.1", PASSWORD).await.status, 303);
        assert_eq!(attempt(&app, "192.0.2.1", "no").await.status, 401);
        assert_eq!(attempt(&other, "192.0.2.1", "no").await.status, 401);
    }
    for app in [&app, &other] {
        let refused = attempt(app, "192.0.2.1", PASSWORD).await;
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
        assert!(refused.text().contains("10 are allowed in 60 seconds"));
    }
    assert_eq!(attempt(&app, "192.0.2.2", PASSWORD).await.status, 303);
}

#[tokio::test]
async fn a_form_that_is_none_of_ours_does_nothing() {
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
        let answer = TestResponse::send(out().form_body(form)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{form}");
        assert!(answer.text().contains("nothing was changed"));
    }
    let token = format!("form_token={}", form_token(&mine));
    for (name, value) in [
        ("origin", "https://elsewhere"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let answer = TestResponse::send(out().header(name, value).form_body(&token)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name}: {value}");
    }
    let sent = out().typed_body("text/plain", token.as_bytes());
    let answer = TestResponse::send(sent).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
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
async fn what_goes_wrong_is_told_on_a_page_with_the_menu() {
    let app = start_admin(&[]).await;
    let cookie = session_cookie(&app).await;
    for (path, exception) in [
        ("nothing", "no route matches"),
        ("services/nobody", "there is no service"),
        ("live?limit=0", "limit"),
    ] {
        let request = app.get(&format!("{HOME}/{path}"));
        let answer = TestResponse::send(request.header("cookie", &cookie)).await;
        assert!(answer.status.is_client_error(), "{path}");
        let text = answer.text();
        assert!(
            text.contains(exception) && text.contains("Sign out"),
            "{path}: {text}"
        );
        assert_eq!(answer.header("content-type"), "text/html;charset=utf-8");
        let unsigned = TestResponse::send(app.get(&format!("{HOME}/{path}"))).await;
        assert_eq!(unsigned.status, StatusCode::SEE_OTHER, "{path}");
    }
}
