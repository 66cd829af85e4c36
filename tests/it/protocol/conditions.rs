//! Conditional requests for a binary (RFC 9110 13.2.2).

use crate::support::{Bodies, Multipart, TestApp, TestResponse, on_every_kind_of_store};

on_every_kind_of_store!(
    a_download_is_not_resumed_from_another_version,
    conditions_are_evaluated_in_the_order_of_http,
);

async fn store(app: &TestApp, service: &str, bytes: &[u8]) -> String {
    let file = Multipart::new().file("pic", "p.bin", "application/x-p", bytes);
    let stored = app.post(&format!("{service}/storage")).multipart_body(file);
    TestResponse::send(stored).await.assert_empty();
    let answer = TestResponse::send(app.get(&format!("{service}/storage/binary/pic"))).await;
    answer.header("etag").to_owned()
}

async fn a_download_is_not_resumed_from_another_version(app: TestApp) {
    let service = app.create("").await;
    let path = format!("{service}/storage/binary/pic");
    let first = store(&app, &service, b"first version").await;
    let resume = || app.get(&path).header("if-match", &first);
    let answer = TestResponse::send(resume().header("range", "bytes=6-")).await;
    assert_eq!(answer.status, 206);
    assert_eq!(answer.text(), "version");
    store(&app, &service, b"other version").await;
    for request in [resume().header("range", "bytes=6-"), resume()] {
        let answer = TestResponse::send(request).await;
        let message = answer.error_message("PreconditionFailed", 412);
        assert!(message.contains("pic"), "{message}");
        assert_eq!(answer.header("content-range"), "");
    }
}

async fn conditions_are_evaluated_in_the_order_of_http(app: TestApp) {
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
        // What must be comes before what the client has.
        (&[("if-match", tag), ("if-none-match", tag)], 304),
        (&[("if-match", "\"a\""), ("if-none-match", tag)], 412),
        (&[("if-none-match", weak)], 304),
        (&[("if-none-match", "*")], 304),
        (&[("if-none-match", "\"a\"")], 200),
        // The range comes last.
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
            // Ranges are for GET only.
            let expected = match status {
                206 | 416 if is_head => 200,
                status => status,
            };
            let mut request = app.request(method, &path);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let answer = TestResponse::send(request).await;
            assert_eq!(answer.status, expected, "{headers:?}");
            if expected == 304 {
                assert_eq!(answer.header("content-type"), "", "{headers:?}");
                assert_eq!(answer.header("etag"), tag);
            }
        }
    }
    // Where there is nothing, no condition changes that.
    let nothing = app
        .get(&format!("{service}/storage/binary/none"))
        .header("if-match", "*");
    TestResponse::send(nothing)
        .await
        .error_message("KeyNotFound", 404);
}
