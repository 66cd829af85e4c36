//! Responses with strings of a storage.

use std::collections::BTreeMap;

use serde_json::json;
use utoipa::{
    IntoResponses, PartialSchema, ToSchema,
    openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder},
};

use super::conditions::ETAG;
use crate::http::openapi::{
    headers::{header, optional_header},
    responses::by_status,
};

const STRING_DESCRIPTION: &str =
    "The string, as an object with one member; with `Accept: text/plain` as plain text";

/// Strings by key
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub(in crate::http) struct Strings(BTreeMap<String, String>);

/// The responses of operations that return all strings.
pub(in crate::http) struct AllStringsResponses;

impl IntoResponses for AllStringsResponses {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let json = ContentBuilder::new().schema(Some(Ref::from_schema_name("Strings")));
        let events = ContentBuilder::new().schema(Some(String::schema()));
        let all = ResponseBuilder::new()
            .description(
                "All strings; with `Accept: text/event-stream` their changes, without `ETag`",
            )
            .content("application/json", json.build())
            .content("text/event-stream", events.build())
            .header("ETag", optional_header(ETAG, None));
        let not_modified = ResponseBuilder::new()
            .description("The cached revision is the current one")
            .header("ETag", header(ETAG));
        by_status([(200, all), (304, not_modified)])
    }
}

/// The response of operations that return a string.
pub(in crate::http) struct StringResponses;

impl IntoResponses for StringResponses {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let json = ContentBuilder::new().schema(Some(Ref::from_schema_name("Strings")));
        let json = json.example(Some(json!({"Key1": "Value1"})));
        let text = ContentBuilder::new().schema(Some(String::schema()));
        let text = text.example(Some(json!("Value1")));
        let response = ResponseBuilder::new()
            .description(STRING_DESCRIPTION)
            .content("application/json", json.build())
            .content("text/plain", text.build());
        by_status([(200, response)])
    }
}
