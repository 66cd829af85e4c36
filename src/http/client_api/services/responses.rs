//! Responses with a service.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Ref, RefOr, Schema, schema::AnyOfBuilder},
};

use crate::model::{Description, ServiceId, Timestamp};

/// A service, without the values of its storage
#[derive(Serialize, ToSchema)]
#[schema(as = Service)]
#[serde(deny_unknown_fields)]
pub(in crate::http::client_api) struct DescribeServiceResponse<'a> {
    #[serde(rename = "_id")]
    id: &'a str,
    /// Name of the configured service that it was created from
    #[serde(rename = "_service")]
    definition: &'a str,
    #[serde(rename = "_created")]
    #[schema(format = DateTime)]
    created: String,
    /// Expiration time of the service and all its data
    #[serde(rename = "_expiration_time")]
    #[schema(format = DateTime)]
    end: String,
    /// Seconds until the expiration time
    #[serde(rename = "_ttl")]
    ttl: u64,
    /// Keys of strings
    #[serde(rename = "_keys")]
    keys: &'a [String],
    /// Keys of binaries
    #[serde(rename = "_binaries")]
    binaries: Vec<BinaryResponse<'a>>,
}

/// A binary of a service
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Binary)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct BinaryResponse<'a> {
    /// Key
    name: &'a str,
    content_type: &'a str,
    #[schema(required)]
    file_name: Option<&'a str>,
    /// Bytes
    size: u64,
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
pub(in crate::http::client_api) struct CreatedResponse {
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

/// The value of `Idempotent-Replayed`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub(in crate::http::client_api) enum Replayed {
    #[schema(rename = "true")]
    True,
}

/// The description of a service, or the result of a create.
pub(in crate::http::client_api) struct ServiceOrCreated;

impl ToSchema for ServiceOrCreated {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push(("Service".to_owned(), DescribeServiceResponse::schema()));
        schemas.push(("Created".to_owned(), CreatedResponse::schema()));
        DescribeServiceResponse::schemas(schemas);
    }
}

impl PartialSchema for ServiceOrCreated {
    /// All members of a created service are optional, so generated clients must try the described one first.
    fn schema() -> RefOr<Schema> {
        let names = ["Service", "Created"].map(Ref::from_schema_name);
        names
            .into_iter()
            .fold(AnyOfBuilder::new(), AnyOfBuilder::item)
            .into()
    }
}

/// The binaries of a service.
pub(in crate::http) fn binary_responses(description: &Description) -> Vec<BinaryResponse<'_>> {
    let binaries = description.binaries.iter();
    let responses = binaries.map(|(name, binary)| BinaryResponse {
        name,
        content_type: &binary.content_type,
        file_name: binary.file_name.as_deref(),
        size: binary.size,
    });
    responses.collect()
}

impl<'a> DescribeServiceResponse<'a> {
    pub(in crate::http::client_api) fn new(
        id: &'a ServiceId,
        description: &'a Description,
        now: Timestamp,
    ) -> Self {
        Self {
            id: id.as_str(),
            definition: &description.definition,
            created: description.created.to_string(),
            end: description.end.to_string(),
            ttl: description.end.since(now).as_secs(),
            keys: &description.keys,
            binaries: binary_responses(description),
        }
    }
}
