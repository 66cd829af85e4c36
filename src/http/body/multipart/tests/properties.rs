//! Bodies that are made up.

use proptest::prelude::*;

use super::{Read, read};
use crate::http::body::multipart::head::ContentType;

/// A part as it will be sent.
#[derive(Debug, Clone)]
struct Sent {
    name: String,
    file_name: Option<String>,
    before: String,
    after: String,
    padding: String,
    content: Vec<u8>,
}

/// A name as browsers write it.
fn escaped(name: &str) -> String {
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

fn parts() -> impl Strategy<Value = Vec<Sent>> {
    let part = (
        names(),
        prop::option::of(names()),
        headers(),
        headers(),
        "[ \t]{0,3}",
        contents(),
    );
    let part = part.prop_map(|(name, file_name, before, after, padding, content)| Sent {
        name,
        file_name,
        before,
        after,
        padding,
        content,
    });
    prop::collection::vec(part, 0..5)
}

fn written(parts: &[Sent], around: &(String, String)) -> Vec<u8> {
    let mut body = around.0.clone().into_bytes();
    for part in parts {
        let file_name = part.file_name.as_deref().map(escaped);
        let file_name = file_name.map(|name| format!("; filename=\"{name}\""));
        let head = format!(
            "--XbX{}\r\n{}Content-Disposition: form-data; name=\"{}\"{}\r\n{}\r\n",
            part.padding,
            part.before,
            escaped(&part.name),
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
    fn what_is_read_is_what_was_sent(
        parts in parts(),
        around in ("(mail\r\n)?", "(\r\n[a-z\r\n-]{0,9})?"),
        sizes in prop::collection::vec(1_usize..50, 1..4),
    ) {
        let body = written(&parts, &around);
        let read = read(&body, "XbX", &sizes);
        let expected = parts.into_iter().map(|part| Read {
            name: part.name,
            file_name: part.file_name,
            content_type: ContentType::Absent,
            content: part.content,
        });
        prop_assert_eq!(read, Ok(expected.collect::<Vec<Read>>()));
    }

    #[test]
    fn a_body_that_is_cut_is_refused(parts in parts(), cut in 0.0..1.0_f64) {
        let body = written(&parts, &(String::new(), String::new()));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss,
            reason = "less than the length of the body")]
        let end = (body.len() as f64 * cut) as usize;
        let cut = &body[..end];
        prop_assert!(cut.is_empty() || read(cut, "XbX", &[usize::MAX]).is_err());
    }

    #[test]
    fn what_is_read_does_not_depend_on_how_it_arrives(
        body in "(\r\n|--XbX|--|\n|\r|Content-Disposition: form-data; name=a|;|Content-Type: a/b|: | |x){0,30}",
        sizes in prop::collection::vec(1_usize..9, 1..4),
    ) {
        let body = format!("--XbX{body}");
        let whole = read(body.as_bytes(), "XbX", &[usize::MAX]);
        prop_assert_eq!(read(body.as_bytes(), "XbX", &sizes).is_ok(), whole.is_ok());
        if whole.is_ok() {
            prop_assert_eq!(read(body.as_bytes(), "XbX", &sizes), whole);
        }
    }
}
