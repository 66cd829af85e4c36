//! The client code of the page *API reference*: each operation in curl and in three languages, without packages beyond
//! their standard libraries.

use self::{curl::curl, java::java, javascript::javascript, python::python};
use super::request_example::RequestExample;
use crate::http::openapi::lookup::DocumentedOperation;

mod curl;
mod java;
mod javascript;
mod literals;
mod python;

/// The code of a request in a language.
pub(super) struct ClientCode {
    pub(super) title: String,
    /// Identifies it among those of the operation.
    pub(super) key: String,
    pub(super) text: String,
}

/// The code of the requests of an operation to the server at `base_url`, with placeholders for credentials: `USER`,
/// `PASSWORD` and `API_KEY`. Operations that store files have a second request, with a file.
pub(super) fn client_code(operation: &DocumentedOperation<'_>, base_url: &str) -> Vec<ClientCode> {
    let mut code = in_all_languages(&RequestExample::new(operation), base_url, ("", ""));
    if let Some(example) = RequestExample::with_file(operation) {
        code.extend(in_all_languages(
            &example,
            base_url,
            (", with a file", "-file"),
        ));
    }
    code
}

/// The code of one request. The suffixes are those of titles and keys.
fn in_all_languages(
    example: &RequestExample<'_>,
    base_url: &str,
    (title, key): (&str, &str),
) -> Vec<ClientCode> {
    let url = format!("{base_url}{}", example.path);
    let languages = [
        ("curl", curl(example, &url)),
        ("Python", python(example, &url)),
        ("JavaScript", javascript(example, &url)),
        ("Java", java(example, &url)),
    ];
    let code = languages.map(|(language, text)| ClientCode {
        title: format!("{language}{title}"),
        key: format!("{}{key}", language.to_lowercase()),
        text,
    });
    code.into()
}
