//! Contract section 8: limits of request bodies.

use serde_json::json;

use crate::{
    api::limits::{FORM, STORE, assert_refused, chunked, start},
    support::{Bodies, Multipart, RawConnection, TestApp, TestResponse, on_redis_only},
};

on_redis_only!(
    form_and_json_bodies_are_limited,
    multipart_bodies_are_limited,
    body_limit_applies_to_all_content_types,
    excessive_content_length_is_rejected_before_the_body,
    client_that_sends_an_oversized_body_receives_the_error,
);

async fn form_and_json_bodies_are_limited(app: TestApp) {
    let limited = start(&app, &[("limits.form_bytes", "100")]).await;
    let (app, storage) = (&limited.0, format!("{}/storage", limited.1));
    let form = |length: usize| format!("Key1={}", "1".repeat(length - 5));
    let json = |length: usize| format!("{{\"Key1\":{}}}", "1".repeat(length - 9));
    let requests = vec![
        app.post(&storage).form_body(&form(101)),
        app.post(&storage).json_body(&json(101)),
        app.post(&storage)
            .json_body(&format!("{{}}{}", " ".repeat(100))),
        app.post(STORE).form_body(&form(5000)),
        app.put(&limited.1)
            .form_body(&format!("ttl=60&{}", form(101))),
        chunked(app.post(&storage), FORM, form(101).as_bytes()),
        chunked(app.post(&storage), "application/json", json(101).as_bytes()),
        chunked(app.post(STORE), FORM, form(100_000).as_bytes()),
        // The limit applies to all strings of a multipart body in total.
        app.post(&storage)
            .multipart_body(Multipart::new().text("Key1", &form(101))),
        app.post(STORE).multipart_body(
            Multipart::new()
                .text("Key1", &form(60))
                .file("pic", "p", "a/b", &[7; 200])
                .text("_Key2", &form(41)),
        ),
    ];
    assert_refused(&limited, "limits.form_bytes", "100", requests).await;
    for request in [
        app.post(&storage).form_body(&form(100)),
        app.post(&storage).json_body(&json(100)),
        chunked(app.post(&storage), FORM, form(100).as_bytes()),
        // Files are not included.
        app.post(&storage).multipart_body(
            Multipart::new()
                .text("Key1", &form(60))
                .file("pic", "p", "a/b", &[7; 200])
                .text("Key2", &form(40)),
        ),
    ] {
        TestResponse::send(request).await.assert_empty();
    }
}

async fn multipart_bodies_are_limited(app: TestApp) {
    let limited = start(&app, &[("limits.body_bytes", "400000")]).await;
    let (app, storage) = (&limited.0, format!("{}/storage", limited.1));
    let body = |length: usize| {
        let file = |content: usize| Multipart::new().file("pic", "p", "a/b", &vec![7; content]);
        let around = file(0).bytes().len();
        file(length - around).bytes()
    };
    let kind = Multipart::CONTENT_TYPE;
    let requests = vec![
        app.post(&storage).typed_body(kind, &body(400_001)),
        app.post(STORE).typed_body(kind, &body(400_001)),
        chunked(app.post(&storage), kind, &body(400_001)),
        chunked(app.post(STORE), kind, &body(700_000)),
    ];
    assert_refused(&limited, "limits.body_bytes", "400000", requests).await;
    for request in [
        app.post(&storage).typed_body(kind, &body(400_000)),
        chunked(app.post(&storage), kind, &body(400_000)),
    ] {
        TestResponse::send(request).await.assert_empty();
    }
}

async fn body_limit_applies_to_all_content_types(app: TestApp) {
    let limited = start(&app, &[("limits.body_bytes", "100")]).await;
    let (app, storage) = (&limited.0, format!("{}/storage", limited.1));
    let over = format!("Key1={}", "1".repeat(96));
    let requests = vec![
        app.post(&storage).form_body(&over),
        app.post(&storage)
            .json_body(&format!("{{\"Key1\":\"{over}\"}}")),
        chunked(app.post(&storage), FORM, over.as_bytes()),
    ];
    assert_refused(&limited, "limits.body_bytes", "100", requests).await;
    TestResponse::send(app.post(&storage).form_body(&over[..100]))
        .await
        .assert_empty();
}

async fn excessive_content_length_is_rejected_before_the_body(app: TestApp) {
    let service = app.create("Key1=1").await;
    for (kind, length, setting) in [
        (Multipart::CONTENT_TYPE, "83886081", "limits.body_bytes"),
        (FORM, "4194305", "limits.form_bytes"),
        ("application/json", "99999999999", "limits.form_bytes"),
    ] {
        for path in [STORE, &format!("{service}/storage")] {
            let mut connection = RawConnection::connect(&app).await;
            connection
                .send(format!(
                    "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n\
                 Content-Length: {length}\r\n\r\n"
                ))
                .await;
            let message = connection
                .read_response()
                .await
                .error_message("TooLarge", 413);
            assert!(message.contains(setting), "{message}");
        }
    }
    assert_eq!(app.storage(&service).await, json!({"Key1": "1"}));
}

async fn client_that_sends_an_oversized_body_receives_the_error(app: TestApp) {
    let body = vec![b'x'; 6 * 1024 * 1024];
    for head in [
        "Content-Length: 6291456\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n600000\r\n",
    ] {
        let mut connection = RawConnection::connect(&app).await;
        let start = format!("POST {STORE} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\n{head}");
        connection.send(start).await;
        connection.try_send(&body).await;
        let message = connection
            .read_response()
            .await
            .error_message("TooLarge", 413);
        assert!(message.contains("4194304"), "{message}");
    }
}
