//! `/genesys/1/admin/services` and `/genesys/1/admin/groups`: configured services and resource groups.
//!
//! Both have the same operations. A list of groups contains the number of access numbers instead of the numbers.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::Serialize;
use serde_json::{Value, json};

use super::{actor, admin_service, precondition, with_etag};
use crate::{
    http::{ApiError, AppState, body, path, response},
    model::{EntryName, Table},
    service::{CatalogEntry, EntryOrigin, OptionValue, Options, PutOutcome},
};

/// A configured service or resource group.
#[derive(Debug, Serialize)]
struct EntryResponse {
    name: String,
    origin: EntryOrigin,
    etag: String,
    options: Options,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// All entries of a table.
#[derive(Debug, Serialize)]
struct EntryListResponse {
    version: String,
    entries: Vec<EntryResponse>,
}

/// The JSON Schema of an entry.
pub(in crate::http) fn entry_schema() -> Value {
    let list = json!({"type": "array", "items": {"type": "string"}});
    json!({
        "description": "A configured service or a resource group",
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "origin": {
                "enum": ["file", "admin"],
                "description": "`file`: defined in the catalog file, read-only. `admin`: created by the admin API or the console",
            },
            "etag": {"type": "string", "description": "The revision of the entry, for `If-Match`"},
            "options": {
                "type": "object",
                "additionalProperties": {"anyOf": [{"type": "string"}, list]},
                "description": "The options. Secrets are masked as `********`; in a change, the mask stands for the current value",
            },
            "size": {
                "type": "integer", "minimum": 0,
                "description": "Number of access numbers of a group. Lists contain it instead of `numbers`",
            },
            "problem": {
                "type": "string",
                "description": "Why the entry is invalid on this replica; absent if it is valid",
            },
            "warnings": {
                "type": "array", "items": {"type": "string"},
                "description": "Probably misspelled options, each with a suggestion; absent if there are none",
            },
        },
        "required": ["name", "origin", "etag", "options"],
        "additionalProperties": false,
    })
}

/// The JSON Schema of a table, from the schema of an entry.
pub(in crate::http) fn entry_list_schema(entries: &Value) -> Value {
    json!({
        "description": "All entries of a table, sorted by name",
        "type": "object",
        "properties": {
            "version": {
                "type": "string",
                "description": "Version of the stored entries; empty if there never were any",
            },
            "entries": {"type": "array", "items": entries},
        },
        "required": ["version", "entries"],
        "additionalProperties": false,
    })
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
            problem: entry.problem,
            warnings: entry.warnings,
        }
    }
}

/// `GET /genesys/1/admin/services` and `GET /genesys/1/admin/groups`
pub(in crate::http) async fn list_entries(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (version, entries) = admin_service(&state)?
        .list_entries(path::table(&request)?)
        .await?;
    let entries = entries.into_iter().map(|entry| {
        let mut entry = EntryResponse::from(entry);
        entry.options.remove("numbers");
        entry
    });
    let entries = entries.collect();
    let mut response = with_etag(StatusCode::OK, &version);
    response::json_with(&mut response, &EntryListResponse { version, entries })
}

/// `GET /genesys/1/admin/services/{name}` and `GET /genesys/1/admin/groups/{name}`
pub(in crate::http) async fn read_entry(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let entry = admin_service(&state)?
        .read_entry(entry_name(&request)?)
        .await?;
    let mut response = with_etag(StatusCode::OK, &entry.revision);
    response::json_with(&mut response, &EntryResponse::from(entry))
}

/// `PUT /genesys/1/admin/services/{name}` and `PUT /genesys/1/admin/groups/{name}`: the body is a JSON object
/// of the options.
pub(in crate::http) async fn put_entry(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let (name, condition) = (entry_name(&request)?, precondition(&request)?);
    let text = body::read_text(&state, &request, payload, body::JSON).await?;
    let options: Options =
        serde_json::from_str(&text).map_err(|error| ApiError::UnreadableJson {
            reason: error.to_string(),
            status: state.unreadable_json_status,
        })?;
    let actor = actor(&state, &request);
    let (status, entry) = match admin_service(&state)?
        .put_entry(name, options, &condition, &actor)
        .await?
    {
        PutOutcome::Created(entry) => (StatusCode::CREATED, entry),
        PutOutcome::Replaced(entry) => (StatusCode::OK, entry),
    };
    Ok(with_etag(status, &entry.revision.clone()).json(EntryResponse::from(entry)))
}

/// `DELETE /genesys/1/admin/services/{name}` and `DELETE /genesys/1/admin/groups/{name}`
pub(in crate::http) async fn delete_entry(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (name, condition) = (entry_name(&request)?, precondition(&request)?);
    let actor = actor(&state, &request);
    admin_service(&state)?
        .delete_entry(name, &condition, &actor)
        .await?;
    Ok(response::ok())
}

fn entry_name(request: &HttpRequest) -> Result<EntryName, ApiError> {
    let table: Table = path::table(request)?;
    Ok((table, path::admin_name(request)?))
}
