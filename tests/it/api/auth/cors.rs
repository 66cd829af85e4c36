//! CORS: requests of pages of other origins.

use reqwest::{Method, RequestBuilder};

use crate::support::{Bodies, Multipart, TestApp, TestResponse};

const SHOP: &str = "https://shop.example";

async fn start_with_allowed_origin() -> TestApp {
    let origins = "https://Shop.example, http://localhost:3000";
    let app = TestApp::on_memory().await;
    app.start_sibling(&[("cors.allowed_origins", origins)])
        .await
}

fn preflight(app: &TestApp, path: &str, origin: &str) -> RequestBuilder {
    let request = app.request(Method::OPTIONS, path);
    let request = request.header("origin", origin);
    request.header("access-control-request-method", "POST")
}

fn assert_varies_by_origin(answer: &TestResponse) {
    let vary = answer.header("vary").to_ascii_lowercase();
    assert!(vary.split(", ").any(|name| name == "origin"), "{vary}");
}

#[tokio::test]
async fn preflights_of_allowed_origins_permit_client_requests() {
    let app = start_with_allowed_origin().await;
    for (origin, path) in [
        (SHOP, "/genesys/1/service/store"),
        ("http://localhost:3000", "/genesys/1/service/x/storage/y"),
    ] {
        let answer = TestResponse::send(preflight(&app, path, origin)).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.text(), "");
        assert_eq!(answer.header("access-control-max-age"), "3600");
        assert_eq!(answer.header("access-control-allow-origin"), origin);
        let headers = answer.header("access-control-allow-headers");
        let headers: Vec<&str> = headers.split(", ").collect();
        for name in [
            "gms_user",
            "content-type",
            "authorization",
            "x-api-key",
            "apikey",
            "idempotency-key",
            "range",
            "if-match",
            "if-none-match",
            "if-range",
            "last-event-id",
            "traceparent",
            "tracestate",
            "baggage",
            "x-request-id",
        ] {
            assert!(headers.contains(&name), "{name} is not in {headers:?}");
        }
        let methods = answer.header("access-control-allow-methods");
        for method in ["GET", "POST", "PUT", "DELETE"] {
            assert!(methods.contains(method), "{method} is not in {methods}");
        }
        assert_varies_by_origin(&answer);
        // The API uses no cookies, so credentials are not allowed.
        assert_eq!(answer.header("access-control-allow-credentials"), "");
    }
}

#[tokio::test]
async fn allowed_origins_can_read_responses_errors_and_headers() {
    let app = start_with_allowed_origin().await;
    let create = app.post("/genesys/1/service/store").header("origin", SHOP);
    let body = Multipart::new().file("map", "map.png", "image/png", b"bytes");
    let created = TestResponse::send(create.multipart_body(body)).await;
    let service = created.service_id();
    let binary = app.get(&format!("{service}/storage/binary/map"));
    let binary = TestResponse::send(binary.header("origin", SHOP)).await;
    let missing = app.get(&format!("{service}/storage/none"));
    let missing = TestResponse::send(missing.header("origin", SHOP)).await;
    missing.error_message("KeyNotFound", 404);
    let nowhere = TestResponse::send(app.get("/nowhere").header("origin", SHOP)).await;
    nowhere.error_message("NotFound", 404);
    let rejected = app.request(Method::PATCH, &service);
    let rejected = TestResponse::send(rejected.header("origin", SHOP)).await;
    rejected.error_message("MethodNotAllowed", 405);
    let long = app.post("/genesys/1/service/store").header("origin", SHOP);
    let long = TestResponse::send(long.form_body(&"a&".repeat(1001))).await;
    long.error_message("TooLarge", 413);
    for answer in [created, binary, missing, nowhere, rejected, long] {
        assert_eq!(answer.header("access-control-allow-origin"), SHOP);
        assert_varies_by_origin(&answer);
        let exposed = answer.header("access-control-expose-headers");
        for name in [
            "etag",
            "content-range",
            "content-disposition",
            "retry-after",
            "warning",
            "idempotent-replayed",
        ] {
            assert!(exposed.contains(name), "{name} is not in {exposed}");
        }
    }
}

