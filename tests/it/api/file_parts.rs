//! Contract sections 1 and 3: the file parts of multipart bodies.

use reqwest::StatusCode;
use serde_json::json;

use crate::{
    api::binaries::{create_with_file, picture_body, test_bytes},
    support::{
        Multipart, RawConnection, TestApp, TestResponse, disposition, encode, on_redis_only,
    },
};

on_redis_only!(
    parts_are_classified_as_files_or_strings,
    unicode_file_names_are_returned,
    a_file_without_a_name_is_downloaded_under_its_key,
    content_types_and_file_names_cannot_inject_headers,
    last_part_of_a_repeated_name_wins,
    file_under_a_parameter_name_is_ignored,
);

async fn parts_are_classified_as_files_or_strings(app: TestApp) {
    let octets = "application/octet-stream";
    let named = |rest: &str| format!("{}{rest}", disposition("pic"));
    for (head, kind) in [
        (
            named("; filename=\"a.txt\"\r\nContent-Type: text/plain"),
            "text/plain",
        ),
        (named("; filename=\"a.txt\""), octets),
        (named("; filename=\"\""), octets),
        (named("; filename=a.txt\r\nContent-Type: nonsense"), octets),
        (
            named("; filename*=UTF-8''a.txt\r\nContent-Type: a/b;c=d"),
            "a/b;c=d",
        ),
        (named("\r\nContent-Type: application/octet-stream"), octets),
        (
            named("\r\nContent-Type: application/json"),
            "application/json",
        ),
        (named("\r\ncontent-type: image/PNG"), "image/png"),
    ] {
        let (service, binary) =
            create_with_file(&app, Multipart::new().part(&head, b"12345")).await;
        let response = TestResponse::send(app.get(&binary)).await;
        assert_eq!(
            (response.status, response.text()),
            (StatusCode::OK, "12345"),
            "{head}"
        );
        assert_eq!(
            response.header("content-type").to_ascii_lowercase(),
            kind,
            "{head}"
        );
        assert_eq!(app.storage(&service).await, json!({}));
    }
    for rest in [
        "",
        "\r\nContent-Type: text/plain",
        "\r\nContent-Type: text/html;charset=utf-8",
    ] {
        let multipart = Multipart::new().part(&named(rest), b"12345");
        let (service, binary) = create_with_file(&app, multipart).await;
        TestResponse::send(app.get(&binary))
            .await
            .error_message("KeyNotFound", 404);
        assert_eq!(app.storage(&service).await, json!({"pic": "12345"}));
    }
}

