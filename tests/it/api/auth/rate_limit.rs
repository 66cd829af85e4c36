//! Rate limits.

use futures_util::future::join_all;
use reqwest::StatusCode;

use crate::support::{Bodies, TestApp, TestResponse, on_every_kind_of_store};

on_every_kind_of_store!(
    creates_from_one_address_are_limited,
    only_trusted_proxies_set_the_client_address,
    password_guesses_are_limited,
    creates_of_one_service_are_limited,
    requests_rejected_for_their_address_do_not_count_for_the_service,
    access_code_guesses_are_limited,
    matched_calls_do_not_count_as_failed,
    concurrent_guesses_are_limited_like_sequential_ones,
    after_too_many_wrong_credentials_valid_ones_are_rejected_too,
    wrong_api_keys_and_passwords_share_a_counter,
    missing_credentials_do_not_count_as_wrong,
);

/// A window that is longer than any test.
const LONG_WINDOW: (&str, &str) = ("rate_limit.window_seconds", "3600");

async fn create(app: &TestApp, name: &str, client: &str) -> TestResponse {
    let request = app.post(&format!("/genesys/1/service/{name}"));
    TestResponse::send(request.header("x-forwarded-for", client)).await
}

fn assert_rate_limited(answer: &TestResponse) {
    answer.error_message("TooManyRequests", 429);
    let seconds: u64 = answer.header("retry-after").parse().unwrap();
    assert!((3000..=3600).contains(&seconds), "{seconds}");
}

async fn creates_from_one_address_are_limited(app: TestApp) {
    let limits = [LONG_WINDOW, ("rate_limit.creates_per_address", "3")];
    let app = app.start_sibling(&limits).await;
    let service = create(&app, "store", "").await.service_id();
    create(&app, "request-interaction", "").await.service_id();
    create(&app, "store", "").await.service_id();
    for name in ["store", "request-interaction", "request-access"] {
        assert_rate_limited(&create(&app, name, "").await);
    }
    // Only creates of services count.
    assert_eq!(app.storage(&service).await, serde_json::json!({}));
    let call = app.get("/genesys/1/service/match-interaction?_access_number=1");
    TestResponse::send(call).await.error_message("NoMatch", 404);
}

async fn only_trusted_proxies_set_the_client_address(app: TestApp) {
    let limit = [LONG_WINDOW, ("rate_limit.creates_per_address", "1")];
    let proxy_settings = [
        limit[0],
        limit[1],
        ("server.trusted_proxies", "127.0.0.0/8"),
    ];
    let (direct, proxied) = (
        app.start_sibling(&limit).await,
        app.start_sibling(&proxy_settings).await,
    );
    create(&direct, "store", "192.0.2.1").await.service_id();
    assert_rate_limited(&create(&direct, "store", "192.0.2.2").await);
    for client in ["192.0.2.1", "192.0.2.2", "2001:db8::1"] {
        create(&proxied, "store", client).await.service_id();
        assert_rate_limited(&create(&proxied, "store", client).await);
        // Addresses that a client prepends are not trusted.
        let forged = format!("203.0.113.1, {client}");
        assert_rate_limited(&create(&proxied, "store", &forged).await);
    }
    assert_rate_limited(&create(&proxied, "store", "2001:db8::2:1").await);
    create(&proxied, "store", "2001:db8:1::1")
        .await
        .service_id();
}

async fn password_guesses_are_limited(app: TestApp) {
    let limits = [
        LONG_WINDOW,
        ("rate_limit.creates_per_address", "2"),
        ("rate_limit.creates_per_service", "1"),
        ("server.trusted_proxies", "127.0.0.1"),
        ("auth.password", "sesame"),
    ];
    let app = app.start_sibling(&limits).await;
    for _ in 0..2 {
        let response = create(&app, "store", "192.0.2.1").await;
        response.error_message("Unauthorized", 401);
    }
    let request = |client| {
        let request = app.post("/genesys/1/service/store");
        let request = request.header("x-forwarded-for", client);
        request.basic_auth("any", Some("sesame"))
    };
    assert_rate_limited(&TestResponse::send(request("192.0.2.1")).await);
    // The guesses did not count for the service.
    TestResponse::send(request("192.0.2.2")).await.service_id();
}

