//! `/genesys/1/admin/services` and `/genesys/1/admin/groups`: configured services and resource groups.
//!
//! The two differ in nothing but the table that they are in, and that a list of groups tells how many
//! numbers there are instead of which.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::Serialize;
use serde_json::{Value, json};

use super::{actor, admin_service, precondition, with_etag};
use crate::{
    http::{ApiError, AppState, body, path, response},
    service::{CatalogEntry, EntryOrigin, OptionValue, Options, PutOutcome},
    store::{EntryName, Table},
};

/// A configured service or resource group, as it is told.
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

/// A whole table, as it is told.
#[derive(Debug, Serialize)]
struct EntryListResponse {
    version: String,
    entries: Vec<EntryResponse>,
}

/// The JSON Schema of an entry as it is told.
pub(in crate::http) fn entry_schema() -> Value {
    let list = json!({"type": "array", "items": {"type": "string"}});
    json!({
        "description": "A configured service or a resource group",
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "origin": {
                "enum": ["file", "admin"],
                "description": "Where it was made: in the catalogue file, which cannot be changed here, or here",
            },
            "etag": {"type": "string", "description": "This state of it, for `If-Match`"},
            "options": {
                "type": "object",
                "additionalProperties": {"anyOf": [{"type": "string"}, list]},
                "description": "What it says. In place of secrets is `********`, which may be sent back",
            },
            "size": {
                "type": "integer", "minimum": 0,
                "description": "How many numbers a group has. A list tells that in place of `numbers`",
            },
            "problem": {
                "type": "string",
                "description": "Why it cannot be used on this replica; absent where it can",
            },
            "warnings": {
                "type": "array", "items": {"type": "string"},
                "description": "Options that are probably misspelled, with the option that was probably meant; \
                                absent if there are none",
            },
        },
        "required": ["name", "origin", "etag", "options"],
        "additionalProperties": false,
    })
}

/// The JSON Schema of a whole table as it is told, of such `entries`.
pub(in crate::http) fn entry_list_schema(entries: &Value) -> Value {
    json!({
        "description": "All entries of a kind, in the order of their names",
        "type": "object",
        "properties": {
            "version": {
                "type": "string",
                "description": "Of all that operators made; empty where nothing ever was",
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
    api: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (version, entries) = admin_service(&api)?
        .list_entries(path::table(&request)?)
        .await?;
    let entries = entries.into_iter().map(|entry| {
        let mut told = EntryResponse::from(entry);
        told.options.remove("numbers");
        told
    });
    let entries = entries.collect();
    let mut answer = with_etag(StatusCode::OK, &version);
    response::json_with(&mut answer, &EntryListResponse { version, entries })
}

/// `GET /genesys/1/admin/services/{name}` and `GET /genesys/1/admin/groups/{name}`
pub(in crate::http) async fn read_entry(
    api: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let entry = admin_service(&api)?
        .read_entry(entry_name(&request)?)
        .await?;
    let mut answer = with_etag(StatusCode::OK, &entry.revision);
    response::json_with(&mut answer, &EntryResponse::from(entry))
}

/// `PUT /genesys/1/admin/services/{name}` and `PUT /genesys/1/admin/groups/{name}`: the body is one JSON
/// object, the options.
pub(in crate::http) async fn put_entry(
    api: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let (name, condition) = (entry_name(&request)?, precondition(&request)?);
    let text = body::read_text(&api, &request, payload, body::JSON).await?;
    let options: Options =
        serde_json::from_str(&text).map_err(|error| ApiError::UnreadableJson {
            reason: error.to_string(),
            status: api.unreadable_json_status,
        })?;
    let by = actor(&api, &request);
    let (status, entry) = match admin_service(&api)?
        .put_entry(name, options, &condition, &by)
        .await?
    {
        PutOutcome::Created(entry) => (StatusCode::CREATED, entry),
        PutOutcome::Replaced(entry) => (StatusCode::OK, entry),
    };
    Ok(with_etag(status, &entry.revision.clone()).json(EntryResponse::from(entry)))
}

/// `DELETE /genesys/1/admin/services/{name}` and `DELETE /genesys/1/admin/groups/{name}`
pub(in crate::http) async fn delete_entry(
    api: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (name, condition) = (entry_name(&request)?, precondition(&request)?);
    let by = actor(&api, &request);
    admin_service(&api)?
        .delete_entry(name, &condition, &by)
        .await?;
    Ok(response::ok())
}

fn entry_name(request: &HttpRequest) -> Result<EntryName, ApiError> {
    let table: Table = path::table(request)?;
    Ok((table, path::admin_name(request)?))
}
