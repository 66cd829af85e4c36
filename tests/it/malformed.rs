//! Contract section 1, "Errors": bodies that cannot be read.

use crate::support::{Bodies, Multipart, TestApp, TestResponse, on_every_kind_of_store};

const STORE: &str = "/genesys/1/service/store";

on_every_kind_of_store!(
    json_that_cannot_be_read_is_told_with_its_place,
    unreadable_json_may_be_a_400,
    a_multipart_body_cut_anywhere_is_refused,
);

async fn json_that_cannot_be_read_is_told_with_its_place(app: TestApp) {
    for (body, place) in [
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
            let answer = TestResponse::send(app.post(&path).json_body(body)).await;
            let message = answer.error_message("UnreadableJson", 500);
            assert!(message.starts_with("Could not read JSON: "), "{message}");
            assert!(message.contains(place), "{body:?}: {message}");
        }
    }
}

async fn unreadable_json_may_be_a_400(app: TestApp) {
    let app = app
        .start_sibling(&[("api.unreadable_json_status", "400")])
        .await;
    for body in ["{", "[]", "\"text\"", "{\"a\":\"\\ud800\"}"] {
        let answer = TestResponse::send(app.post(STORE).json_body(body)).await;
        let message = answer.error_message("UnreadableJson", 400);
        assert!(message.starts_with("Could not read JSON: "), "{message}");
    }
}

async fn a_multipart_body_cut_anywhere_is_refused(app: TestApp) {
    let whole = Multipart::new()
        .text("a", "one\r\n--b")
        .file("f", "f", "a/b", b"two\r\n")
        .bytes();
    // Without the line break at its very end it is still whole.
    let ends = whole.len() - 2;
    for end in 1..=ends {
        let request = app
            .post(STORE)
            .typed_body(Multipart::CONTENT_TYPE, &whole[..end]);
        let answer = TestResponse::send(request).await;
        if end < ends {
            answer.error_message("InvalidBody", 400);
        } else {
            answer.service_id();
        }
    }
    let left = app.redis_keys("svc:*").await.len();
    assert_eq!(left, usize::from(app.redis.is_some()));
}