#[tokio::test]
async fn other_origins_receive_no_cors_headers() {
    let with_origins = start_with_allowed_origin().await;
    let without_origins = TestApp::on_memory().await;
    for (app, origin, varies) in [
        (&with_origins, "https://shop.example.evil", true),
        (&with_origins, "http://shop.example", true),
        (&with_origins, "https://shop.example:444", true),
        (&with_origins, "null", true),
        (&without_origins, SHOP, false),
    ] {
        let preflight_response = preflight(app, "/genesys/1/service/store", origin);
        let preflight_response = TestResponse::send(preflight_response).await;
        preflight_response.error_message("MethodNotAllowed", 405);
        let create = app.post("/genesys/1/service/store");
        let created = TestResponse::send(create.header("origin", origin)).await;
        assert_eq!(created.status, 200);
        for answer in [preflight_response, created] {
            let mut cors_header = answer.headers.keys();
            let cors_header = cors_header.find(|name| name.as_str().starts_with("access-control"));
            assert_eq!(cors_header, None, "{origin}");
            if varies {
                assert_varies_by_origin(&answer);
            }
        }
    }
    // The admin API has no CORS.
    let status = preflight(&with_origins, "/genesys/1/admin/node/status", SHOP);
    assert_eq!(TestResponse::send(status).await.status, 405);
}

#[tokio::test]
async fn preflights_need_no_password() {
    let app = TestApp::on_memory().await;
    let settings = [
        ("cors.allowed_origins", SHOP),
        ("auth.password", "sesame"),
        ("auth.api_keys", "key"),
    ];
    let app = app.start_sibling(&settings).await;
    let preflight_response = preflight(&app, "/genesys/1/service/store", SHOP);
    assert_eq!(TestResponse::send(preflight_response).await.status, 200);
    let create = app.post("/genesys/1/service/store").header("origin", SHOP);
    let rejected = TestResponse::send(create).await;
    rejected.error_message("Unauthorized", 401);
    assert_eq!(rejected.header("access-control-allow-origin"), SHOP);
}

#[tokio::test]
async fn preflights_of_other_methods_and_headers_are_rejected() {
    let app = start_with_allowed_origin().await;
    for (name, value, expected) in [
        ("access-control-request-method", "PATCH", "method"),
        ("access-control-request-headers", "x-other", "headers"),
        ("access-control-request-headers", "a b", "header"),
    ] {
        let request = preflight(&app, "/genesys/1/service/store", SHOP);
        let mut request = request.build().unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
        let rejected = app.client.execute(request).await.unwrap();
        let rejected = TestResponse::from_response(rejected).await;
        let message = rejected.error_message("InvalidParameter", 400);
        assert!(message.contains(expected), "{message}");
        assert_eq!(rejected.header("access-control-allow-origin"), "");
    }
}

#[tokio::test]
async fn preflights_do_not_count_and_rejected_requests_have_cors_headers() {
    let app = TestApp::on_memory().await;
    let settings = [
        ("cors.allowed_origins", SHOP),
        ("rate_limit.window_seconds", "3600"),
        ("rate_limit.creates_per_address", "1"),
    ];
    let app = app.start_sibling(&settings).await;
    let create = async || {
        for _ in 0..2 {
            let preflight_response = preflight(&app, "/genesys/1/service/store", SHOP);
            assert_eq!(TestResponse::send(preflight_response).await.status, 200);
        }
        let create = app.post("/genesys/1/service/store").header("origin", SHOP);
        TestResponse::send(create).await
    };
    create().await.service_id();
    let rejected = create().await;
    rejected.error_message("TooManyRequests", 429);
    assert_eq!(rejected.header("access-control-allow-origin"), SHOP);
    let exposed = rejected.header("access-control-expose-headers");
    assert!(exposed.contains("retry-after"), "{exposed}");
}

#[tokio::test]
async fn pages_cannot_run_or_embed_uploads() {
    let app = TestApp::on_memory().await;
    let service = app.create("").await;
    let body = Multipart::new().file("page", "page.html", "text/html", b"<script>");
    let write = app.post(&format!("{service}/storage")).multipart_body(body);
    TestResponse::send(write).await.assert_empty();
    let binary = TestResponse::send(app.get(&format!("{service}/storage/binary/page"))).await;
    assert_eq!(binary.header("x-content-type-options"), "nosniff");
    let policy = binary.header("content-security-policy");
    assert_eq!(policy, "sandbox; default-src 'none'");
    let resource = binary.header("cross-origin-resource-policy");
    assert_eq!(resource, "same-origin");
}
