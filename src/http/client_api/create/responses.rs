//! Responses of creates.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses, ToSchema,
    openapi::{Content, Ref, RefOr, Response, ResponseBuilder, Schema, schema::AnyOfBuilder},
};

use crate::http::openapi::{
    headers::optional_header,
    responses::{by_status, link},
};

/// The link parameter with the id of a created service.
const CREATED_ID: &str = "$response.body#/_id";
/// The links of a created service: name, operation, and the parameter that takes the id.
const LINKS: [(&str, &str, &str); 7] = [
    ("get", "getService", "service"),
    ("setExpiration", "setExpiration", "service"),
    ("delete", "deleteService", "service"),
    ("readStorage", "readStorage", "id"),
    ("writeStorage", "writeStorage", "id"),
    ("clearStorage", "clearStorage", "id"),
    ("sendRequest", "sendRequest", "id"),
];

const REPLAYED: &str = "The response is that of the first request with this Idempotency-Key";
const WARNING: &str = "\
    Names a parameter that is ignored because the configured service has an option of that name";

/// The response of operations that create a service.
pub(in crate::http) struct CreateResponses;

impl IntoResponses for CreateResponses {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        create_responses(Ref::from_schema_name("Created"))
    }
}

/// The response of operations that create or describe a service.
pub(in crate::http) struct CreateOrDescribeResponses;

impl IntoResponses for CreateOrDescribeResponses {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        create_responses(service_or_created())
    }
}

fn create_responses(body: impl Into<RefOr<Schema>>) -> BTreeMap<String, RefOr<Response>> {
    let response = ResponseBuilder::new()
        .description("Result of the create")
        .content("application/json", Content::new(Some(body)))
        .header(
            "Idempotent-Replayed",
            optional_header(REPLAYED, Some("true")),
        )
        .header("Warning", optional_header(WARNING, None));
    let links = LINKS.into_iter();
    let response = links.fold(response, |response, (name, operation, parameter)| {
        response.link(name, link(operation, &[(parameter, CREATED_ID)]))
    });
    by_status([(200, response)])
}

/// All members of a created service are optional, so generated clients must try the described one first.
fn service_or_created() -> AnyOfBuilder {
    let names = ["Service", "Created"].map(Ref::from_schema_name);
    let names = names.into_iter();
    names.fold(AnyOfBuilder::new(), AnyOfBuilder::item)
}

/// The result of a create. Builtins return strings only. A service with a backend returns the response of the backend
/// and `_id`.
#[derive(ToSchema)]
#[schema(
    as = Created,
    examples(
        json!({"_id": "39a98e24-b03b-4191-b756-1efe8f3b16b8"}),
        json!({
            "_id": "39a98e24-b03b-4191-b756-1efe8f3b16b8", "_access_number": "8003449999",
            "_access_code": "7341", "_expiration_time": "30",
        }),
    ),
)]
#[expect(
    dead_code,
    reason = "only described: the service layer creates the text"
)]
pub(in crate::http) struct CreatedResponse {
    /// Id of the service; not returned by request-access
    #[schema(rename = "_id", required = false)]
    id: String,
    /// Number to dial
    #[schema(rename = "_access_number", required = false)]
    access_number: String,
    /// Code to key in after dialing
    #[schema(rename = "_access_code", required = false, pattern = "^[0-9]+$")]
    access_code: String,
    /// Seconds for which the number is reserved
    #[schema(rename = "_expiration_time", required = false, pattern = "^[0-9]+$")]
    expiration_time: String,
    /// Size of the resource group
    #[schema(rename = "_pool_size", required = false, pattern = "^[0-9]+$")]
    pool_size: String,
    /// Free numbers of the resource group
    #[schema(rename = "_pool_free", required = false, pattern = "^[0-9]+$")]
    pool_free: String,
    /// Same as `_id`
    #[schema(rename = "_data_id", required = false)]
    data_id: String,
    /// Strings of the service
    #[schema(rename = "_user_data", required = false)]
    user_data: BTreeMap<String, String>,
}