async fn creates_of_one_service_are_limited(app: TestApp) {
    let app = app
        .start_sibling(&[LONG_WINDOW, ("rate_limit.creates_per_service", "2")])
        .await;
    create(&app, "store", "").await.service_id();
    create(&app, "store", "").await.service_id();
    assert_rate_limited(&create(&app, "store", "").await);
    create(&app, "request-interaction", "").await.service_id();
}

async fn requests_rejected_for_their_address_do_not_count_for_the_service(app: TestApp) {
    let limits = [
        LONG_WINDOW,
        ("rate_limit.creates_per_address", "1"),
        ("rate_limit.creates_per_service", "2"),
        ("server.trusted_proxies", "127.0.0.1"),
    ];
    let app = app.start_sibling(&limits).await;
    create(&app, "store", "192.0.2.1").await.service_id();
    for _ in 0..3 {
        assert_rate_limited(&create(&app, "store", "192.0.2.1").await);
    }
    create(&app, "store", "192.0.2.2").await.service_id();
    assert_rate_limited(&create(&app, "store", "192.0.2.3").await);
}

/// Books the shared number with an access code. Returns the code.
async fn book(app: &TestApp) -> String {
    let create = app.post("/genesys/1/service/request-interaction");
    let booked = TestResponse::send(create.form_body("_provide_code=true")).await;
    let booked = booked.json();
    assert_eq!(booked["_access_number"], "8003449999");
    booked["_access_code"].as_str().unwrap().to_owned()
}

async fn match_call(app: &TestApp, number: &str, code: &str) -> TestResponse {
    let form = format!("_access_number={number}&_access_code={code}");
    let request = app.post("/genesys/1/service/match-interaction");
    TestResponse::send(request.form_body(&form)).await
}

async fn access_code_guesses_are_limited(app: TestApp) {
    let limit = [LONG_WINDOW, ("rate_limit.failed_matches_per_number", "3")];
    let app = app.start_sibling(&limit).await;
    let code = book(&app).await;
    for _ in 0..3 {
        match_call(&app, "8003449999", "x")
            .await
            .error_message("NoMatch", 404);
    }
    // The correct code is rejected now too, for any spelling of the number.
    assert_rate_limited(&match_call(&app, "8003449999", &code).await);
    assert_rate_limited(&match_call(&app, "+1 800 344 9999", &code).await);
    match_call(&app, "8003440000", "x")
        .await
        .error_message("NoMatch", 404);
}

async fn matched_calls_do_not_count_as_failed(app: TestApp) {
    let limit = [LONG_WINDOW, ("rate_limit.failed_matches_per_number", "2")];
    let app = app.start_sibling(&limit).await;
    match_call(&app, "8003449999", "x")
        .await
        .error_message("NoMatch", 404);
    for _ in 0..5 {
        let code = book(&app).await;
        assert_eq!(match_call(&app, "8003449999", &code).await.status, 200);
    }
    match_call(&app, "8003449999", "x")
        .await
        .error_message("NoMatch", 404);
    assert_rate_limited(&match_call(&app, "8003449999", "x").await);
}

async fn concurrent_guesses_are_limited_like_sequential_ones(app: TestApp) {
    let limit = [LONG_WINDOW, ("rate_limit.failed_matches_per_number", "5")];
    let app = app.start_sibling(&limit).await;
    let guesses = (0..40).map(|_| match_call(&app, "8003449999", "x"));
    let answers = join_all(guesses).await;
    let with = |status| answers.iter().filter(|a| a.status == status).count();
    assert_eq!(with(StatusCode::NOT_FOUND), 5);
    assert_eq!(with(StatusCode::TOO_MANY_REQUESTS), 35);
}

#[tokio::test]
async fn replicas_share_rate_limits() {
    let first = TestApp::on_redis().await;
    let limits = [
        LONG_WINDOW,
        ("rate_limit.creates_per_address", "4"),
        ("rate_limit.failed_matches_per_number", "4"),
    ];
    let replica = || TestApp::start(first.redis.clone(), &first.prefix, &limits);
    let replicas = [replica().await, replica().await];
    for app in replicas.iter().cycle().take(4) {
        create(app, "store", "").await.service_id();
        match_call(app, "1", "x")
            .await
            .error_message("NoMatch", 404);
    }
    for app in &replicas {
        assert_rate_limited(&create(app, "store", "").await);
        assert_rate_limited(&match_call(app, "1", "x").await);
    }
}

