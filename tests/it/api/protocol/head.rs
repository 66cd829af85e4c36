//! `HEAD`: like `GET` without the body, wherever `GET` does not create.

use reqwest::Method;

use crate::support::{RawConnection, TestApp, TestResponse, on_redis_only};

on_redis_only!(
    head_is_get_without_the_body,
    head_creates_no_service_and_sends_no_request,
);

const PASSWORD: &str = "head and tail";

async fn head_is_get_without_the_body(app: TestApp) {
    let app = app.start_sibling(&[("admin.password", PASSWORD)]).await;
    let service = app.create("Key1=Value1").await;
    let id = service.rsplit('/').next().unwrap();
    for path in [
        service.clone(),
        format!("{service}/storage"),
        format!("{service}/storage/Key1"),
        format!("{service}/storage/Key9"),
        "/genesys/1/service/none".to_owned(),
        "/livez".to_owned(),
        "/readyz".to_owned(),
        "/openapi.json".to_owned(),
        "/genesys/1/admin/node/status".to_owned(),
        "/genesys/1/node".to_owned(),
        "/genesys/1/admin/services".to_owned(),
        "/genesys/1/admin/services/store".to_owned(),
        "/genesys/1/admin/groups".to_owned(),
        "/genesys/1/admin/catalog".to_owned(),
        "/genesys/1/admin/active-services".to_owned(),
        format!("/genesys/1/admin/active-services/{id}"),
        "/genesys/1/admin/audit-log".to_owned(),
        "/unknown".to_owned(),
    ] {
        let request = |method| {
            app.request(method, &path)
                .basic_auth("admin", Some(PASSWORD))
        };
        let get = TestResponse::send(request(Method::GET)).await;
        let head = TestResponse::send(request(Method::HEAD)).await;
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(head.body, b"", "{path}");
        for name in [
            "content-type",
            "cache-control",
            "etag",
            "x-content-type-options",
        ] {
            assert_eq!(head.header(name), get.header(name), "{path}: {name}");
        }
    }
    let metrics = TestResponse::send(app.request(Method::HEAD, "/metrics")).await;
    assert_eq!(metrics.status, 200);
    // Content-Length is that of GET, and no body follows on the connection.
    let mut connection = RawConnection::connect(&app).await;
    for _ in 0..2 {
        connection
            .send(format!(
                "HEAD {service}/storage HTTP/1.1\r\nHost: x\r\n\r\n"
            ))
            .await;
        let head = connection.read_head().await;
        assert_eq!(head.header("content-length"), "17");
    }
}

async fn head_creates_no_service_and_sends_no_request(app: TestApp) {
    let service = app.create("").await;
    let before = app.redis_keys("svc:*").await.len();
    for (path, expected) in [
        ("/genesys/1/service/store".to_owned(), "GET, POST"),
        (
            "/genesys/1/service/request-interaction".to_owned(),
            "GET, POST",
        ),
        (format!("{service}/update"), "POST, GET"),
        (format!("{service}/ixn/chat"), "POST, GET"),
    ] {
        let response = TestResponse::send(app.request(Method::HEAD, &path)).await;
        assert_eq!(response.status, 405, "{path}");
        assert_eq!(response.header("allow"), expected, "{path}");
    }
    assert_eq!(app.redis_keys("svc:*").await.len(), before);
}
