//! Tests of the multipart parser.

use actix_web::error::PayloadError;
use futures_util::{FutureExt, stream};

use super::{super::limited_stream::StreamFailure, *};

mod properties;

/// A parsed part.
#[derive(Debug, PartialEq, Eq)]
struct ReadPart {
    name: String,
    file_name: Option<String>,
    content_type: ContentType,
    content: Vec<u8>,
}

/// Parses a body that arrives in chunks of these sizes, repeated.
fn read_parts(body: &[u8], boundary: &str, sizes: &[usize]) -> Result<Vec<ReadPart>, String> {
    let mut chunks = Vec::new();
    let mut rest = body;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (chunk, after) = rest.split_at((*size).min(rest.len()));
        chunks.push(Ok::<_, PayloadError>(Bytes::copy_from_slice(chunk)));
        rest = after;
    }
    let mut reader = Reader::new(
        stream::iter(chunks),
        StreamFailure::default(),
        boundary.as_bytes(),
    );
    let all = async move {
        let mut parts = Vec::new();
        while let Some(head) = reader
            .next_head()
            .await
            .map_err(|error| error.to_string())?
        {
            let head = Head::parse(&head)?;
            let mut content = Vec::new();
            while let Some(bytes) = reader
                .next_bytes()
                .await
                .map_err(|error| error.to_string())?
            {
                assert!(!bytes.is_empty());
                content.extend_from_slice(&bytes);
            }
            let decode = |text: EncodedText| text.decode(Charset::UTF_8);
            parts.push(ReadPart {
                name: decode(head.name)?,
                file_name: head.file_name.map(decode).transpose()?,
                content_type: head.content_type,
                content,
            });
        }
        Ok(parts)
    };
    all.now_or_never()
        .ok_or("the parser waits for more bytes")?
}

fn read_text_parts(body: &str) -> Result<Vec<(String, String)>, String> {
    let whole = read_parts(body.as_bytes(), "XbX", &[usize::MAX]);
    for size in [1, 2, 3, 7] {
        assert_eq!(
            read_parts(body.as_bytes(), "XbX", &[size]),
            whole,
            "{body:?}"
        );
    }
    let text = |part: ReadPart| (part.name, String::from_utf8(part.content).unwrap());
    whole.map(|parts| parts.into_iter().map(text).collect())
}

/// A part named `a`.
const PART_A_HEAD: &str = "Content-Disposition: form-data; name=\"a\"\r\n\r\n";

#[test]
fn line_format_variants_are_accepted() {
    for body in [
        format!("--XbX\r\n{PART_A_HEAD}1\r\n--XbX--\r\n"),
        format!("--XbX\r\n{PART_A_HEAD}1\r\n--XbX--"),
        format!("--XbX \t\r\n{PART_A_HEAD}1\r\n--XbX-- \r\n"),
        format!("--XbX\r\n{PART_A_HEAD}1\r\n--XbX-- "),
        format!("\r\n--XbX\r\n{PART_A_HEAD}1\r\n--XbX--\r\n\r\n"),
        format!("\u{feff}--XbX\r\n{PART_A_HEAD}1\r\n--XbX--\r\n"),
        format!("For mail\r\n-XbX\r\n--Xb\r\n--XbX\r\n{PART_A_HEAD}1\r\n--XbX--\r\nand more --XbY"),
        format!("--XbX\r\nContent-Length: 55\r\n{PART_A_HEAD}1\r\n--XbX--\r\n"),
        format!("--XbX\r\nContent-Length: 0\r\nContent-Length: x\r\n{PART_A_HEAD}1\r\n--XbX--\r\n"),
        format!(
            "--XbX\r\nX-Long: {}\r\n{PART_A_HEAD}1\r\n--XbX--\r\n",
            "x".repeat(20_000)
        ),
        format!(
            "--XbX\r\n{}{PART_A_HEAD}1\r\n--XbX--\r\n",
            "X-Many: x\r\n".repeat(200)
        ),
        "--XbX\r\ncontent-disposition :form-data;\r\n\tname=a\r\n\r\n1\r\n--XbX--\r\n".to_owned(),
        "--XbX\r\nContent-Disposition: Form-Data ; NAME = \"a\" ; x=y;\r\n\r\n1\r\n--XbX--"
            .to_owned(),
        "--XbX\r\nContent-Disposition: form-data; name*=utf-8''a\r\n\r\n1\r\n--XbX--".to_owned(),
    ] {
        let expected = vec![("a".to_owned(), "1".to_owned())];
        assert_eq!(read_text_parts(&body), Ok(expected), "{body:?}");
    }
    for empty in ["", "--XbX--", "--XbX--\r\n", "mail\r\n--XbX--\r\n"] {
        assert_eq!(read_text_parts(empty), Ok(vec![]), "{empty:?}");
    }
}

