//! Who may administrate, and where.

use reqwest::{Client, Method};

use super::fixture::{ADMIN_SETTINGS, PASSWORD, get, request, store_options};
use crate::support::{Bodies, TestApp, TestResponse, random_prefix};

/// A path of each resource, and a method that it takes.
const PATHS: [(Method, &str); 11] = [
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
    (Method::GET, "replicas"),
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
async fn without_a_password_there_is_no_administration() {
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
async fn everything_asks_for_the_user_name_and_the_password() {
    let app = start(&[
        ("auth.username", "client"),
        ("auth.password", "open sesame"),
        ("server.trusted_proxies", "127.0.0.0/8"),
    ])
    .await;
    // So that none of them guesses too often.
    let mut clients = 0;
    for (method, path) in &PATHS {
        let pairs = [
            None,
            Some(("admin", "")),
            Some(("admin", "correct hors")),
            Some(("admin", "correct horse ")),
            Some(("Admin", PASSWORD)),
            // The clients' own.
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
            let answer = TestResponse::send(request).await;
            answer.error_message("Unauthorized", 401);
            assert!(answer.header("www-authenticate").starts_with("Basic "));
        }
    }
    assert_eq!(get(&app, "services").await.status, 200);
    // And the other way round.
    let create = app
        .post("/genesys/1/service/store")
        .basic_auth("admin", Some(PASSWORD));
    TestResponse::send(create)
        .await
        .error_message("Unauthorized", 401);
    // The node status asks for nothing.
    let status = TestResponse::send(app.get("/genesys/1/admin/node/status")).await;
    assert_eq!(status.text(), "ONLINE");
}

#[tokio::test]
async fn an_asterisk_takes_any_user_name() {
    let app = start(&[("admin.username", "*")]).await;
    for name in ["jane", ""] {
        let list = unauthenticated_request(&app, &Method::GET, "services")
            .basic_auth(name, Some(PASSWORD));
        assert_eq!(TestResponse::send(list).await.status, 200, "{name}");
    }
}

#[tokio::test]
async fn the_public_listener_has_no_administration_unless_it_is_listed() {
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
}

#[tokio::test]
async fn pages_of_other_sites_are_refused_whatever_they_show() {
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
            let answer = TestResponse::send(request.header(name, value)).await;
            answer.error_message("Forbidden", 403);
            assert_eq!(answer.header("access-control-allow-origin"), "");
        }
    }
    // What a form can send is no body of the administration, and a preflight is not answered.
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
    let answer = TestResponse::send(own).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
    assert_eq!(answer.header("cache-control"), "no-cache, no-store");
    let policy = answer.header("content-security-policy");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
}
