//! Contract section 1, "Errors": malformed bodies.

use crate::support::{Bodies, Multipart, TestApp, TestResponse, on_redis_only};

const STORE: &str = "/genesys/1/service/store";

on_redis_only!(
    unreadable_json_error_has_line_and_column,
    status_of_unreadable_json_is_configurable,
    truncated_multipart_bodies_are_rejected,
);

async fn unreadable_json_error_has_line_and_column(app: TestApp) {
    for (body, position) in [
        ("{", "line 1 column 1"),
        ("{\"a\":1,\n \"b\":}", "line 2 column 6"),
        ("{\"a\":1}\n}", "line 2 column 1"),
        ("{\"a\":01}", "line 1 column"),
        ("{\"a\":\n\n[1,]}", "line 3 column 4"),
        ("{\"a\":1,\n\"b\":\"\\ud800\"}", "line 2 column"),
        ("{\"a\":1,\n\"b\":[\n\"\\udc00\"]}", "line 3 column"),
        ("{\"a\":\"\n\"}", "line 1 column 6"),
        ("{\"a\":nul}", "line 1 column"),
        ("{'a':1}", "line 1 column 2"),
        ("\n[1]", "line 2 column"),
        ("17", "line 1 column"),
        ("null", "line 1 column"),
    ] {
        for path in [
            STORE.to_owned(),
            format!("{}/storage", app.create("").await),
        ] {
            let response = TestResponse::send(app.post(&path).json_body(body)).await;
            let message = response.error_message("UnreadableJson", 500);
            assert!(message.starts_with("Could not read JSON: "), "{message}");
            assert!(message.contains(position), "{body:?}: {message}");
        }
    }
}

async fn status_of_unreadable_json_is_configurable(app: TestApp) {
    let app = app
        .start_sibling(&[("api.unreadable_json_status", "400")])
        .await;
    for body in ["{", "[]", "\"text\"", "{\"a\":\"\\ud800\"}"] {
        let response = TestResponse::send(app.post(STORE).json_body(body)).await;
        let message = response.error_message("UnreadableJson", 400);
        assert!(message.starts_with("Could not read JSON: "), "{message}");
    }
}

async fn truncated_multipart_bodies_are_rejected(app: TestApp) {
    let body = Multipart::new()
        .text("a", "one\r\n--b")
        .file("f", "f", "a/b", b"two\r\n")
        .bytes();
    // The final line break is optional.
    let ends = body.len() - 2;
    for end in 1..=ends {
        let request = app
            .post(STORE)
            .typed_body(Multipart::CONTENT_TYPE, &body[..end]);
        let response = TestResponse::send(request).await;
        if end < ends {
            response.error_message("InvalidBody", 400);
        } else {
            response.service_id();
        }
    }
    let services = app.redis_keys("svc:*").await.len();
    assert_eq!(services, usize::from(app.redis.is_some()));
}
