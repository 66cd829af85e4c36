//! Fetch Metadata: cross-site creates, and the loading of stored values.

use crate::support::{Bodies, Multipart, TestApp, TestResponse};

const STORE: &str = "/genesys/1/service/store";
const SHOP: &str = "https://shop.example";

#[tokio::test]
async fn cross_site_creates_are_refused_unless_the_origin_is_allowed() {
    let app = TestApp::on_memory().await;
    let app = app.start_sibling(&[("cors.allowed_origins", SHOP)]).await;
    let cross = ("sec-fetch-site", "cross-site");
    for (headers, allowed) in [
        // Not a browser.
        (&[][..], true),
        (&[("origin", "https://evil.example")], true),
        (&[("sec-fetch-site", "same-origin")], true),
        (&[("sec-fetch-site", "same-site")], true),
        (&[("sec-fetch-site", "none")], true),
        // An image, a form, a link, a window.
        (&[cross], false),
        (
            &[
                cross,
                ("sec-fetch-mode", "no-cors"),
                ("sec-fetch-dest", "image"),
            ],
            false,
        ),
        (
            &[
                cross,
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-user", "?1"),
            ],
            false,
        ),
        (&[cross, ("origin", "https://evil.example")], false),
        (&[cross, ("origin", "null")], false),
        (
            &[
                cross,
                ("referer", "https://evil.example/https://shop.example"),
            ],
            false,
        ),
        (&[cross, ("referer", "https://shop.example.evil/")], false),
        // Allowed origins, by `Origin` and by `Referer`.
        (&[cross, ("origin", SHOP)], true),
        (&[cross, ("referer", "https://shop.example/")], true),
        (&[cross, ("referer", "https://shop.example/cart?a=b")], true),
        (&[cross, ("referer", "https://shop.example")], true),
        (
            &[
                cross,
                ("origin", "null"),
                ("referer", "https://shop.example/"),
            ],
            false,
        ),
    ] {
        for request in [app.get(STORE), app.post(STORE).form_body("a=1")] {
            let request = headers.iter().fold(request, |request, (name, value)| {
                request.header(*name, *value)
            });
            let response = TestResponse::send(request).await;
            if allowed {
                response.service_id();
            } else {
                let message = response.error_message("Forbidden", 403);
                assert!(message.contains("cors.allowed_origins"), "{message}");
            }
        }
    }
    // Cross-site reads are allowed: they need the id.
    let service = app.create("a=1").await;
    let read = app
        .get(&format!("{service}/storage"))
        .header(cross.0, cross.1);
    assert_eq!(TestResponse::send(read).await.status, 200);
}

#[tokio::test]
async fn cross_site_creates_can_be_allowed() {
    let app = TestApp::on_memory().await;
    let app = app
        .start_sibling(&[("cors.block_cross_site_creates", "false")])
        .await;
    let create = app.get(STORE).header("sec-fetch-site", "cross-site");
    TestResponse::send(create).await.service_id();
}

#[tokio::test]
async fn stored_values_cannot_be_loaded_as_code() {
    let app = TestApp::on_memory().await;
    let script = Multipart::new()
        .file("x.js", "x.js", "text/javascript", b"alert(1)")
        .text("text", "alert(1)");
    let created = TestResponse::send(app.post(STORE).multipart_body(script)).await;
    let service = created.service_id();
    for path in ["/storage/binary/x.js", "/storage/text", "/storage"] {
        let path = format!("{service}{path}");
        for (destination, allowed) in [
            ("empty", true),
            ("document", true),
            ("image", true),
            ("audio", true),
            ("video", true),
            ("iframe", true),
            ("script", false),
            ("style", false),
            ("worker", false),
            ("sharedworker", false),
            ("serviceworker", false),
            ("audioworklet", false),
            ("paintworklet", false),
            ("xslt", false),
            ("manifest", false),
            ("embed", false),
            ("object", false),
            ("json", false),
            ("something-new", false),
        ] {
            for site in ["same-origin", "cross-site"] {
                let request = app.get(&path).header("accept", "text/plain");
                let request = request.header("sec-fetch-dest", destination);
                let response = TestResponse::send(request.header("sec-fetch-site", site)).await;
                assert_eq!(response.header("x-content-type-options"), "nosniff");
                if allowed {
                    assert_eq!(response.status, 200, "{path} {destination}");
                } else {
                    response.error_message("Forbidden", 403);
                }
            }
        }
    }
}
