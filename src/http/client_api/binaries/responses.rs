//! Responses with a binary.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses, PartialSchema,
    openapi::{Content, RefOr, Response, ResponseBuilder},
};

use crate::http::openapi::{fields::BinaryContent, headers::header, responses::by_status};

/// The headers of all responses, with their descriptions.
const HEADERS: [(&str, &str); 4] = [
    (
        "ETag",
        "Version of the binary; each write creates a new one",
    ),
    ("Content-Disposition", "`attachment`, with the file name"),
    ("Accept-Ranges", "`bytes`"),
    (
        "X-Content-Type-Options",
        "`nosniff`: the content type comes from the uploader",
    ),
];

/// The responses of operations that return the headers of a binary.
pub(in crate::http) struct BinaryHeadResponses;

impl IntoResponses for BinaryHeadResponses {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        by_status([
            (200, response("The whole binary")),
            (304, response("The cached version is current")),
        ])
    }
}

/// The responses of operations that return a binary, or a range of it.
pub(in crate::http) struct BinaryResponses;

impl IntoResponses for BinaryResponses {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let range = with_content(response("The requested range"));
        let range = range.header("Content-Range", header("Range and size of the binary"));
        by_status([
            (200, with_content(response("The whole binary"))),
            (206, range),
            (304, response("The cached version is current")),
        ])
    }
}

fn response(description: &str) -> ResponseBuilder {
    let response = ResponseBuilder::new().description(description);
    let headers = HEADERS.into_iter();
    headers.fold(response, |response, (name, description)| {
        response.header(name, header(description))
    })
}

/// Adds the content, whose type is that of the upload.
fn with_content(response: ResponseBuilder) -> ResponseBuilder {
    let binary = Content::new(Some(BinaryContent::schema()));
    let any = Content::default();
    response
        .content("application/octet-stream", binary)
        .content("*/*", any)
}
