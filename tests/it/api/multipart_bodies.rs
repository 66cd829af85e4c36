//! Contract section 1, "Bodies": `multipart/form-data`.

use reqwest::StatusCode;
use serde_json::json;

use crate::{
    api::binaries::create_with_file,
    api::bodies::{FORM, STORE, create_and_read},
    support::{Bodies, Multipart, TestApp, TestResponse, disposition, encode, on_redis_only},
};

on_redis_only!(
    content_length_of_parts_is_ignored,
    white_space_after_a_boundary_is_accepted,
    empty_file_inputs_are_ignored,
    file_without_a_name_or_content_is_stored,
    backslashes_in_names_are_preserved,
    names_are_decoded_in_the_charset_of_the_body,
    charset_field_sets_the_charset_of_a_form,
    boundary_notation_variants_are_accepted,
    malformed_body_stores_nothing,
    compressed_bodies_are_rejected,
    leading_byte_order_mark_is_removed,
    long_file_names_and_content_types_are_rejected,
);

const CONTENT_TYPE: &str = "multipart/form-data; boundary=XbX";

/// A part named `name`.
fn part(name: &str, more: &str, content: &str) -> String {
    format!("{}{more}\r\n\r\n{content}\r\n", disposition(name))
}

async fn content_length_of_parts_is_ignored(app: TestApp) {
    for length in ["3", "55", "0", "x", "-1", "99999999999999999999"] {
        let length = format!("\r\nContent-Length: {length}");
        let file = format!("; filename=\"f\"{length}");
        let body = Multipart::new()
            .part(&format!("{}{length}", disposition("a")), b"hello")
            .part(&format!("{}{file}", disposition("pic")), b"content")
            .text("b", "next");
        let (service, binary) = create_with_file(&app, body).await;
        assert_eq!(
            app.storage(&service).await,
            json!({"a": "hello", "b": "next"})
        );
        assert_eq!(TestResponse::send(app.get(&binary)).await.text(), "content");
    }
}

async fn white_space_after_a_boundary_is_accepted(app: TestApp) {
    let (a, b) = (part("a", "", "1"), part("b", "", "2"));
    for body in [
        format!("--XbX \r\n{a}--XbX\r\n{b}--XbX--\r\n"),
        format!("--XbX\t \r\n{a}--XbX  \r\n{b}--XbX--\t\r\n"),
        format!("--XbX\r\n{a}--XbX\r\n{b}--XbX--"),
        format!("\r\n--XbX\r\n{a}--XbX \r\n{b}--XbX-- "),
    ] {
        let request = app.post(STORE).typed_body(CONTENT_TYPE, body.as_bytes());
        assert_eq!(
            create_and_read(&app, request).await,
            json!({"a": "1", "b": "2"}),
            "{body:?}"
        );
    }
}

async fn empty_file_inputs_are_ignored(app: TestApp) {
    let before =
        Multipart::new()
            .text("text", "before")
            .file("pic", "me.png", "image/png", b"12345");
    let (service, binary) = create_with_file(&app, before).await;
    for rest in [
        "; filename=\"\"\r\nContent-Type: application/octet-stream",
        "; filename=\"\"",
        "; filename=",
        "; filename=\"\"; filename*=UTF-8''",
        "; filename=\"\"\r\nContent-Type: image/png",
    ] {
        for name in ["text", "pic", "other", "_ttl"] {
            let body = Multipart::new().part(&format!("{}{rest}", disposition(name)), b"");
            let request = app.post(&format!("{service}/storage")).multipart_body(body);
            TestResponse::send(request).await.assert_empty();
        }
    }
    assert_eq!(app.storage(&service).await, json!({"text": "before"}));
    assert_eq!(TestResponse::send(app.get(&binary)).await.text(), "12345");
    let description = app.get_service(&service).await;
    assert_eq!(description["_binaries"].as_array().unwrap().len(), 1);
    // An earlier part with the same name is used.
    let chosen = Multipart::new()
        .text("a", "1")
        .part(&format!("{}; filename=\"\"", disposition("a")), b"");
    let request = app.post(STORE).multipart_body(chosen);
    assert_eq!(create_and_read(&app, request).await, json!({"a": "1"}));
}

