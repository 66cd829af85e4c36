//! Entries of the catalog: configured services (`configured_services`) and resource groups (`resource_groups`).
//!
//! Both have the same operations. A list of groups contains the number of access numbers instead of the numbers.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{ObjectBuilder, Type},
};

use super::{actor, admin_service, precondition, with_etag};
use crate::{
    http::{ApiError, AppState, body, path, response},
    model::Table,
    service::{CatalogEntry, EntryOrigin, OptionValue, Options, PutOutcome},
};

/// The description of the operations that create or replace an entry.
pub(super) const PUT_DESCRIPTION: &str = "\
    The change is active on this replica when the response is sent, and on the other replicas within a second. The \
    entry is validated with the whole catalog; an error changes nothing (`InvalidDefinition`).";
/// The description of their body.
pub(super) const BODY_DESCRIPTION: &str = "\
    All options of the entry. Numbers and booleans are stored as text in their original notation; an empty option or \
    `null` counts as absent. `********` keeps the current secret.";

/// A configured service or a resource group
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Entry)]
#[serde(deny_unknown_fields)]
pub(super) struct EntryResponse {
    name: String,
    #[schema(schema_with = origin_schema)]
    origin: EntryOrigin,
    /// The revision of the entry, for `If-Match`
    etag: String,
    /// The options. Secrets are masked as `********`; in a change, the mask stands for the current value
    #[schema(value_type = BTreeMap<String, OptionText>)]
    options: Options,
    /// Number of access numbers of a group. Lists contain it instead of `numbers`
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    size: Option<usize>,
    /// Why the entry is invalid on this replica; absent if it is valid
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    problem: Option<String>,
    /// Probably misspelled options, each with a suggestion; absent if there are none
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// The value of an option: a string, or the numbers of a group
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only described")]
enum OptionText {
    Text(String),
    List(Vec<String>),
}

fn origin_schema() -> ObjectBuilder {
    let description = "`file`: defined in the catalog file, read-only. `admin`: created by the admin API or the console";
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(["file", "admin"]))
        .description(Some(description))
}

/// All entries of a table, sorted by name
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Entries)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct EntryListResponse {
    /// Version of the stored entries; empty if there never were any
    version: String,
    entries: Vec<EntryResponse>,
}

impl From<CatalogEntry> for EntryResponse {
    fn from(entry: CatalogEntry) -> Self {
        let size = match entry.options.get("numbers") {
            Some(OptionValue::List(numbers)) => Some(numbers.len()),
            _ => None,
        };
        Self {
            name: entry.name,
            origin: entry.origin,
            etag: format!("\"{}\"", entry.revision),
            options: entry.options,
            size,
            problem: entry.problem.map(|problem| problem.to_string()),
            warnings: entry.warnings,
        }
    }
}

/// All entries of a table.
pub(super) async fn list_entries(state: &AppState, table: Table) -> Result<HttpResponse, ApiError> {
    let (version, entries) = admin_service(state)?.list_entries(table).await?;
    let entries = entries.into_iter().map(|entry| {
        let mut entry = EntryResponse::from(entry);
        entry.options.remove("numbers");
        entry
    });
    let entries = entries.collect();
    let mut response = with_etag(StatusCode::OK, &version);
    response::json_with(&mut response, &EntryListResponse { version, entries })
}

/// The entry of the name in the path.
pub(super) async fn read_entry(
    state: &AppState,
    request: &HttpRequest,
    table: Table,
) -> Result<HttpResponse, ApiError> {
    let name = (table, path::admin_name(request)?);
    let entry = admin_service(state)?.read_entry(name).await?;
    let mut response = with_etag(StatusCode::OK, &entry.revision);
    response::json_with(&mut response, &EntryResponse::from(entry))
}

/// Creates or replaces the entry. The body is a JSON object of the options.
pub(super) async fn put_entry(
    state: &AppState,
    request: &HttpRequest,
    payload: web::Payload,
    table: Table,
) -> Result<HttpResponse, ApiError> {
    let name = (table, path::admin_name(request)?);
    let (condition, actor) = (precondition(request)?, actor(request)?);
    let options = read_options(state, request, payload).await?;
    let outcome = admin_service(state)?.put_entry(name, options, &condition, &actor);
    let (status, entry) = match outcome.await? {
        PutOutcome::Created(entry) => (StatusCode::CREATED, entry),
        PutOutcome::Replaced(entry) => (StatusCode::OK, entry),
    };
    Ok(with_etag(status, &entry.revision.clone()).json(EntryResponse::from(entry)))
}

async fn read_options(
    state: &AppState,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<Options, ApiError> {
    let text = body::read_text(state, request, payload, body::JSON).await?;
    serde_json::from_str(&text).map_err(|error| ApiError::UnreadableJson {
        reason: error.to_string(),
        status: state.unreadable_json_status,
    })
}

/// Deletes the entry.
pub(super) async fn delete_entry(
    state: &AppState,
    request: &HttpRequest,
    table: Table,
) -> Result<HttpResponse, ApiError> {
    let name = (table, path::admin_name(request)?);
    let (condition, actor) = (precondition(request)?, actor(request)?);
    admin_service(state)?
        .delete_entry(name, &condition, &actor)
        .await?;
    Ok(response::ok())
}