#[test]
fn content_that_resembles_a_boundary_is_preserved() {
    for content in [
        "",
        "\r",
        "\n",
        "\r\n",
        "\r\n\r\n",
        "--XbX",
        "--XbX--",
        "x--XbX\r\n",
        "\r\n--Xb",
        "\r\n-",
        "\r\n--XbY\r\n",
        "\r\n\r",
        "\r\r\n--Xb\r\n",
        "\n--XbX\n",
        "\r--XbX\r",
        "\n--XbX--\n",
        "\r\n --XbX\r\n",
        "\r\n--xbx--\r\n",
        "Content-Disposition: form-data; name=\"b\"\r\n\r\n2",
    ] {
        let prefix = if content.starts_with("--XbX") {
            "."
        } else {
            ""
        };
        let content = format!("{prefix}{content}");
        let body =
            format!("--XbX\r\n{PART_A_HEAD}{content}\r\n--XbX\r\n{PART_A_HEAD}2\r\n--XbX--\r\n");
        let expected = [content, "2".to_owned()].map(|content| ("a".to_owned(), content));
        assert_eq!(read_text_parts(&body), Ok(expected.to_vec()), "{body:?}");
    }
    // The line break after the headers is part of the delimiter.
    let body = format!("--XbX\r\n{PART_A_HEAD}--XbX--\r\n");
    assert_eq!(
        read_text_parts(&body),
        Ok(vec![("a".to_owned(), String::new())])
    );
}

