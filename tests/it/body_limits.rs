//! Contract section 8: limits of whole bodies, however they come.

use serde_json::json;

use crate::{
    limits::{FORM, STORE, assert_refused, chunked, start},
    support::{Bodies, Multipart, RawConnection, TestApp, TestResponse, on_every_kind_of_store},
};

on_every_kind_of_store!(
    a_form_and_a_json_body_have_a_limit,
    a_multipart_body_has_a_limit,
    the_limit_of_bodies_holds_for_all_kinds,
    a_body_that_announces_too_much_is_refused_before_it_comes,
    a_client_that_sends_too_much_before_it_reads_is_told,
);

async fn a_form_and_a_json_body_have_a_limit(app: TestApp) {
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
        // The strings of a multipart body count together.
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
        // Files do not count.
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

async fn a_multipart_body_has_a_limit(app: TestApp) {
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

async fn the_limit_of_bodies_holds_for_all_kinds(app: TestApp) {
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

async fn a_body_that_announces_too_much_is_refused_before_it_comes(app: TestApp) {
    let service = app.create("Key1=1").await;
    for (kind, length, setting) in [
        (Multipart::CONTENT_TYPE, "83886081", "limits.body_bytes"),
        (FORM, "4194305", "limits.form_bytes"),
        ("application/json", "99999999999", "limits.form_bytes"),
    ] {
        for path in [STORE, &format!("{service}/storage")] {
            let mut wire = RawConnection::connect(&app).await;
            wire.send(format!(
                "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n\
                 Content-Length: {length}\r\n\r\n"
            ))
            .await;
            let message = wire.read_response().await.error_message("TooLarge", 413);
            assert!(message.contains(setting), "{message}");
        }
    }
    assert_eq!(app.storage(&service).await, json!({"Key1": "1"}));
}

async fn a_client_that_sends_too_much_before_it_reads_is_told(app: TestApp) {
    let body = vec![b'x'; 6 * 1024 * 1024];
    for head in [
        "Content-Length: 6291456\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n600000\r\n",
    ] {
        let mut wire = RawConnection::connect(&app).await;
        let start = format!("POST {STORE} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\n{head}");
        wire.send(start).await;
        wire.try_send(&body).await;
        let message = wire.read_response().await.error_message("TooLarge", 413);
        assert!(message.contains("4194304"), "{message}");
    }
}
