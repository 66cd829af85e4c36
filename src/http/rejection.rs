//! Responses to requests that the HTTP parser rejects, in the format of all errors.
//!
//! actix-web never receives such a request: its route, method and headers are unknown. The server sends the bytes of
//! the response and closes the connection.

use actix_web::http::{StatusCode, header::HeaderMap};
use thiserror::Error;

use super::{error, middleware::security_headers::SecurityHeaders, response};

/// Why the HTTP parser rejected a request.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Rejection {
    /// The request line or a header field is malformed. The parser does not report which.
    #[error(
        "the request line or a header field is malformed. White space and control characters in the request target \
         must be percent-encoded; header names must be tokens and header values must have no control characters; \
         HTTP/1.1 requires exactly one Host header; Content-Length and Transfer-Encoding must be valid and must not \
         be sent together"
    )]
    Malformed,
    /// The request target is not a URI.
    #[error(
        "the request target has a character that is not allowed in it or is longer than 65534 bytes. Characters that \
         are not ASCII and \" < > ` must be percent-encoded (RFC 3986): for example \u{e9} as %C3%A9, \" as %22 and \
         < as %3C"
    )]
    InvalidTarget,
    /// An HTTP version that the parser does not support.
    #[error(
        "the HTTP version is not supported; use HTTP/1.1 or HTTP/1.0. White space in the request target must be \
         percent-encoded (%20): otherwise the version seems to begin after it"
    )]
    UnsupportedVersion,
    /// The request line and the header fields exceed the limits.
    #[error(
        "the request line and the header fields are too large; 131072 bytes and 96 header fields are allowed"
    )]
    HeadTooLarge,
    /// The request line and the header fields did not arrive in time.
    #[error(
        "the request line and the header fields did not arrive within server.request_header_timeout_seconds"
    )]
    HeadTimeout,
}

impl Rejection {
    /// The name of the error in its response, and its status.
    #[must_use]
    pub fn row(self) -> (&'static str, StatusCode) {
        match self {
            Self::Malformed | Self::InvalidTarget | Self::UnsupportedVersion => {
                ("MalformedRequest", StatusCode::BAD_REQUEST)
            }
            Self::HeadTooLarge => ("HeadTooLarge", StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
            Self::HeadTimeout => ("RequestTimeout", StatusCode::REQUEST_TIMEOUT),
        }
    }

    /// The bytes of the response. `date` is the value of the `Date` header; `tls` is true if the listener serves TLS.
    #[must_use]
    pub fn response(self, date: &str, tls: bool) -> Vec<u8> {
        let (exception, status) = self.row();
        let body = error::body(exception, self.to_string(), status);
        let mut response = response::with_default_headers(status).finish();
        SecurityHeaders { tls }.add(response.headers_mut());
        // Strings and numbers always serialize.
        let body = serde_json::to_string(&body).unwrap_or_default();
        let mut bytes = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n",
            body.len()
        )
        .into_bytes();
        write_headers(response.headers(), &mut bytes);
        bytes.extend_from_slice(format!("date: {date}\r\n\r\n{body}").as_bytes());
        bytes
    }
}

fn write_headers(headers: &HeaderMap, bytes: &mut Vec<u8>) {
    for (name, value) in headers {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_has_the_headers_and_the_body_of_an_error() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let response = String::from_utf8(Rejection::HeadTooLarge.response(date, true)).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        let mut lines: Vec<&str> = head.split("\r\n").collect();
        assert_eq!(
            lines.remove(0),
            "HTTP/1.1 431 Request Header Fields Too Large"
        );
        lines.sort_unstable();
        let length = format!("content-length: {}", body.len());
        let expected = [
            "cache-control: no-cache, no-store",
            "connection: close",
            &length,
            "content-type: application/json;charset=utf-8",
            "date: Sun, 06 Nov 1994 08:49:37 GMT",
            "pragma: no-cache",
            "strict-transport-security: max-age=31536000",
            "x-content-type-options: nosniff",
        ];
        assert_eq!(lines, expected);
        assert!(
            body.starts_with("{\"exception\":\"HeadTooLarge\",\"message\":"),
            "{body}"
        );
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["exception"], "HeadTooLarge");
        assert_eq!(body["code"], 431);
        assert_eq!(body["phrase"], "Request Header Fields Too Large");
        assert_eq!(body["message"], Rejection::HeadTooLarge.to_string());
        let plain = Rejection::Malformed.response(date, false);
        assert!(
            !String::from_utf8(plain)
                .unwrap()
                .contains("strict-transport")
        );
    }
}
