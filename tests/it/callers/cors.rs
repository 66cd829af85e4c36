//! Pages of other origins.

use reqwest::{Method, RequestBuilder};

use crate::support::{Answer, Bodies, Multipart, TestApp};

const SHOP: &str = "https://shop.example";

async fn with_shop() -> TestApp {
    let origins = "https://Shop.example, http://localhost:3000";
    let app = TestApp::on_memory().await;
    app.sibling(&[("cors.allowed_origins", origins)]).await
}

fn preflight(app: &TestApp, path: &str, origin: &str) -> RequestBuilder {
    let request = app.request(Method::OPTIONS, path);
    let request = request.header("origin", origin);
    request.header("access-control-request-method", "POST")
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_may_send_what_clients_send() {
    let app = with_shop().await;
    for (origin, path) in [
        (SHOP, "/genesys/1/service/store"),
        ("http://localhost:3000", "/genesys/1/service/x/storage/y"),
    ] {
        let answer = Answer::of(preflight(&app, path, origin)).await;
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
    let app = with_shop().await;
    let create = app.post("/genesys/1/service/store").header("origin", SHOP);
    let body = Multipart::new().file("map", "map.png", "image/png", b"bytes");
    let created = Answer::of(create.multipart_body(body)).await;
    let service = created.service();
    let binary = app.get(&format!("{service}/storage/binary/map"));
    let binary = Answer::of(binary.header("origin", SHOP)).await;
    let missing = app.get(&format!("{service}/storage/none"));
    let missing = Answer::of(missing.header("origin", SHOP)).await;
    missing.message_of("KeyNotFound", 404);
    let nowhere = Answer::of(app.get("/nowhere").header("origin", SHOP)).await;
    nowhere.message_of("NotFound", 404);
    let refused = app.request(Method::PATCH, &service);
    let refused = Answer::of(refused.header("origin", SHOP)).await;
    refused.message_of("MethodNotAllowed", 405);
    let long = app.post("/genesys/1/service/store").header("origin", SHOP);
    let long = Answer::of(long.form_body(&"a&".repeat(1001))).await;
    long.message_of("TooLarge", 413);
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
    let allowing = with_shop().await;
    let silent = TestApp::on_memory().await;
    for (app, origin) in [
        (&allowing, "https://shop.example.evil"),
        (&allowing, "http://shop.example"),
        (&allowing, "https://shop.example:444"),
        (&allowing, "null"),
        (&silent, SHOP),
    ] {
        let asked = preflight(app, "/genesys/1/service/store", origin);
        let asked = Answer::of(asked).await;
        asked.message_of("MethodNotAllowed", 405);
        let create = app.post("/genesys/1/service/store");
        let created = Answer::of(create.header("origin", origin)).await;
        assert_eq!(created.status, 200);
        for answer in [asked, created] {
            let mut told = answer.headers.keys();
            let told = told.find(|name| name.as_str().starts_with("access-control"));
            assert_eq!(told, None, "{origin}");
        }
    }
    // What operators ask is asked from no page.
    let status = preflight(&allowing, "/genesys/1/admin/node/status", SHOP);
    assert_eq!(Answer::of(status).await.status, 405);
}

#[tokio::test]
async fn asking_whether_it_may_takes_no_password() {
    let app = TestApp::on_memory().await;
    let settings = [
        ("cors.allowed_origins", SHOP),
        ("auth.password", "sesame"),
        ("auth.api_keys", "key"),
    ];
    let app = app.sibling(&settings).await;
    let asked = preflight(&app, "/genesys/1/service/store", SHOP);
    assert_eq!(Answer::of(asked).await.status, 204);
    let create = app.post("/genesys/1/service/store").header("origin", SHOP);
    let refused = Answer::of(create).await;
    refused.message_of("Unauthorized", 401);
    assert_eq!(refused.header("access-control-allow-origin"), SHOP);
}

#[tokio::test]
async fn no_page_may_run_or_embed_what_somebody_uploaded() {
    let app = TestApp::on_memory().await;
    let service = app.create("").await;
    let body = Multipart::new().file("page", "page.html", "text/html", b"<script>");
    let write = app.post(&format!("{service}/storage")).multipart_body(body);
    Answer::of(write).await.assert_empty();
    let binary = Answer::of(app.get(&format!("{service}/storage/binary/page"))).await;
    assert_eq!(binary.header("x-content-type-options"), "nosniff");
    let policy = binary.header("content-security-policy");
    assert_eq!(policy, "sandbox; default-src 'none'");
    let resource = binary.header("cross-origin-resource-policy");
    assert_eq!(resource, "same-origin");
}
