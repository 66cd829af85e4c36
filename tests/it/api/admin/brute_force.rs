//! Failed sign-ins by HTTP Basic and on the sign-in page are rate limited.

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};

use super::fixture::{ADMIN_SETTINGS, PASSWORD};
use crate::support::{
    Bodies, TestApp, TestResponse, encode, on_every_kind_of_store, random_prefix,
};

on_every_kind_of_store!(
    failed_basic_and_form_sign_ins_share_a_limit,
    requests_without_credentials_do_not_count,
    concurrent_failures_do_not_exceed_the_limit,
    concurrent_correct_sign_ins_lock_no_client_out,
    failed_sign_ins_do_not_end_existing_sessions,
);

const PROXY: (&str, &str) = ("server.trusted_proxies", "127.0.0.0/8");
const SIGN_IN: &str = "/genesys/1/admin/ui/sign-in";

async fn start_behind_proxy(app: &TestApp) -> TestApp {
    start_replica(app, &random_prefix()).await
}

async fn start_replica(app: &TestApp, prefix: &str) -> TestApp {
    let all = [ADMIN_SETTINGS[0], PROXY];
    TestApp::start(app.redis.clone(), prefix, &all).await
}

/// A request with HTTP Basic from this client address.
async fn sign_in_with_basic(app: &TestApp, from: &str, password: &str) -> TestResponse {
    let request = app.get("/genesys/1/admin/services");
    let request = request.header("x-forwarded-for", from);
    TestResponse::send(request.basic_auth("admin", Some(password))).await
}

/// A submission of the sign-in form from this client address.
async fn sign_in_with_form(app: &TestApp, from: &str, password: &str) -> TestResponse {
    let request = app.post(SIGN_IN).header("x-forwarded-for", from);
    let form = format!("name=admin&password={}", encode(password));
    TestResponse::send(request.form_body(&form)).await
}

fn assert_rate_limited(response: &TestResponse) {
    assert_eq!(response.status, StatusCode::TOO_MANY_REQUESTS);
    let seconds: u64 = response.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
}

async fn failed_basic_and_form_sign_ins_share_a_limit(app: TestApp) {
    let app = start_behind_proxy(&app).await;
    for _ in 0..5 {
        // Correct passwords do not count.
        assert_eq!(
            sign_in_with_basic(&app, "192.0.2.1", PASSWORD).await.status,
            200
        );
        let wrong = sign_in_with_basic(&app, "192.0.2.1", "wrong").await;
        wrong.error_message("Unauthorized", 401);
        assert_eq!(
            sign_in_with_form(&app, "192.0.2.1", "wrong").await.status,
            401
        );
    }
    for password in ["wrong", PASSWORD] {
        let refused = sign_in_with_basic(&app, "192.0.2.1", password).await;
        assert_rate_limited(&refused);
        let message = refused.error_message("TooManyRequests", 429);
        assert!(
            message.contains("the limit is 10 in 60 seconds"),
            "{message}"
        );
        let page = sign_in_with_form(&app, "192.0.2.1", password).await;
        assert_rate_limited(&page);
        assert_eq!(page.header("content-type"), "text/html;charset=utf-8");
        assert!(page.text().contains("the limit is 10 in 60 seconds"));
        assert!(page.headers.get("set-cookie").is_none());
    }
    assert_eq!(
        sign_in_with_basic(&app, "192.0.2.2", PASSWORD).await.status,
        200
    );
}

async fn requests_without_credentials_do_not_count(app: TestApp) {
    let app = start_behind_proxy(&app).await;
    let ask = || {
        let request = app.get("/genesys/1/admin/services");
        request.header("x-forwarded-for", "192.0.2.1")
    };
    for _ in 0..12 {
        TestResponse::send(ask())
            .await
            .error_message("Unauthorized", 401);
        let other = ask().header("authorization", "Bearer YWRtaW46d3Jvbmc=");
        TestResponse::send(other)
            .await
            .error_message("Unauthorized", 401);
    }
    let wrong = sign_in_with_basic(&app, "192.0.2.1", "wrong").await;
    wrong.error_message("Unauthorized", 401);
    assert_eq!(
        sign_in_with_basic(&app, "192.0.2.1", PASSWORD).await.status,
        200
    );
}