/// Starts a replica with a default password and a trusted proxy, so that clients have different addresses.
async fn start_with_password(app: &TestApp, more: &[(&str, &str)]) -> TestApp {
    let mut settings = vec![
        LONG_WINDOW,
        ("server.trusted_proxies", "127.0.0.1"),
        ("auth.password", "sesame"),
    ];
    settings.extend_from_slice(more);
    app.start_sibling(&settings).await
}

async fn get_with_password(
    app: &TestApp,
    path: &str,
    client: &str,
    password: &str,
) -> TestResponse {
    let request = app.get(path).header("x-forwarded-for", client);
    TestResponse::send(request.basic_auth("any", Some(password))).await
}

const ANY_ID: &str = "/genesys/1/service/x";

async fn after_too_many_wrong_credentials_valid_ones_are_rejected_too(app: TestApp) {
    let app = start_with_password(&app, &[]).await;
    for _ in 0..5 {
        // Valid credentials are not counted.
        let response = get_with_password(&app, ANY_ID, "192.0.2.1", "sesame").await;
        response.error_message("ServiceNotFound", 404);
    }
    let guesses = (0..40).map(|n| {
        let path = [ANY_ID, "/genesys/1/service/store"][n % 2];
        get_with_password(&app, path, "192.0.2.1", "wrong")
    });
    let answers = join_all(guesses).await;
    let with = |status| answers.iter().filter(|a| a.status == status).count();
    assert_eq!(with(StatusCode::UNAUTHORIZED), 10);
    assert_eq!(with(StatusCode::TOO_MANY_REQUESTS), 30);
    for password in ["wrong", "sesame"] {
        assert_rate_limited(&get_with_password(&app, ANY_ID, "192.0.2.1", password).await);
    }
    let other = get_with_password(&app, ANY_ID, "192.0.2.2", "sesame").await;
    other.error_message("ServiceNotFound", 404);
}

async fn wrong_api_keys_and_passwords_share_a_counter(app: TestApp) {
    let limits = [
        ("auth.api_keys", "right-key"),
        ("rate_limit.failed_credentials_per_address", "4"),
    ];
    let app = start_with_password(&app, &limits).await;
    let send = async |key: &str, password: &str| {
        let request = app.get(ANY_ID).header("x-forwarded-for", "192.0.2.1");
        let request = request.header("x-api-key", key);
        TestResponse::send(request.basic_auth("any", Some(password))).await
    };
    for _ in 0..2 {
        send("wrong-key", "sesame")
            .await
            .error_message("Unauthorized", 401);
        send("right-key", "wrong")
            .await
            .error_message("Unauthorized", 401);
    }
    for (key, password) in [("wrong-key", "sesame"), ("right-key", "sesame")] {
        assert_rate_limited(&send(key, password).await);
    }
}

async fn missing_credentials_do_not_count_as_wrong(app: TestApp) {
    let app =
        start_with_password(&app, &[("rate_limit.failed_credentials_per_address", "2")]).await;
    for _ in 0..5 {
        let answer =
            TestResponse::send(app.get(ANY_ID).header("x-forwarded-for", "192.0.2.1")).await;
        answer.error_message("Unauthorized", 401);
    }
    let response = get_with_password(&app, ANY_ID, "192.0.2.1", "sesame").await;
    response.error_message("ServiceNotFound", 404);
    get_with_password(&app, ANY_ID, "192.0.2.1", "wrong")
        .await
        .error_message("Unauthorized", 401);
    // A valid attempt after a wrong one is refunded.
    for _ in 0..3 {
        let response = get_with_password(&app, ANY_ID, "192.0.2.1", "sesame").await;
        response.error_message("ServiceNotFound", 404);
    }
}

#[tokio::test]
async fn replicas_share_the_counter_of_wrong_credentials() {
    let first = TestApp::on_redis().await;
    let limits = [
        LONG_WINDOW,
        ("auth.password", "sesame"),
        ("rate_limit.failed_credentials_per_address", "4"),
    ];
    let replica = || TestApp::start(first.redis.clone(), &first.prefix, &limits);
    let replicas = [replica().await, replica().await];
    for app in replicas.iter().cycle().take(4) {
        get_with_password(app, ANY_ID, "", "wrong")
            .await
            .error_message("Unauthorized", 401);
    }
    for app in &replicas {
        assert_rate_limited(&get_with_password(app, ANY_ID, "", "sesame").await);
    }
}
