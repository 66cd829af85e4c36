//! `/genesys/1/admin/services` and `/genesys/1/admin/groups`: configured services and resource groups.
//!
//! The two differ in nothing but the table that they are in, and that a list of groups tells how many
//! numbers there are instead of which.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::Serialize;
use serde_json::{Value, json};

use super::{admin, condition, of_revision, operator};
use crate::{
    http::{Api, ApiError, body, path, reply},
    service::{CatalogEntry, OptionValue, Options, Origin, Put},
    store::{EntryName, Table},
};

/// A configured service or resource group, as it is told.
#[derive(Debug, Serialize)]
struct Told {
    name: String,
    origin: Origin,
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
struct ToldTable {
    version: String,
    entries: Vec<Told>,
}

/// The JSON Schema of an entry as it is told.
pub(in crate::http) fn told_schema() -> Value {
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
pub(in crate::http) fn table_schema(entries: &Value) -> Value {
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

impl From<CatalogEntry> for Told {
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
pub(in crate::http) async fn list(
    api: web::Data<Api>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (version, entries) = admin(&api)?.list(path::table(&request)?).await?;
    let entries = entries.into_iter().map(|entry| {
        let mut told = Told::from(entry);
        told.options.remove("numbers");
        told
    });
    let entries = entries.collect();
    let mut answer = of_revision(StatusCode::OK, &version);
    reply::json_in(&mut answer, &ToldTable { version, entries })
}

/// `GET /genesys/1/admin/services/{name}` and `GET /genesys/1/admin/groups/{name}`
pub(in crate::http) async fn read(
    api: web::Data<Api>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let entry = admin(&api)?.read(entry_name(&request)?).await?;
    let mut answer = of_revision(StatusCode::OK, &entry.revision);
    reply::json_in(&mut answer, &Told::from(entry))
}

/// `PUT /genesys/1/admin/services/{name}` and `PUT /genesys/1/admin/groups/{name}`: the body is one JSON
/// object, the options.
pub(in crate::http) async fn put(
    api: web::Data<Api>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let (name, condition) = (entry_name(&request)?, condition(&request)?);
    let text = body::document(&api, &request, payload, body::JSON).await?;
    let options: Options =
        serde_json::from_str(&text).map_err(|error| ApiError::UnreadableJson {
            reason: error.to_string(),
            status: api.unreadable_json_status,
        })?;
    let by = operator(&api, &request);
    let (status, entry) = match admin(&api)?.put(name, options, &condition, &by).await? {
        Put::Created(entry) => (StatusCode::CREATED, entry),
        Put::Replaced(entry) => (StatusCode::OK, entry),
    };
    Ok(of_revision(status, &entry.revision.clone()).json(Told::from(entry)))
}

/// `DELETE /genesys/1/admin/services/{name}` and `DELETE /genesys/1/admin/groups/{name}`
pub(in crate::http) async fn delete(
    api: web::Data<Api>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (name, condition) = (entry_name(&request)?, condition(&request)?);
    let by = operator(&api, &request);
    admin(&api)?.delete(name, &condition, &by).await?;
    Ok(reply::ok())
}

fn entry_name(request: &HttpRequest) -> Result<EntryName, ApiError> {
    let table: Table = path::table(request)?;
    Ok((table, path::admin_name(request)?))
}
