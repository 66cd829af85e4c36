//! Property tests with generated bodies.

use proptest::prelude::*;

use super::{ReadPart, read_parts};
use crate::http::body::multipart::head::ContentType;

/// A part to send.
#[derive(Debug, Clone)]
struct SentPart {
    name: String,
    file_name: Option<String>,
    before: String,
    after: String,
    padding: String,
    content: Vec<u8>,
}

/// Encodes a name like browsers do.
fn escape_name(name: &str) -> String {
    name.replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn names() -> impl Strategy<Value = String> {
    "([^\\x00-\\x09\\x0b\\x0c\\x0e-\\x1f\\x7f%]|[\"\\\\;=a*'\r\n]){0,20}"
}

fn contents() -> impl Strategy<Value = Vec<u8>> {
    let texts = "(\r|\n|\r\n|-|--|Xb|X|XbX|a|: ){0,20}".prop_map(String::into_bytes);
    let bytes = prop::collection::vec(any::<u8>(), 0..200);
    prop_oneof![texts, bytes].prop_filter("no boundary in it", |content| {
        let content = [b"\r\n", content.as_slice()].concat();
        memchr::memmem::find(&content, b"\r\n--XbX").is_none()
    })
}

fn headers() -> impl Strategy<Value = String> {
    let header = prop_oneof![
        "Content-Length: [0-9]{0,3}\r\n",
        "X-[a-z]{1,5} ?:[ -~\u{e9}]{0,20}\r\n",
        "x: a\r\n[ \t]folded: b\r\n",
        Just("Content-Transfer-Encoding: base64\r\n".to_owned()),
    ];
    prop::collection::vec(header, 0..3).prop_map(|headers| headers.concat())
}

fn parts() -> impl Strategy<Value = Vec<SentPart>> {
    let part = (
        names(),
        prop::option::of(names()),
        headers(),
        headers(),
        "[ \t]{0,3}",
        contents(),
    );
    let part = part.prop_map(
        |(name, file_name, before, after, padding, content)| SentPart {
            name,
            file_name,
            before,
            after,
            padding,
            content,
        },
    );
    prop::collection::vec(part, 0..5)
}

fn encode_body(parts: &[SentPart], around: &(String, String)) -> Vec<u8> {
    let mut body = around.0.clone().into_bytes();
    for part in parts {
        let file_name = part.file_name.as_deref().map(escape_name);
        let file_name = file_name.map(|name| format!("; filename=\"{name}\""));
        let head = format!(
            "--XbX{}\r\n{}Content-Disposition: form-data; name=\"{}\"{}\r\n{}\r\n",
            part.padding,
            part.before,
            escape_name(&part.name),
            file_name.unwrap_or_default(),
            part.after
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&part.content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--XbX--");
    body.extend_from_slice(around.1.as_bytes());
    body
}

proptest! {
    #[test]
    fn multipart_bodies_round_trip(
        parts in parts(),
        around in ("(mail\r\n)?", "(\r\n[a-z\r\n-]{0,9})?"),
        sizes in prop::collection::vec(1_usize..50, 1..4),
    ) {
        let body = encode_body(&parts, &around);
        let read = read_parts(&body, "XbX", &sizes);
        let expected = parts.into_iter().map(|part| ReadPart {
            name: part.name,
            file_name: part.file_name,
            content_type: ContentType::Absent,
            content: part.content,
        });
        prop_assert_eq!(read, Ok(expected.collect::<Vec<ReadPart>>()));
    }

    #[test]
    fn truncated_bodies_are_rejected(parts in parts(), cut in 0.0..1.0_f64) {
        let body = encode_body(&parts, &(String::new(), String::new()));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss,
            reason = "less than the length of the body")]
        let end = (body.len() as f64 * cut) as usize;
        let cut = &body[..end];
        prop_assert!(cut.is_empty() || read_parts(cut, "XbX", &[usize::MAX]).is_err());
    }

    #[test]
    fn parsing_is_independent_of_chunking(
        body in "(\r\n|--XbX|--|\n|\r|Content-Disposition: form-data; name=a|;|Content-Type: a/b|: | |x){0,30}",
        sizes in prop::collection::vec(1_usize..9, 1..4),
    ) {
        let body = format!("--XbX{body}");
        let whole = read_parts(body.as_bytes(), "XbX", &[usize::MAX]);
        prop_assert_eq!(read_parts(body.as_bytes(), "XbX", &sizes).is_ok(), whole.is_ok());
        if whole.is_ok() {
            prop_assert_eq!(read_parts(body.as_bytes(), "XbX", &sizes), whole);
        }
    }
}
