//! `HEAD` answers as `GET` does, without the body, wherever `GET` does not create.

use reqwest::Method;

use crate::support::{RawConnection, TestApp, TestResponse, on_every_kind_of_store};

on_every_kind_of_store!(
    head_is_get_without_the_body,
    head_creates_nothing_and_asks_no_service,
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
        "/genesys/1/admin/services".to_owned(),
        "/genesys/1/admin/services/store".to_owned(),
        "/genesys/1/admin/groups".to_owned(),
        "/genesys/1/admin/catalog".to_owned(),
        "/genesys/1/admin/active-services".to_owned(),
        format!("/genesys/1/admin/active-services/{id}"),
        "/genesys/1/admin/audit-log".to_owned(),
        "/nowhere".to_owned(),
    ] {
        let ask = |method| {
            app.request(method, &path)
                .basic_auth("admin", Some(PASSWORD))
        };
        let get = TestResponse::send(ask(Method::GET)).await;
        let head = TestResponse::send(ask(Method::HEAD)).await;
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
    // The length is that of GET, and no byte of a body follows on the connection.
    let mut wire = RawConnection::connect(&app).await;
    for _ in 0..2 {
        wire.send(format!(
            "HEAD {service}/storage HTTP/1.1\r\nHost: x\r\n\r\n"
        ))
        .await;
        let head = wire.read_head().await;
        assert_eq!(head.header("content-length"), "17");
    }
}

async fn head_creates_nothing_and_asks_no_service(app: TestApp) {
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
        let answer = TestResponse::send(app.request(Method::HEAD, &path)).await;
        assert_eq!(answer.status, 405, "{path}");
        assert_eq!(answer.header("allow"), expected, "{path}");
    }
    assert_eq!(app.redis_keys("svc:*").await.len(), before);
}
