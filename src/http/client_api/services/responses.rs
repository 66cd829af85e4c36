//! Responses with a service.

use serde::Serialize;
use utoipa::ToSchema;

use crate::model::{Binary, Description, ServiceId, Timestamp};

/// A service, without the values of its storage
#[derive(Serialize, ToSchema)]
#[schema(as = Service)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct DescribeServiceResponse<'a> {
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

impl<'a> From<&'a (String, Binary)> for BinaryResponse<'a> {
    fn from((name, binary): &'a (String, Binary)) -> Self {
        Self {
            name,
            content_type: &binary.content_type,
            file_name: binary.file_name.as_deref(),
            size: binary.size,
        }
    }
}

/// The binaries of a service.
pub(in crate::http) fn binary_responses(description: &Description) -> Vec<BinaryResponse<'_>> {
    description.binaries.iter().map(Into::into).collect()
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
