//! Contract section 3: ranges of binaries, and changes during a download.

use reqwest::StatusCode;

use crate::support::{
    Bodies, Multipart, RawConnection, TestApp, TestResponse, eventually, on_every_kind_of_store,
};

on_every_kind_of_store!(
    a_range_returns_partial_content,
    a_range_across_chunks_is_correct,
    an_unsatisfiable_range_is_rejected_with_the_size,
    other_range_headers_return_the_whole_binary,
    if_range_of_another_version_returns_the_whole_binary,
    a_range_applies_to_get_only,
    a_download_is_not_affected_by_a_replacement,
    a_download_is_not_affected_by_a_delete,
    a_download_is_aborted_when_the_service_ends,
);

/// Larger than socket buffers.
const LARGE_BYTES: usize = 12 * 1024 * 1024;
const CHUNK_BYTES: usize = 262_144;

fn file(content: &[u8]) -> Multipart {
    Multipart::new().file("pic", "p.png", "image/png", content)
}

/// Creates a service with one binary. Returns the paths of both.
async fn create_with_binary(app: &TestApp, content: &[u8]) -> (String, String) {
    let request = app
        .post("/genesys/1/service/store")
        .multipart_body(file(content));
    let service = TestResponse::send(request).await.service_id();
    let binary = format!("{service}/storage/binary/pic");
    (service, binary)
}

async fn a_range_returns_partial_content(app: TestApp) {
    let (_, binary) = create_with_binary(&app, b"0123456789").await;
    let whole = TestResponse::send(app.get(&binary)).await;
    for (range, part, expected) in [
        ("bytes=0-0", "0", "bytes 0-0/10"),
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=9-99", "9", "bytes 9-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=-99", "0123456789", "bytes 0-9/10"),
        ("bytes=0-", "0123456789", "bytes 0-9/10"),
        ("bytes= 2-4 ", "234", "bytes 2-4/10"),
    ] {
        let answer = TestResponse::send(app.get(&binary).header("range", range)).await;
        assert_eq!(
            (answer.status, answer.text()),
            (StatusCode::PARTIAL_CONTENT, part)
        );
        assert_eq!(answer.header("content-range"), expected, "{range}");
        assert_eq!(answer.header("content-length"), part.len().to_string());
        for same in [
            "content-type",
            "etag",
            "content-disposition",
            "x-content-type-options",
        ] {
            assert_eq!(answer.header(same), whole.header(same));
        }
    }
}

async fn a_range_across_chunks_is_correct(app: TestApp) {
    let content: Vec<u8> = (0..3 * CHUNK_BYTES)
        .map(|n| u8::try_from(n % 251).unwrap())
        .collect();
    let (_, binary) = create_with_binary(&app, &content).await;
    for (first, last) in [
        (CHUNK_BYTES - 1, CHUNK_BYTES),
        (CHUNK_BYTES, CHUNK_BYTES),
        (CHUNK_BYTES, 2 * CHUNK_BYTES - 1),
        (1, 3 * CHUNK_BYTES - 2),
        (2 * CHUNK_BYTES + 5, 3 * CHUNK_BYTES - 1),
    ] {
        let range = format!("bytes={first}-{last}");
        let answer = TestResponse::send(app.get(&binary).header("range", &range)).await;
        assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT);
        assert!(answer.body == content[first..=last], "{range} is cut wrong");
    }
}

async fn an_unsatisfiable_range_is_rejected_with_the_size(app: TestApp) {
    for (content, range) in [
        (b"0123456789".as_slice(), "bytes=10-"),
        (b"0123456789", "bytes=10-20"),
        (b"0123456789", "bytes=-0"),
        (b"", "bytes=0-"),
        (b"", "bytes=-1"),
    ] {
        let (_, binary) = create_with_binary(&app, content).await;
        let answer = TestResponse::send(app.get(&binary).header("range", range)).await;
        let message = answer.error_message("RangeNotSatisfiable", 416);
        let size = content.len();
        assert!(message.contains(&size.to_string()), "{message}");
        assert_eq!(answer.header("content-range"), format!("bytes */{size}"));
    }
}

