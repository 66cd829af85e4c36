//! Credentials and listeners of the admin API.

use reqwest::{Client, Method};

use super::fixture::{ADMIN_SETTINGS, PASSWORD, get, request, store_options};
use crate::support::{Bodies, TestApp, TestResponse, random_prefix};

/// A path and a method of each resource.
const PATHS: [(Method, &str); 14] = [
    (Method::GET, "services"),
    (Method::GET, "services/store"),
    (Method::PUT, "services/a"),
    (Method::DELETE, "groups/DNIS"),
    (Method::GET, "groups/DNIS/bookings"),
    (Method::DELETE, "groups/DNIS/bookings/1"),
    (Method::PUT, "catalog"),
    (Method::GET, "active-services"),
    (Method::DELETE, "active-services/1"),
    (Method::GET, "audit-log"),
    (Method::POST, "match-explanation"),
    (Method::GET, "failed-matches"),
    (Method::GET, "replicas"),
    (Method::POST, "node/changestatus/OFFLINE"),
];

fn unauthenticated_request(app: &TestApp, method: &Method, path: &str) -> reqwest::RequestBuilder {
    app.request(method.clone(), &format!("/genesys/1/admin/{path}"))
}

async fn start(others: &[(&str, &str)]) -> TestApp {
    TestApp::start(
        None,
        &random_prefix(),
        &[&ADMIN_SETTINGS[..], others].concat(),
    )
    .await
}

#[tokio::test]
async fn admin_api_is_disabled_without_a_password() {
    let app = TestApp::on_memory().await;
    for (method, path) in &PATHS {
        let request = unauthenticated_request(&app, method, path).basic_auth("admin", Some(""));
        TestResponse::send(request)
            .await
            .error_message("NotFound", 404);
    }
    let status = TestResponse::send(app.get("/genesys/1/admin/node/status")).await;
    assert_eq!(status.text(), "ONLINE");
}

#[tokio::test]
async fn every_resource_requires_the_admin_credentials() {
    let app = start(&[
        ("auth.username", "client"),
        ("auth.password", "open sesame"),
        ("server.trusted_proxies", "127.0.0.0/8"),
    ])
    .await;
    // Separate client addresses stay below the rate limit.
    let mut clients = 0;
    for (method, path) in &PATHS {
        let pairs = [
            None,
            Some(("admin", "")),
            Some(("admin", "correct hors")),
            Some(("admin", "correct horse ")),
            Some(("Admin", PASSWORD)),
            // The credentials of clients.
            Some(("client", "open sesame")),
        ];
        for pair in pairs {
            let mut request = unauthenticated_request(&app, method, path);
            if let Some((name, password)) = pair {
                clients += 1;
                let from = format!("192.0.2.{clients}");
                request = request.header("x-forwarded-for", from);
                request = request.basic_auth(name, Some(password));
            }
            let response = TestResponse::send(request).await;
            response.error_message("Unauthorized", 401);
            assert!(response.header("www-authenticate").starts_with("Basic "));
        }
    }
    assert_eq!(get(&app, "services").await.status, 200);
    // Clients cannot use the admin credentials.
    let create = app
        .post("/genesys/1/service/store")
        .basic_auth("admin", Some(PASSWORD));
    TestResponse::send(create)
        .await
        .error_message("Unauthorized", 401);
    // The node status needs no credentials.
    let status = TestResponse::send(app.get("/genesys/1/admin/node/status")).await;
    assert_eq!(status.text(), "ONLINE");
}

#[tokio::test]
async fn asterisk_accepts_any_user_name() {
    let app = start(&[("admin.username", "*")]).await;
    for name in ["jane", ""] {
        let list = unauthenticated_request(&app, &Method::GET, "services")
            .basic_auth(name, Some(PASSWORD));
        assert_eq!(TestResponse::send(list).await.status, 200, "{name}");
    }
}

#[tokio::test]
async fn public_listener_serves_the_admin_api_only_if_listed() {
    let private = [
        ("server.public", "client, match"),
        ("server.private_listen", "127.0.0.1:0"),
    ];
    let app = start(&private).await;
    for (method, path) in &PATHS {
        let request = request(&app, method.clone(), path);
        TestResponse::send(request)
            .await
            .error_message("NotFound", 404);
    }
    let at = format!(
        "http://{}/genesys/1/admin/services",
        app.private_address.unwrap()
    );
    let list = Client::new().get(at).basic_auth("admin", Some(PASSWORD));
    assert_eq!(TestResponse::send(list).await.status, 200);
    TestResponse::send(app.get("/genesys/1/node"))
        .await
        .error_message("NotFound", 404);
}

#[tokio::test]
async fn cross_site_requests_are_rejected() {
    let app = start(&[("cors.allowed_origins", "http://shop.example")]).await;
    let body = store_options().to_string();
    let put = || request(&app, Method::PUT, "services/a").json_body(&body);
    for (name, value) in [
        ("origin", "http://evil.example"),
        ("origin", "http://shop.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        for request in [put(), request(&app, Method::GET, "services")] {
            let response = TestResponse::send(request.header(name, value)).await;
            response.error_message("Forbidden", 403);
            assert_eq!(response.header("access-control-allow-origin"), "");
        }
    }
    // Form content types are not accepted, and preflights are not allowed.
    for kind in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let put = request(&app, Method::PUT, "services/a").typed_body(kind, body.as_bytes());
        TestResponse::send(put)
            .await
            .error_message("UnsupportedMediaType", 415);
        let post = request(&app, Method::POST, "catalog").typed_body(kind, b"");
        TestResponse::send(post)
            .await
            .error_message("UnsupportedMediaType", 415);
    }
    let preflight =
        request(&app, Method::OPTIONS, "services/a").header("access-control-request-method", "PUT");
    let preflight = TestResponse::send(preflight.header("sec-fetch-site", "same-origin")).await;
    preflight.error_message("MethodNotAllowed", 405);
    let own = put().header("sec-fetch-site", "same-origin");
    let response = TestResponse::send(own).await;
    assert_eq!(response.status, 201);
    assert_eq!(response.header("x-content-type-options"), "nosniff");
    assert_eq!(
        response.header("cross-origin-resource-policy"),
        "same-origin"
    );
    assert_eq!(response.header("cache-control"), "no-cache, no-store");
    let policy = response.header("content-security-policy");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
}
