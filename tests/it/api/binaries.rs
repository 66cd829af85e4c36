//! Contract section 3: upload and download of binaries.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{
    Bodies, Multipart, RawConnection, TestApp, TestResponse, on_every_kind_of_store,
};

on_every_kind_of_store!(
    binaries_of_any_size_are_returned_unchanged,
    a_download_has_type_name_length_and_etag,
    head_returns_no_body,
    an_unchanged_binary_is_not_sent_again,
    every_upload_has_its_own_etag,
    files_and_strings_of_one_body_are_stored_together,
    a_replaced_binary_changes_all_its_metadata,
);

const CHUNK_BYTES: usize = 262_144;

/// Bytes that differ from their neighbors.
pub(crate) fn test_bytes(length: usize) -> Vec<u8> {
    let words = (0_u32..).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes());
    words.take(length).collect()
}

/// Creates a service with one binary. Returns the paths of both.
pub(crate) async fn create_with_file(app: &TestApp, multipart: Multipart) -> (String, String) {
    let request = app
        .post("/genesys/1/service/store")
        .multipart_body(multipart);
    let service = TestResponse::send(request).await.service_id();
    let binary = format!("{service}/storage/binary/pic");
    (service, binary)
}

pub(crate) fn picture_body(content: &[u8]) -> Multipart {
    Multipart::new().file("pic", "me.png", "image/png", content)
}

async fn binaries_of_any_size_are_returned_unchanged(app: TestApp) {
    for length in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 700_000] {
        let sent = test_bytes(length);
        let (service, binary) = create_with_file(&app, picture_body(&sent)).await;
        let answer = TestResponse::send(app.get(&binary)).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("content-length"), length.to_string());
        assert!(answer.body == sent, "{length} bytes came back changed");
        assert_eq!(
            app.get_service(&service).await["_binaries"][0]["size"],
            length
        );
    }
}

async fn a_download_has_type_name_length_and_etag(app: TestApp) {
    let (_, binary) = create_with_file(&app, picture_body(b"12345")).await;
    let answer = TestResponse::send(app.get(&binary)).await;
    for (header, value) in [
        ("content-type", "image/png"),
        ("content-length", "5"),
        ("content-disposition", "attachment; filename*=UTF-8''me.png"),
        ("accept-ranges", "bytes"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(answer.header(header), value);
    }
    let tag = answer.header("etag");
    assert!(
        tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"'),
        "{tag}"
    );
}

async fn head_returns_no_body(app: TestApp) {
    let (service, binary) = create_with_file(&app, picture_body(&test_bytes(700_000))).await;
    let mut wire = RawConnection::connect(&app).await;
    let full = wire.request("GET", &binary).await;
    wire.send(format!("HEAD {binary} HTTP/1.1\r\nHost: x\r\n\r\n"))
        .await;
    let mut head = wire.read_head().await;
    // The next bytes on the connection are the response to the next request.
    let next = wire.request("GET", &format!("{service}/storage")).await;
    assert_eq!(next.text(), "{}");
    assert_eq!(head.status, StatusCode::OK);
    let mut expected = full.headers;
    for headers in [&mut head.headers, &mut expected] {
        headers.remove("date");
    }
    assert_eq!(head.headers, expected);
    assert_eq!(expected["content-length"], "700000");

    let absent = format!("{service}/storage/binary/none");
    let answer = TestResponse::send(app.request(Method::HEAD, &absent)).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

async fn an_unchanged_binary_is_not_sent_again(app: TestApp) {
    let (_, binary) = create_with_file(&app, picture_body(b"12345")).await;
    let tag = TestResponse::send(app.get(&binary))
        .await
        .header("etag")
        .to_owned();
    for known in [
        tag.clone(),
        format!("W/{tag}"),
        format!("\"x\", {tag}"),
        "*".to_owned(),
    ] {
        let mut wire = RawConnection::connect(&app).await;
        wire.send(format!(
            "GET {binary} HTTP/1.1\r\nHost: x\r\nIf-None-Match: {known}\r\n\r\n"
        ))
        .await;
        let answer = wire.read_head().await;
        assert_eq!(answer.status, StatusCode::NOT_MODIFIED, "{known}");
        assert_eq!(answer.header("etag"), tag);
        assert_eq!(wire.request("GET", &binary).await.text(), "12345");
    }
    for other in ["\"x\"", "\"\"", "x", &tag[1..tag.len() - 1]] {
        let answer = TestResponse::send(app.get(&binary).header("if-none-match", other)).await;
        assert_eq!(
            (answer.status, answer.text()),
            (StatusCode::OK, "12345"),
            "{other}"
        );
    }
}

async fn every_upload_has_its_own_etag(app: TestApp) {
    let (service, binary) = create_with_file(&app, picture_body(b"12345")).await;
    let first = TestResponse::send(app.get(&binary)).await;
    let again = app
        .post(&format!("{service}/storage"))
        .multipart_body(picture_body(b"12345"));
    TestResponse::send(again).await.assert_empty();
    let known = app
        .get(&binary)
        .header("if-none-match", first.header("etag"));
    let second = TestResponse::send(known).await;
    assert_eq!((second.status, second.text()), (StatusCode::OK, "12345"));
    assert_ne!(second.header("etag"), first.header("etag"));
}

async fn files_and_strings_of_one_body_are_stored_together(app: TestApp) {
    let (service, _) = create_with_file(&app, Multipart::new()).await;
    let storage = format!("{service}/storage");
    let (one, two) = (test_bytes(CHUNK_BYTES), test_bytes(CHUNK_BYTES + 7));
    let all = Multipart::new()
        .file("one", "1", "a/b", &one)
        .text("Key1", "Value1")
        .file("two", "2", "a/b", &two)
        .text("Key2", "Value2");
    TestResponse::send(app.post(&storage).multipart_body(all))
        .await
        .assert_empty();
    assert_eq!(
        app.storage(&service).await,
        json!({"Key1": "Value1", "Key2": "Value2"})
    );
    for (name, sent) in [("one", one), ("two", two)] {
        let answer = TestResponse::send(app.get(&format!("{storage}/binary/{name}"))).await;
        assert!(answer.body == sent, "{name} came back changed");
    }
}

async fn a_replaced_binary_changes_all_its_metadata(app: TestApp) {
    let (service, binary) = create_with_file(&app, picture_body(&test_bytes(300_000))).await;
    let other = Multipart::new().file("pic", "b.jpg", "image/jpeg", b"new");
    let request = app.post(&format!("{service}/update")).multipart_body(other);
    TestResponse::send(request).await.assert_empty();
    let answer = TestResponse::send(app.get(&binary)).await;
    assert_eq!(
        (answer.text(), answer.header("content-type")),
        ("new", "image/jpeg")
    );
    let expected =
        json!([{"name": "pic", "content_type": "image/jpeg", "file_name": "b.jpg", "size": 3}]);
    assert_eq!(app.get_service(&service).await["_binaries"], expected);
}
