//! What the code in several languages has in common.

use serde_json::Value;

use crate::http::{
    admin_ui::request_example::{
        Credentials, FILE_TYPE, HeaderExample, RequestBody, RequestExample,
    },
    openapi::fields::EXAMPLE_FILE,
};

/// A string literal: the escapes of JSON are valid in Python, JavaScript and Java.
pub(super) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// The name of [`EXAMPLE_FILE`] as a string literal.
pub(super) fn quoted_file() -> String {
    quoted(EXAMPLE_FILE)
}

/// The headers as pairs of string literals, without those of HTTP Basic and of multipart bodies, which each language
/// has in its own way. `random` is an expression whose value is random.
pub(super) fn headers(example: &RequestExample<'_>, separator: &str, random: &str) -> Vec<String> {
    let mut headers = Vec::new();
    if let RequestBody::Text { content_type, .. } = example.body {
        headers.push(("Content-Type", quoted(content_type)));
    }
    if example.credentials.contains(&Credentials::ApiKey) {
        headers.push(("x-api-key", quoted("API_KEY")));
    }
    for (name, value) in &example.headers {
        let value = match value {
            HeaderExample::Text(text) => quoted(text),
            HeaderExample::Random => random.to_owned(),
        };
        headers.push((name, value));
    }
    let pairs = headers.into_iter();
    let pairs = pairs.map(|(name, value)| format!("{}{separator}{value}", quoted(name)));
    pairs.collect()
}

/// The header of a multipart body as a pair. The code that builds the body has the variable `boundary`.
pub(super) fn multipart_header(separator: &str) -> String {
    let value = quoted("multipart/form-data; boundary=");
    format!("{}{separator}{value} + boundary", quoted("Content-Type"))
}

/// The beginning of the part of a multipart body with the field `name`, after its boundary.
pub(super) fn field_head(name: &str) -> String {
    format!("Content-Disposition: form-data; name=\"{name}\"\r\n\r\n")
}

/// The beginning of the part with the file, after its boundary.
pub(super) fn file_head() -> String {
    format!(
        "Content-Disposition: form-data; name=\"{EXAMPLE_FILE}\"; filename=\"{EXAMPLE_FILE}\"\r\n\
         Content-Type: {FILE_TYPE}\r\n\r\n"
    )
}
