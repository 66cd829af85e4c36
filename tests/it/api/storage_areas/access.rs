//! Route groups, rate limits and CORS.

use reqwest::{Method, RequestBuilder};

use super::{STORAGE, area_path, as_user, create_area, picture, write_as, written_id};
use crate::support::{Bodies, TestApp, TestResponse, on_every_kind_of_store};

on_every_kind_of_store!(
    creates_of_custom_ids_count_for_the_rate_limits,
    requests_rejected_by_a_rate_limit_store_nothing,
);

const SHOP: &str = "https://shop.example";
/// A window that is longer than any test.
const LONG_WINDOW: (&str, &str) = ("rate_limit.window_seconds", "3600");

async fn creates_of_custom_ids_count_for_the_rate_limits(app: TestApp) {
    for limit in [
        "rate_limit.creates_per_address",
        "rate_limit.creates_per_service",
    ] {
        let app = app.start_sibling(&[LONG_WINDOW, (limit, "3")]).await;
        let id = create_area(&app, "a=1").await;
        written_id(&write_as(&app, "ann", "session1", "a=1").await);
        written_id(&write_as(&app, "bob", "session1", "a=1").await);
        for request in [
            app.post(&format!("{STORAGE}/600")).form_body("a=1"),
            as_user(app.post(&format!("{STORAGE}/session2/600")), "ann").form_body("a=1"),
            as_user(app.post(&format!("{STORAGE}/custom/session2/600")), "ann"),
        ] {
            let answer = TestResponse::send(request).await;
            answer.error_message("TooManyRequests", 429);
            let seconds: u64 = answer.header("retry-after").parse().unwrap();
            assert!((3_000..=3_600).contains(&seconds), "{seconds}");
        }
        // Updates are no creates.
        for (user, id) in [("", id.as_str()), ("ann", "session1"), ("bob", "session1")] {
            for _ in 0..3 {
                written_id(&write_as(&app, user, id, "b=2").await);
            }
        }
        // Creates from one address count together, those of other services do not.
        let service = TestResponse::send(app.post("/genesys/1/service/store")).await;
        let is_of_address = limit.ends_with("address");
        assert_eq!(service.status, if is_of_address { 429 } else { 200 });
    }
}

async fn requests_rejected_by_a_rate_limit_store_nothing(app: TestApp) {
    let settings = [LONG_WINDOW, ("rate_limit.creates_per_address", "1")];
    let app = app.start_sibling(&settings).await;
    create_area(&app, "a=1").await;
    let large = vec![7; 300_000];
    let write = as_user(app.post(&format!("{STORAGE}/pictures/600")), "ann");
    let answer = TestResponse::send(write.multipart_body(picture(&large))).await;
    answer.error_message("TooManyRequests", 429);
    super::assert_not_found(&app, "ann", "pictures").await;
    crate::support::eventually("the file is discarded", async || {
        app.redis_keys("blob:*").await.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_group_storage_has_the_routes_of_the_storage_api() {
    let app = TestApp::on_memory().await;
    for (public, storage, client) in [
        ("storage", true, false),
        ("client", false, true),
        ("client, storage", true, true),
        ("match", false, false),
        ("match, storage", true, false),
        ("admin", false, false),
        ("none", false, false),
        ("", true, true),
    ] {
        let settings = [
            ("server.public", public),
            ("server.private_listen", "127.0.0.1:0"),
        ];
        let app = app.start_sibling(&settings).await;
        let create = app.post(&format!("{STORAGE}/600")).form_body("a=1");
        let created = TestResponse::send(create).await;
        let read = TestResponse::send(app.get(&area_path("nothing"))).await;
        if storage {
            written_id(&created);
            read.error_message("ServiceNotFound", 404);
        } else {
            created.error_message("NotFound", 404);
            read.error_message("NotFound", 404);
        }
        let service = TestResponse::send(app.post("/genesys/1/service/store")).await;
        assert_eq!(service.status.is_success(), client, "{public}");
        // The private listener has all routes.
        let private = app.private_address.unwrap();
        let create = app.client.post(format!("http://{private}{STORAGE}/600"));
        let id = written_id(&TestResponse::send(create.form_body("a=1")).await);
        let read = TestResponse::send(app.get(&area_path(&id))).await;
        assert_eq!(read.status, if storage { 200 } else { 404 }, "{public}");
        app.stop().await;
    }
}

fn preflight(app: &TestApp, path: &str, method: &str) -> RequestBuilder {
    let request = app.request(Method::OPTIONS, path).header("origin", SHOP);
    let request = request.header("access-control-request-method", method);
    request.header("access-control-request-headers", "gms_user, authorization")
}

#[tokio::test]
async fn pages_of_allowed_origins_use_the_storage_api() {
    let app = TestApp::on_memory().await;
    let settings = [("cors.allowed_origins", SHOP), ("auth.password", "sesame")];
    let app = app.start_sibling(&settings).await;
    for (path, method) in [
        (format!("{STORAGE}/600"), "POST"),
        (format!("{STORAGE}/session1/600"), "POST"),
        (format!("{STORAGE}/custom/session1/600"), "POST"),
        (area_path("session1"), "GET"),
        (area_path("session1"), "DELETE"),
        (format!("{STORAGE}/binary/session1/picture"), "GET"),
    ] {
        let answer = TestResponse::send(preflight(&app, &path, method)).await;
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text());
        assert_eq!(answer.header("access-control-allow-origin"), SHOP);
        let headers = answer.header("access-control-allow-headers");
        assert!(headers.contains("gms_user"), "{headers}");
    }
    let create =
        || as_user(app.post(&format!("{STORAGE}/session1/x")), "ann").header("origin", SHOP);
    let rejected = TestResponse::send(create()).await;
    rejected.error_message("Unauthorized", 401);
    let created = create().basic_auth("", Some("sesame")).form_body("a=1");
    let created = TestResponse::send(created).await;
    written_id(&created);
    let missing = app.get(&area_path("none")).header("origin", SHOP);
    let missing = TestResponse::send(missing.basic_auth("", Some("sesame"))).await;
    missing.error_message("ServiceNotFound", 404);
    for answer in [rejected, created, missing] {
        assert_eq!(answer.header("access-control-allow-origin"), SHOP);
        let exposed = answer.header("access-control-expose-headers");
        assert!(exposed.contains("warning"), "{exposed}");
    }
}

#[tokio::test]
async fn cross_site_pages_neither_create_nor_load_scripts() {
    let app = TestApp::on_memory().await;
    let app = app.start_sibling(&[("cors.allowed_origins", SHOP)]).await;
    let service = app.create("a=1").await;
    let id = service.rsplit('/').next().unwrap();
    for path in [
        format!("{STORAGE}/600"),
        format!("{STORAGE}/{id}/600"),
        format!("{STORAGE}/custom/session1/600"),
    ] {
        for (origin, status) in [("https://evil.example", 403), (SHOP, 200)] {
            let write = as_user(app.post(&path), "ann").header("origin", origin);
            let write = write
                .header("sec-fetch-site", "cross-site")
                .form_body("b=2");
            let answer = TestResponse::send(write).await;
            assert_eq!(answer.status, status, "{path}: {}", answer.text());
        }
    }
    for path in [
        area_path(id),
        format!("{}/a", area_path(id)),
        super::binary_path(id, "a"),
    ] {
        let load = app.get(&path).header("sec-fetch-dest", "script");
        TestResponse::send(load)
            .await
            .error_message("Forbidden", 403);
    }
}