async fn file_without_a_name_or_content_is_stored(app: TestApp) {
    for (rest, content) in [
        ("; filename=\"\"\r\nContent-Type: image/png", "1"),
        ("; filename=\"empty.png\"\r\nContent-Type: image/png", ""),
        ("\r\nContent-Type: image/png", ""),
    ] {
        let head = format!("{}{rest}", disposition("pic"));
        let (_, binary) =
            create_with_file(&app, Multipart::new().part(&head, content.as_bytes())).await;
        let response = TestResponse::send(app.get(&binary)).await;
        assert_eq!(
            (response.status, response.text()),
            (StatusCode::OK, content),
            "{rest}"
        );
        assert_eq!(response.header("content-type"), "image/png");
    }
}

async fn backslashes_in_names_are_preserved(app: TestApp) {
    for (sent, name) in [
        (r"c\d", r"c\d"),
        (r"C:\tmp\x", r"C:\tmp\x"),
        (r"C:\tmp\", r"C:\tmp\"),
        (r"\\server\share", r"\\server\share"),
        ("a%22b%0D%0Ac", "a\"b\r\nc"),
        (r#"a\"b"#, "a\"b"),
        ("100%", "100%"),
    ] {
        let body = Multipart::new()
            .text(sent, "1")
            .file("pic", sent, "a/b", b"2");
        let (service, _) = create_with_file(&app, body).await;
        assert_eq!(app.storage(&service).await, json!({name: "1"}));
        let description = app.get_service(&service).await;
        assert_eq!(description["_binaries"][0]["file_name"], name);
    }
    for (extended, name) in [
        ("ISO-8859-1''%A3%20rates", "\u{a3} rates"),
        ("utf-8'de'%E2%82%AC", "\u{20ac}"),
    ] {
        let head = format!("{}; filename*={extended}", disposition("pic"));
        let (service, _) = create_with_file(&app, Multipart::new().part(&head, b"1")).await;
        assert_eq!(
            app.get_service(&service).await["_binaries"][0]["file_name"],
            name
        );
    }
}

/// Parts named `é` (in Latin-1) with the value and the file name `é`.
fn latin_parts() -> Vec<u8> {
    b"--XbX\r\nContent-Disposition: form-data; name=\"\xe9\"\r\n\r\n\xe9\r\n--XbX\r\n\
      Content-Disposition: form-data; name=\"pic\"; filename=\"\xe9\"\r\n\r\n1\r\n"
        .to_vec()
}

async fn names_are_decoded_in_the_charset_of_the_body(app: TestApp) {
    let charset_part = part("_charset_", "", "iso-8859-1").into_bytes();
    let field = [b"--XbX\r\n".as_slice(), &charset_part].concat();
    let end = b"--XbX--\r\n".to_vec();
    for (kind, body) in [
        (
            format!("{CONTENT_TYPE}; charset=ISO-8859-1"),
            [latin_parts(), end.clone()].concat(),
        ),
        (
            CONTENT_TYPE.to_owned(),
            [field.clone(), latin_parts(), end.clone()].concat(),
        ),
        (
            CONTENT_TYPE.to_owned(),
            [latin_parts(), field, end.clone()].concat(),
        ),
    ] {
        let response = TestResponse::send(app.post(STORE).typed_body(&kind, &body)).await;
        let service = response.service_id();
        assert_eq!(app.storage(&service).await, json!({"\u{e9}": "\u{e9}"}));
        let description = app.get_service(&service).await;
        assert_eq!(description["_binaries"][0]["file_name"], "\u{e9}");
    }
    let unnamed = [latin_parts(), end].concat();
    let refused = TestResponse::send(app.post(STORE).typed_body(CONTENT_TYPE, &unnamed)).await;
    let message = refused.error_message("InvalidBody", 400);
    assert!(
        message.contains("part 1") && message.contains("UTF-8"),
        "{message}"
    );
}

async fn charset_field_sets_the_charset_of_a_form(app: TestApp) {
    for form in [
        b"_charset_=iso-8859-1&a=caf%E9".as_slice(),
        b"a=caf%E9&_charset_=ISO-8859-1",
        b"a=caf\xe9&_charset_=windows-1252",
    ] {
        let request = app.post(STORE).typed_body(FORM, form);
        assert_eq!(
            create_and_read(&app, request).await,
            json!({"a": "caf\u{e9}"})
        );
    }
    let empty = app.post(STORE).form_body("_charset_=&a=caf%C3%A9");
    assert_eq!(
        create_and_read(&app, empty).await,
        json!({"a": "caf\u{e9}"})
    );
    let unknown = Multipart::new().text("_charset_", "klingon").text("a", "1");
    for request in [
        app.post(STORE).form_body("_charset_=klingon&a=1"),
        app.post(STORE).multipart_body(unknown),
    ] {
        let message = TestResponse::send(request)
            .await
            .error_message("InvalidBody", 400);
        assert!(message.contains("klingon"), "{message}");
    }
}

async fn boundary_notation_variants_are_accepted(app: TestApp) {
    let body = |boundary: &str| format!("--{boundary}\r\n{}--{boundary}--", part("a", "", "1"));
    for (kind, boundary) in [
        ("multipart/form-data ; boundary=XbX", "XbX"),
        ("multipart/form-data;boundary=\"XbX\"", "XbX"),
        (
            "Multipart/Form-Data; charset=utf-8; Boundary = XbX ;",
            "XbX",
        ),
        ("multipart/form-data; boundary=----=_Part_0", "----=_Part_0"),
        (
            "multipart/form-data; boundary=----=_Part_0_12.34",
            "----=_Part_0_12.34",
        ),
        (
            "multipart/form-data; boundary=\"a b;c'()+_,-./:=?\"",
            "a b;c'()+_,-./:=?",
        ),
        ("multipart/form-data; boundary=a/b:c?", "a/b:c?"),
    ] {
        let request = app.post(STORE).typed_body(kind, body(boundary).as_bytes());
        assert_eq!(
            create_and_read(&app, request).await,
            json!({"a": "1"}),
            "{kind}"
        );
    }
    for (kind, expected) in [
        ("multipart/form-data", "the parameter boundary is missing"),
        (
            "multipart/form-data; boundary=",
            "the parameter boundary is missing",
        ),
        ("multipart/form-data; boundary=\"XbX", "quotes"),
        ("multipart/form-data; boundary=XbX; boundary=XbY", "twice"),
    ] {
        let request = app.post(STORE).typed_body(kind, body("XbX").as_bytes());
        let message = TestResponse::send(request)
            .await
            .error_message("InvalidBody", 400);
        assert!(message.contains(expected), "{message}");
    }
}

async fn malformed_body_stores_nothing(app: TestApp) {
    let service = app.create("a=before").await;
    let (a, b) = (part("a", "", "1"), part("b", "", "2"));
    for body in [
        format!(" --XbX\r\n{a}--XbX\r\n{b}--XbX--"),
        format!("--XbX\r\n{a}--XbX junk\r\n{b}--XbX--"),
        format!("--XbX\r\n{a}--XbXX\r\n{b}--XbX--"),
        format!("--XbX\r\n{a}--XbX--\r\n--XbX\r\n{b}--XbX--"),
        format!("--XbX\r\n{a}--XbX\r\n{b}"),
        format!("--XbX\r\n{a}--XbX\r\n\r\n2\r\n--XbX--"),
        format!("--XbX\r\n{a}--XbX\r\n{}--XbX--", part("\u{7}", "", "2")),
        format!("--XbX\r\n{a}--XbX\r\n{}--XbX--", part("b\"c", "", "2")),
        format!("--XbX\r\n{a}--XbX\r\n{b}--XbX--").replace("\r\n", "\n"),
    ] {
        let request = app
            .post(&format!("{service}/storage"))
            .typed_body(CONTENT_TYPE, body.as_bytes());
        let message = TestResponse::send(request)
            .await
            .error_message("InvalidBody", 400);
        assert!(message.contains("body"), "{message}");
        assert_eq!(
            app.storage(&service).await,
            json!({"a": "before"}),
            "{body:?}"
        );
    }
}

async fn compressed_bodies_are_rejected(app: TestApp) {
    let service = app.create("a=before").await;
    let storage = format!("{service}/storage");
    for coding in ["gzip", "identity, br", "x-what", "GZIP"] {
        for (kind, body) in [
            (FORM, "a=1".to_owned()),
            ("application/json", "{\"a\":1}".to_owned()),
            (
                CONTENT_TYPE,
                format!("--XbX\r\n{}--XbX--", part("a", "", "1")),
            ),
            ("text/plain", "a".to_owned()),
        ] {
            let request = app.post(&storage).header("content-encoding", coding);
            let response = TestResponse::send(request.typed_body(kind, body.as_bytes())).await;
            let message = response.error_message("UnsupportedMediaType", 415);
            assert!(message.contains("Content-Encoding"), "{message}");
            assert_eq!(response.header("accept-encoding"), "identity");
        }
    }
    assert_eq!(app.storage(&service).await, json!({"a": "before"}));
    for coding in ["identity", "Identity", ""] {
        let request = app.post(&storage).header("content-encoding", coding);
        TestResponse::send(request.form_body("a=1"))
            .await
            .assert_empty();
    }
    // Requests without a body are not affected.
    let read = app.get(&storage).header("content-encoding", "gzip");
    assert_eq!(TestResponse::send(read).await.status, StatusCode::OK);
}

async fn leading_byte_order_mark_is_removed(app: TestApp) {
    let latin = format!("{FORM}; charset=ISO-8859-1");
    let multipart = format!("\u{feff}--XbX\r\n{}--XbX--", part("a", "", "\u{e9}"));
    for (kind, body) in [
        (FORM, "\u{feff}a=\u{e9}"),
        (&latin, "\u{feff}a=\u{e9}"),
        (FORM, "\u{feff}{\"a\":\"\u{e9}\"}"),
        (FORM, "\u{feff} {\"a\":\"\u{e9}\"}"),
        ("application/json", "\u{feff}{\"a\":\"\u{e9}\"}"),
        (CONTENT_TYPE, &multipart),
    ] {
        let request = app.post(STORE).typed_body(kind, body.as_bytes());
        assert_eq!(
            create_and_read(&app, request).await,
            json!({"a": "\u{e9}"}),
            "{kind}"
        );
    }
    for kind in [FORM, "application/json"] {
        let request = app.post(STORE).typed_body(kind, "\u{feff}".as_bytes());
        assert_eq!(create_and_read(&app, request).await, json!({}), "{kind}");
    }
}

async fn long_file_names_and_content_types_are_rejected(app: TestApp) {
    let service = app.create("a=before").await;
    let storage = format!("{service}/storage");
    let longest = "\u{e9}".repeat(127) + "x";
    let body = Multipart::new().file("pic", &longest, "a/b", b"1");
    TestResponse::send(app.post(&storage).multipart_body(body))
        .await
        .assert_empty();
    assert_eq!(
        app.get_service(&service).await["_binaries"][0]["file_name"],
        *longest
    );
    for (rest, bytes) in [
        (format!("; filename=\"{longest}y\""), "256"),
        (
            format!("; filename*=UTF-8''{}", encode(&format!("{longest}y"))),
            "256",
        ),
        (format!("; filename=\"{}\"", "f".repeat(20_000)), "20000"),
        (
            format!("; filename=f\r\nContent-Type: a/{}", "b".repeat(254)),
            "256",
        ),
    ] {
        let body = Multipart::new()
            .text("a", "1")
            .part(&format!("{}{rest}", disposition("pic")), b"2");
        let response = TestResponse::send(app.post(&storage).multipart_body(body)).await;
        let message = response.error_message("InvalidBody", 400);
        assert!(
            message.contains(bytes) && message.contains("255"),
            "{message}"
        );
    }
    assert_eq!(app.storage(&service).await, json!({"a": "before"}));
}