async fn other_range_headers_return_the_whole_binary(app: TestApp) {
    let (_, binary) = create_with_binary(&app, b"0123456789").await;
    for range in [
        "bytes=0-1,4-5",
        "bytes=5-2",
        "bytes=x-y",
        "bytes=",
        "bytes",
        "lines=0-1",
        "",
    ] {
        let answer = TestResponse::send(app.get(&binary).header("range", range)).await;
        assert_eq!(
            (answer.status, answer.text()),
            (StatusCode::OK, "0123456789"),
            "{range}"
        );
        assert_eq!(answer.header("content-range"), "");
    }
}

async fn if_range_of_another_version_returns_the_whole_binary(app: TestApp) {
    let (_, binary) = create_with_binary(&app, b"0123456789").await;
    let tag = TestResponse::send(app.get(&binary))
        .await
        .header("etag")
        .to_owned();
    for (version, expected) in [
        (tag.as_str(), "234"),
        ("\"other\"", "0123456789"),
        (&format!("W/{tag}"), "0123456789"),
        ("Wed, 21 Oct 2015 07:28:00 GMT", "0123456789"),
    ] {
        let request = app.get(&binary).header("range", "bytes=2-4");
        let answer = TestResponse::send(request.header("if-range", version)).await;
        assert_eq!(answer.text(), expected, "{version}");
    }
}

async fn a_range_applies_to_get_only(app: TestApp) {
    let (_, binary) = create_with_binary(&app, b"0123456789").await;
    let mut wire = RawConnection::connect(&app).await;
    for range in ["2-4", "10-"] {
        wire.send(format!(
            "HEAD {binary} HTTP/1.1\r\nHost: x\r\nRange: bytes={range}\r\n\r\n"
        ))
        .await;
        let head = wire.read_head().await;
        assert_eq!(head.status, StatusCode::OK);
        assert_eq!(head.header("content-length"), "10");
    }
}

/// Begins the download of a large binary and reads the first bytes. Most of it is not sent yet.
async fn begin_download(app: &TestApp, binary: &str) -> (RawConnection, Vec<u8>) {
    let mut wire = RawConnection::connect_with_small_buffer(app).await;
    wire.send(format!("GET {binary} HTTP/1.1\r\nHost: x\r\n\r\n"))
        .await;
    let head = wire.read_head().await;
    assert_eq!(head.header("content-length"), LARGE_BYTES.to_string());
    let first = wire.read(1000).await;
    (wire, first)
}

async fn a_download_is_not_affected_by_a_replacement(app: TestApp) {
    let (service, binary) = create_with_binary(&app, &vec![1; LARGE_BYTES]).await;
    let storage = format!("{service}/storage");
    let (mut wire, mut read) = begin_download(&app, &binary).await;
    let replacement = vec![2; LARGE_BYTES];
    let replace = app.post(&storage).multipart_body(file(&replacement));
    TestResponse::send(replace).await.assert_empty();
    let now = TestResponse::send(app.get(&binary)).await;
    assert!(
        now.body == replacement,
        "a download that begins later is not the new one"
    );
    read.extend(wire.read(LARGE_BYTES - read.len()).await);
    assert!(
        read == vec![1; LARGE_BYTES],
        "a download under way was mixed"
    );
}

async fn a_download_is_not_affected_by_a_delete(app: TestApp) {
    for what in ["storage/pic", "storage"] {
        let (service, binary) = create_with_binary(&app, &vec![1; LARGE_BYTES]).await;
        let (mut wire, mut read) = begin_download(&app, &binary).await;
        TestResponse::send(app.delete(&format!("{service}/{what}")))
            .await
            .assert_ok();
        TestResponse::send(app.get(&binary))
            .await
            .error_message("KeyNotFound", 404);
        read.extend(wire.read(LARGE_BYTES - read.len()).await);
        assert!(read == vec![1; LARGE_BYTES], "the download was truncated");
    }
}

async fn a_download_is_aborted_when_the_service_ends(app: TestApp) {
    let (service, binary) = create_with_binary(&app, &vec![1; LARGE_BYTES]).await;
    let (mut wire, first) = begin_download(&app, &binary).await;
    TestResponse::send(app.delete(&service)).await.assert_ok();
    eventually("all keys are removed", async || {
        app.redis_keys("*").await.is_empty().then_some(())
    })
    .await;
    let rest = wire.read_to_end().await;
    assert!(
        first.len() + rest.len() < LARGE_BYTES,
        "it was taken for whole"
    );
    assert!(rest.iter().all(|byte| *byte == 1), "contents are mixed");
}
