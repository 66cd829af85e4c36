//! The responses that actix-http writes without a handler.

/// `Sun, 06 Nov 1994 08:49:37 GMT`
const DATE_LENGTH: usize = 29;
/// No such response is longer.
const MAX_LENGTH: usize = 192;
const STATUS_LINES: [(&str, bool); 3] = [
    (" 400 Bad Request", false),
    (" 431 Request Header Fields Too Large", false),
    (" 408 Request Timeout", true),
];
const CONNECTION: [&str; 3] = ["close", "keep-alive", "upgrade"];

/// A response of actix-http to a request that it rejects: no headers but `content-length: 0`, `connection` and `date`.
/// All responses of this service have more.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct BareResponse {
    pub(super) length: usize,
    pub(super) date: String,
    /// Whether it has the status 408.
    pub(super) is_timeout: bool,
}

impl BareResponse {
    /// One that `bytes` end with.
    pub(super) fn at_end_of(bytes: &[u8]) -> Option<Self> {
        if !bytes.ends_with(b" GMT\r\n\r\n") {
            return None;
        }
        let end = &bytes[bytes.len().saturating_sub(MAX_LENGTH)..];
        let start = end.windows(7).rposition(|bytes| bytes == b"HTTP/1.")?;
        let response = str::from_utf8(&end[start..]).ok()?;
        let rest = response.strip_prefix("HTTP/1.")?;
        let rest = rest.strip_prefix(['0', '1'])?;
        let (is_timeout, rest) = STATUS_LINES.iter().find_map(|(line, is_timeout)| {
            Some((*is_timeout, rest.strip_prefix(line)?.strip_prefix("\r\n")?))
        })?;
        let mut rest = rest.strip_prefix("content-length: 0\r\n")?;
        if let Some(value) = rest.strip_prefix("connection: ") {
            let (value, after) = value.split_once("\r\n")?;
            if !CONNECTION.contains(&value) {
                return None;
            }
            rest = after;
        }
        let date = rest.strip_prefix("date: ")?.strip_suffix("\r\n\r\n")?;
        (date.len() == DATE_LENGTH && !date.contains('\r')).then(|| Self {
            length: response.len(),
            date: date.to_owned(),
            is_timeout,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn bare(head: &str) -> String {
        format!("{head}date: {DATE}\r\n\r\n")
    }

    #[test]
    fn responses_without_a_handler_are_found_at_the_end() {
        for (head, is_timeout) in [
            ("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n", false),
            ("HTTP/1.0 400 Bad Request\r\ncontent-length: 0\r\n", false),
            (
                "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n",
                false,
            ),
            (
                "HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\n",
                false,
            ),
            (
                "HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n",
                true,
            ),
        ] {
            let response = bare(head);
            let expected = || BareResponse {
                length: response.len(),
                date: DATE.to_owned(),
                is_timeout,
            };
            let found = BareResponse::at_end_of(response.as_bytes());
            assert_eq!(found, Some(expected()), "{response}");
            let before = [
                b"HTTP/1.1 200 OK\r\n\r\n\xff".as_slice(),
                response.as_bytes(),
            ]
            .concat();
            assert_eq!(BareResponse::at_end_of(&before), Some(expected()));
            let longer = format!("{response}x");
            assert_eq!(BareResponse::at_end_of(longer.as_bytes()), None);
        }
    }

    #[test]
    fn other_responses_are_not_found() {
        for head in [
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 1\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nx-content-type-options: nosniff\r\n",
            "HTTP/1.1 400 Bad Request\r\n",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n",
            "HTTP/2 400 Bad Request\r\ncontent-length: 0\r\n",
            "",
        ] {
            let response = bare(head);
            assert_eq!(BareResponse::at_end_of(response.as_bytes()), None, "{head}");
        }
        assert_eq!(BareResponse::at_end_of(b""), None);
        assert_eq!(BareResponse::at_end_of(b" GMT\r\n\r\n"), None);
    }
}