fn assert_rejected(cases: impl IntoIterator<Item = (String, &'static str)>) {
    for (body, message) in cases {
        let error = read_text_parts(&body).unwrap_err();
        assert!(error.contains(message), "{body:?}: {error}");
    }
}

#[test]
fn malformed_lines_are_rejected() {
    assert_rejected([
        (
            "x".to_owned(),
            "no line of the body begins with the boundary \"--XbX\"",
        ),
        (
            format!("--XbY\r\n{PART_A_HEAD}1\r\n--XbY--"),
            "no line of the body",
        ),
        (
            format!(" --XbX\r\n{PART_A_HEAD}1\r\n--XbX\r\n{PART_A_HEAD}2\r\n--XbX--"),
            "is not at the start of a line",
        ),
        (
            format!("x\n--XbX\r\n{PART_A_HEAD}1\r\n--XbX\r\n{PART_A_HEAD}2\r\n--XbX--"),
            "is not at the start of a line",
        ),
        (
            format!("--XbX\n{PART_A_HEAD}1\r\n--XbX--"),
            "follows the boundary",
        ),
        (
            format!("--XbX\r\n{PART_A_HEAD}1\r\n--XbX junk\r\n{PART_A_HEAD}2\r\n--XbX--"),
            "\" junk",
        ),
        (
            format!("--XbX\r\n{PART_A_HEAD}1\r\n--XbXjunk\r\n--XbX--"),
            "\"junk",
        ),
        (
            format!("--XbX\r\n{PART_A_HEAD}1\r\n--XbX-\r\n"),
            "follows the boundary",
        ),
        (
            format!("--XbX\r\n{PART_A_HEAD}1\r\n--XbX--junk"),
            "follows the boundary",
        ),
        (
            format!(
                "--XbX\r\n{PART_A_HEAD}1\r\n--XbX{}\r\n{PART_A_HEAD}2\r\n--XbX--",
                " ".repeat(2_000)
            ),
            "follows the boundary",
        ),
        (
            format!("--XbX\r\n{PART_A_HEAD}1\r\n--XbX"),
            "follows the boundary",
        ),
        (
            format!("--XbX\r\n{PART_A_HEAD}1\r\n--XbX--\r\n--XbX\r\n{PART_A_HEAD}2\r\n--XbX--"),
            "follows the closing line",
        ),
        (
            format!("--XbX\r\n{PART_A_HEAD}1"),
            "part 1 of the body: the body ends within it, without a line break (CR LF) and the closing line \
             \"--XbX--\"",
        ),
        (
            "--XbX\r\nContent-Disposition: form-data; name=\"a\"\n\n1\r\n--XbX--\r\n".to_owned(),
            "part 1 of the body: the body ends within its headers; lines must end with CR LF, not with LF alone",
        ),
        (
            format!("--XbX\r\n{PART_A_HEAD}1\r\n--XbX\r\n{PART_A_HEAD}2\r\n"),
            "part 2",
        ),
        (PART_A_HEAD.replace("\r\n", "\n"), "no line"),
        (
            format!("--XbX\n{}1\n--XbX--\n", PART_A_HEAD.replace("\r\n", "\n")),
            "CR LF",
        ),
        (
            format!(
                "--XbX\r\n{}1\r\n--XbX--\r\n",
                PART_A_HEAD.replace("\r\n", "\n")
            ),
            "part 1",
        ),
    ]);
}

#[test]
fn malformed_part_headers_are_rejected() {
    assert_rejected([
        (
            "--XbX\r\n\r\n1\r\n--XbX--".to_owned(),
            "the header Content-Disposition: form-data; name=\"...\" is missing",
        ),
        (
            "--XbX\r\nContent-Disposition: form-data\r\n\r\n1\r\n--XbX--".to_owned(),
            "no parameter name",
        ),
        (
            "--XbX\r\nContent-Disposition: attachment; name=a\r\n\r\n1\r\n--XbX--".to_owned(),
            "expected form-data",
        ),
        (
            format!("--XbX\r\nContent-Disposition: form-data; name=b\r\n{PART_A_HEAD}1\r\n--XbX--"),
            "twice",
        ),
        (
            format!("--XbX\r\nContent-Type: a/b\r\nContent-Type: c/d\r\n{PART_A_HEAD}1\r\n--XbX--"),
            "twice",
        ),
        (
            format!("--XbX\r\nno header\r\n{PART_A_HEAD}1\r\n--XbX--"),
            "expected Name: value",
        ),
        (
            format!("--XbX\r\n{PART_A_HEAD}1\r\n--XbX\r\n--XbX\r\n{PART_A_HEAD}2\r\n--XbX--"),
            "expected Name: value",
        ),
        (
            format!("--XbX\r\nX: a\nb\r\n{PART_A_HEAD}1\r\n--XbX--"),
            "has a CR or LF that is not part of a line break",
        ),
        (
            format!("--XbX\r\nX: a\x00b\r\n{PART_A_HEAD}1\r\n--XbX--"),
            "0x00",
        ),
        (
            format!(
                "--XbX\r\nX: {}\r\n{PART_A_HEAD}1\r\n--XbX--",
                "x".repeat(40_000)
            ),
            "32768 bytes",
        ),
        (
            format!(
                "--XbX\r\nContent-Type: multipart/mixed; boundary=y\r\n{PART_A_HEAD}1\r\n--XbX--"
            ),
            "nested multipart bodies are not supported",
        ),
        (
            format!("--XbX\r\nContent-Type: nonsense\r\n{PART_A_HEAD}1\r\n--XbX--"),
            "type/subtype",
        ),
        (
            format!(
                "--XbX\r\nContent-Type: a/{}\r\n{PART_A_HEAD}1\r\n--XbX--",
                "b".repeat(254)
            ),
            "256 bytes; at most 255 are allowed",
        ),
        (
            format!(
                "--XbX\r\n{}; filename=\"{}\"\r\n\r\n1\r\n--XbX--",
                PART_A_HEAD.trim_end(),
                "f".repeat(256)
            ),
            "256 bytes; at most 255 are allowed",
        ),
        (
            format!(
                "--XbX\r\n{}; filename=\"{}\"\r\n\r\n1\r\n--XbX--",
                PART_A_HEAD.trim_end(),
                "f".repeat(20_000)
            ),
            "20000 bytes; at most 255 are allowed",
        ),
    ]);
}

#[test]
fn content_type_variants_are_accepted() {
    for (sent, is_file) in [
        ("application/json ; charset=utf-8", true),
        ("application/octet-stream", true),
        ("image/PNG;a=\"b;c\"", true),
        ("text/plain ; charset=utf-8", false),
        ("TEXT/html", false),
        ("", false),
    ] {
        let head = format!("Content-Type: {sent}\r\n{}", PART_A_HEAD.trim_end());
        assert_eq!(
            Head::parse(head.as_bytes()).unwrap().is_file(),
            is_file,
            "{sent}"
        );
    }
}
