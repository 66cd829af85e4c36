//! Pages of other origins.

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

#[tokio::test]
async fn a_page_of_an_allowed_origin_may_send_what_clients_send() {
    let app = start_with_allowed_origin().await;
    for (origin, path) in [
        (SHOP, "/genesys/1/service/store"),
        ("http://localhost:3000", "/genesys/1/service/x/storage/y"),
    ] {
        let answer = TestResponse::send(preflight(&app, path, origin)).await;
        assert_eq!(answer.status, 204);
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
            "x-request-id",
        ] {
            assert!(headers.contains(&name), "{name} is not in {headers:?}");
        }
        let methods = answer.header("access-control-allow-methods");
        for method in ["GET", "POST", "PUT", "DELETE"] {
            assert!(methods.contains(method), "{method} is not in {methods}");
        }
        assert!(answer.header("vary").contains("origin"));
        // No cookies are asked for, so none may be sent along.
        assert_eq!(answer.header("access-control-allow-credentials"), "");
    }
}

#[tokio::test]
async fn it_may_see_answers_and_errors_and_their_headers() {
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
    let refused = app.request(Method::PATCH, &service);
    let refused = TestResponse::send(refused.header("origin", SHOP)).await;
    refused.error_message("MethodNotAllowed", 405);
    let long = app.post("/genesys/1/service/store").header("origin", SHOP);
    let long = TestResponse::send(long.form_body(&"a&".repeat(1001))).await;
    long.error_message("TooLarge", 413);
    for answer in [created, binary, missing, nowhere, refused, long] {
        assert_eq!(answer.header("access-control-allow-origin"), SHOP);
        assert!(answer.header("vary").contains("origin"));
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
async fn other_origins_are_told_nothing() {
    let allowing = start_with_allowed_origin().await;
    let silent = TestApp::on_memory().await;
    for (app, origin) in [
        (&allowing, "https://shop.example.evil"),
        (&allowing, "http://shop.example"),
        (&allowing, "https://shop.example:444"),
        (&allowing, "null"),
        (&silent, SHOP),
    ] {
        let asked = preflight(app, "/genesys/1/service/store", origin);
        let asked = TestResponse::send(asked).await;
        asked.error_message("MethodNotAllowed", 405);
        let create = app.post("/genesys/1/service/store");
        let created = TestResponse::send(create.header("origin", origin)).await;
        assert_eq!(created.status, 200);
        for answer in [asked, created] {
            let mut told = answer.headers.keys();
            let told = told.find(|name| name.as_str().starts_with("access-control"));
            assert_eq!(told, None, "{origin}");
        }
    }
    // What operators ask is asked from no page.
    let status = preflight(&allowing, "/genesys/1/admin/node/status", SHOP);
    assert_eq!(TestResponse::send(status).await.status, 405);
}

#[tokio::test]
async fn asking_whether_it_may_takes_no_password() {
    let app = TestApp::on_memory().await;
    let settings = [
        ("cors.allowed_origins", SHOP),
        ("auth.password", "sesame"),
        ("auth.api_keys", "key"),
    ];
    let app = app.start_sibling(&settings).await;
    let asked = preflight(&app, "/genesys/1/service/store", SHOP);
    assert_eq!(TestResponse::send(asked).await.status, 204);
    let create = app.post("/genesys/1/service/store").header("origin", SHOP);
    let refused = TestResponse::send(create).await;
    refused.error_message("Unauthorized", 401);
    assert_eq!(refused.header("access-control-allow-origin"), SHOP);
}

#[tokio::test]
async fn no_page_may_run_or_embed_what_somebody_uploaded() {
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