async fn unicode_file_names_are_returned(app: TestApp) {
    let plain = "Zo\u{eb} \u{1f600} 100%; a=b.png";
    for (parameter, name) in [
        (format!("filename=\"{plain}\""), plain),
        (
            format!("filename=\"x\"; filename*=UTF-8''{}", encode(plain)),
            plain,
        ),
        (r#"filename="a\"b\\c.png""#.to_owned(), "a\"b\\c.png"),
    ] {
        let head = format!(
            "{}; {parameter}\r\nContent-Type: image/png",
            disposition("pic")
        );
        let (service, binary) = create_with_file(&app, Multipart::new().part(&head, b"1")).await;
        let response = TestResponse::send(app.get(&binary)).await;
        let disposition = response.header("content-disposition");
        let encoded = disposition
            .strip_prefix("attachment; filename*=UTF-8''")
            .unwrap();
        let decoded = percent_encoding::percent_decode_str(encoded).decode_utf8();
        assert_eq!(decoded.unwrap(), name);
        let allowed = |c: char| c.is_ascii_alphanumeric() || "%-._~".contains(c);
        assert!(encoded.chars().all(allowed), "{encoded}");
        assert_eq!(
            app.get_service(&service).await["_binaries"][0]["file_name"],
            name
        );
    }
}

async fn a_file_without_a_name_is_downloaded_under_its_key(app: TestApp) {
    let head = format!("{}\r\nContent-Type: image/png", disposition("a b/\u{e9}"));
    let (service, _) = create_with_file(&app, Multipart::new().part(&head, b"1")).await;
    let path = format!("{service}/storage/binary/{}", encode("a b/\u{e9}"));
    let response = TestResponse::send(app.get(&path)).await;
    let expected = "attachment; filename*=UTF-8''a%20b%2F%C3%A9";
    assert_eq!(response.header("content-disposition"), expected);
}

async fn content_types_and_file_names_cannot_inject_headers(app: TestApp) {
    let injected = "filename*=UTF-8''a%0D%0AX-Evil:%201%0D%0A%0D%0Ax";
    for (parameter, kind) in [
        (injected, "text/html"),
        ("filename=\"a\tb\"", "image/png; a=\"\\\"\""),
        ("filename=\"a\"", "image/png;\tb=c"),
        ("filename=\"a\"", "image/png; a=\"\u{e9}\""),
        ("filename=\"a\"", "image/png\r\nX-Evil: 1"),
        ("filename=\"a\"", "text/html, text/plain"),
        ("filename=\"a\"", "*/*"),
        ("filename=\"a\"", ""),
        ("filename=\"a; X-Evil=1\"", "/"),
    ] {
        let head = format!(
            "{}; {parameter}\r\nContent-Type: {kind}",
            disposition("pic")
        );
        let (_, binary) = create_with_file(&app, Multipart::new().part(&head, b"12345")).await;
        let response = RawConnection::connect(&app)
            .await
            .request("GET", &binary)
            .await;
        assert_eq!(
            (response.status, response.text()),
            (StatusCode::OK, "12345"),
            "{head}"
        );
        assert!(
            !response.headers.contains_key("x-evil"),
            "{head}: {response:?}"
        );
        for single in [
            "content-type",
            "content-disposition",
            "x-content-type-options",
        ] {
            assert_eq!(
                response.headers.get_all(single).iter().count(),
                1,
                "{response:?}"
            );
        }
        assert!(
            response
                .header("content-disposition")
                .starts_with("attachment; ")
        );
    }
}

async fn last_part_of_a_repeated_name_wins(app: TestApp) {
    let twice = picture_body(&test_bytes(300_000))
        .text("x", "1")
        .file("pic", "b", "a/b", b"last");
    let (service, binary) = create_with_file(&app, twice).await;
    assert_eq!(TestResponse::send(app.get(&binary)).await.text(), "last");
    assert_eq!(
        app.get_service(&service).await["_binaries"]
            .as_array()
            .unwrap()
            .len(),
        1
    );

    let text_last = picture_body(b"12345").text("pic", "text");
    let (service, binary) = create_with_file(&app, text_last).await;
    TestResponse::send(app.get(&binary))
        .await
        .error_message("KeyNotFound", 404);
    assert_eq!(app.storage(&service).await, json!({"pic": "text"}));

    let text_first = Multipart::new()
        .text("pic", "text")
        .file("pic", "b", "a/b", b"file");
    let (service, binary) = create_with_file(&app, text_first).await;
    assert_eq!(TestResponse::send(app.get(&binary)).await.text(), "file");
    assert_eq!(app.storage(&service).await, json!({}));
}

async fn file_under_a_parameter_name_is_ignored(app: TestApp) {
    let files = Multipart::new()
        .file("_data", "d", "a/b", &test_bytes(600_000))
        .text("Key1", "Value1")
        .file("_ttl", "t", "text/plain", b"1")
        .file("pic", "me.png", "image/png", b"12345");
    let (service, binary) = create_with_file(&app, files).await;
    assert_eq!(TestResponse::send(app.get(&binary)).await.text(), "12345");
    let description = app.get_service(&service).await;
    assert_eq!(
        (
            &description["_keys"],
            description["_binaries"].as_array().unwrap().len()
        ),
        (&json!(["Key1"]), 1)
    );
    assert!(description["_ttl"].as_u64().unwrap() > 1, "{description}");
    let blobs = app.redis_keys("blob:*").await.len();
    assert_eq!(blobs, usize::from(app.redis.is_some()));
}