async fn concurrent_failures_do_not_exceed_the_limit(app: TestApp) {
    let app = start_behind_proxy(&app).await;
    let guesses = (0..40).map(|_| sign_in_with_basic(&app, "192.0.2.1", "wrong"));
    let responses = join_all(guesses).await;
    let with = |status| responses.iter().filter(|a| a.status == status).count();
    assert_eq!(with(StatusCode::UNAUTHORIZED), 10);
    assert_eq!(with(StatusCode::TOO_MANY_REQUESTS), 30);
    assert_rate_limited(&sign_in_with_basic(&app, "192.0.2.1", PASSWORD).await);
}

async fn concurrent_correct_sign_ins_lock_no_client_out(app: TestApp) {
    let app = start_behind_proxy(&app).await;
    let wrong = sign_in_with_basic(&app, "192.0.2.1", "wrong").await;
    wrong.error_message("Unauthorized", 401);
    for _ in 0..3 {
        let right = (0..40).map(|_| sign_in_with_basic(&app, "192.0.2.1", PASSWORD));
        for response in join_all(right).await {
            assert!(matches!(response.status.as_u16(), 200 | 429));
        }
        assert_eq!(
            sign_in_with_basic(&app, "192.0.2.1", PASSWORD).await.status,
            200
        );
        let signed_in = sign_in_with_form(&app, "192.0.2.1", PASSWORD).await;
        assert_ne!(signed_in.status, StatusCode::TOO_MANY_REQUESTS);
    }
}

async fn failed_sign_ins_do_not_end_existing_sessions(app: TestApp) {
    let app = start_behind_proxy(&app).await;
    // The redirect is not followed.
    let form = format!("name=admin&password={}", encode(PASSWORD));
    let client = reqwest::Client::builder();
    let client = client.redirect(reqwest::redirect::Policy::none());
    let sign_in = client.build().unwrap().post(app.url(SIGN_IN));
    let sign_in = sign_in.header("x-forwarded-for", "192.0.2.1");
    let signed_in = TestResponse::send(sign_in.form_body(&form)).await;
    assert_eq!(signed_in.status, 303);
    let cookie = signed_in.header("set-cookie").split(';').next().unwrap();
    for _ in 0..11 {
        sign_in_with_basic(&app, "192.0.2.1", "wrong").await;
    }
    assert_rate_limited(&sign_in_with_form(&app, "192.0.2.1", PASSWORD).await);
    let page = app.get("/genesys/1/admin/ui").header("cookie", cookie);
    let page = TestResponse::send(page.header("x-forwarded-for", "192.0.2.1")).await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("Signed in as"), "{}", page.text());
}

#[tokio::test]
async fn replicas_share_the_limit() {
    let first = TestApp::on_redis().await;
    let one = start_replica(&first, &first.prefix).await;
    let other = start_replica(&first, &first.prefix).await;
    for _ in 0..10 {
        let wrong = sign_in_with_basic(&one, "192.0.2.1", "wrong").await;
        wrong.error_message("Unauthorized", 401);
    }
    // The sign-in form always reads the counter, the replica of the failures or not.
    assert_rate_limited(&sign_in_with_form(&other, "192.0.2.1", PASSWORD).await);
    assert_rate_limited(&sign_in_with_basic(&other, "192.0.2.1", "wrong").await);
    assert_rate_limited(&sign_in_with_basic(&other, "192.0.2.1", PASSWORD).await);
}

#[tokio::test]
async fn correct_sign_in_without_failures_is_not_counted() {
    let first = TestApp::on_redis().await;
    let app = start_replica(&first, &first.prefix).await;
    let counts = async || app.redis_keys("rl:*").await;
    assert_eq!(
        sign_in_with_basic(&app, "192.0.2.1", "wrong").await.status,
        401
    );
    assert_eq!(counts().await.len(), 1);
    for from in ["192.0.2.2", "192.0.2.3"] {
        assert_eq!(sign_in_with_basic(&app, from, PASSWORD).await.status, 200);
    }
    assert_eq!(
        counts().await.len(),
        1,
        "only the counter of the failed client"
    );
    let request = app.request(Method::GET, "/genesys/1/admin/services");
    TestResponse::send(request)
        .await
        .error_message("Unauthorized", 401);
    assert_eq!(counts().await.len(), 1);
}
