//! Conditional requests for a binary (RFC 9110 13.2.2).

use crate::support::{Bodies, Multipart, TestApp, TestResponse, on_every_kind_of_store};

on_every_kind_of_store!(
    a_download_is_not_resumed_from_another_version,
    preconditions_are_evaluated_in_the_order_of_rfc_9110,
);

async fn store(app: &TestApp, service: &str, bytes: &[u8]) -> String {
    let file = Multipart::new().file("pic", "p.bin", "application/x-p", bytes);
    let stored = app.post(&format!("{service}/storage")).multipart_body(file);
    TestResponse::send(stored).await.assert_empty();
    let response = TestResponse::send(app.get(&format!("{service}/storage/binary/pic"))).await;
    response.header("etag").to_owned()
}

async fn a_download_is_not_resumed_from_another_version(app: TestApp) {
    let service = app.create("").await;
    let path = format!("{service}/storage/binary/pic");
    let first = store(&app, &service, b"first version").await;
    let resume = || app.get(&path).header("if-match", &first);
    let response = TestResponse::send(resume().header("range", "bytes=6-")).await;
    assert_eq!(response.status, 206);
    assert_eq!(response.text(), "version");
    store(&app, &service, b"other version").await;
    for request in [resume().header("range", "bytes=6-"), resume()] {
        let response = TestResponse::send(request).await;
        let message = response.error_message("PreconditionFailed", 412);
        assert!(message.contains("pic"), "{message}");
        assert_eq!(response.header("content-range"), "");
    }
}

async fn preconditions_are_evaluated_in_the_order_of_rfc_9110(app: TestApp) {
    let service = app.create("").await;
    let path = format!("{service}/storage/binary/pic");
    let tag = store(&app, &service, b"0123456789").await;
    let weak = format!("W/{tag}");
    let list = format!("\"a\", {tag} , W/\"b\"");
    let (tag, weak, list) = (tag.as_str(), weak.as_str(), list.as_str());
    for (headers, status) in [
        (&[("if-match", tag)][..], 200),
        (&[("if-match", "*")], 200),
        (&[("if-match", list)], 200),
        (&[("if-match", weak)], 412),
        (&[("if-match", "\"a\"")], 412),
        (&[("if-match", "nonsense")], 412),
        (&[("if-match", "\"a\""), ("if-match", tag)], 200),
        // If-Match is evaluated before If-None-Match.
        (&[("if-match", tag), ("if-none-match", tag)], 304),
        (&[("if-match", "\"a\""), ("if-none-match", tag)], 412),
        (&[("if-none-match", weak)], 304),
        (&[("if-none-match", "*")], 304),
        (&[("if-none-match", "\"a\"")], 200),
        // Range is evaluated last.
        (&[("range", "bytes=1-2"), ("if-none-match", tag)], 304),
        (&[("range", "bytes=1-2"), ("if-match", tag)], 206),
        (&[("range", "bytes=90-"), ("if-match", "\"a\"")], 412),
        (&[("range", "bytes=90-"), ("if-match", tag)], 416),
        (&[("range", "bytes=1-2"), ("if-range", tag)], 206),
        (&[("range", "bytes=1-2"), ("if-range", weak)], 200),
        (&[("range", "bytes=1-2"), ("if-range", "\"a\"")], 200),
        (&[("range", "bytes=90-"), ("if-range", "\"a\"")], 200),
    ] {
        for method in [reqwest::Method::GET, reqwest::Method::HEAD] {
            let is_head = method == reqwest::Method::HEAD;
            // Range applies to GET only.
            let expected = match status {
                206 | 416 if is_head => 200,
                status => status,
            };
            let mut request = app.request(method, &path);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let response = TestResponse::send(request).await;
            assert_eq!(response.status, expected, "{headers:?}");
            if expected == 304 {
                assert_eq!(response.header("content-type"), "", "{headers:?}");
                assert_eq!(response.header("etag"), tag);
            }
        }
    }
    // A missing binary is not found, whatever the condition.
    let missing = app
        .get(&format!("{service}/storage/binary/none"))
        .header("if-match", "*");
    TestResponse::send(missing)
        .await
        .error_message("KeyNotFound", 404);
}
