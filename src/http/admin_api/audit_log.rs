//! `/genesys/1/admin/audit-log`: changes by operators.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::{Value, json};

use super::{admin_service, page_size};
use crate::{
    http::{ApiError, AppState, body, response},
    service::{AuditLogPage, FormData},
};

/// Maximum length of a cursor.
const MAX_CURSOR_BYTES: usize = 64;

/// A page of the audit log.
#[derive(Debug, Serialize)]
struct AuditLogPageResponse {
    events: Vec<Value>,
    next: Option<String>,
}

/// The JSON Schema of an audit event. Later versions may add members.
pub(in crate::http) fn event_schema() -> Value {
    let entry_state =
        |description: &str| json!({"type": ["object", "null"], "description": description});
    json!({
        "description": "A change by an operator. Changes of services and bookings are recorded before they are carried out",
        "type": "object",
        "properties": {
            "time": {"type": "string", "format": "date-time"},
            "actor": {"type": "string", "description": "The user name of the operator"},
            "client_address": {"type": ["string", "null"], "description": "The IP address of the client"},
            "action": {"enum": ["create", "replace", "delete", "restore", "set_expiration", "release"]},
            "kind": {
                "enum": ["service", "resource group", "active service", "booking"],
                "description": "The kind of the target",
            },
            "name": {"type": "string", "description": "The name or id of the target"},
            "before": entry_state("The previous state with secrets masked; null if there was none"),
            "after": entry_state("The new state with secrets masked; null if there is none"),
        },
        "required": ["time", "actor", "client_address", "action", "kind", "name", "before", "after"],
    })
}

/// The JSON Schema of a page of the audit log, from the schemas of an event and of the cursor.
pub(in crate::http) fn page_schema(events: &Value, next: &Value) -> Value {
    json!({
        "description": "Changes by operators, newest first",
        "type": "object",
        "properties": {"events": {"type": "array", "items": events}, "next": next},
        "required": ["events", "next"],
        "additionalProperties": false,
    })
}

/// `GET /genesys/1/admin/audit-log`
pub(in crate::http) async fn list_audit_log(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = body::parse_query(&state, &request)?;
    let (after, limit) = (parse_cursor(&query)?, page_size(&query)?);
    let page = admin_service(&state)?.audit_events(after, limit).await?;
    let AuditLogPage { events, next } = page;
    response::json_from(&AuditLogPageResponse { events, next })
}

/// The query parameter `after`: the cursor `next` of the previous page.
pub(in crate::http) fn parse_cursor(query: &FormData) -> Result<Option<&str>, ApiError> {
    let Some(cursor) = query.text("after") else {
        return Ok(None);
    };
    let mut parts = cursor.splitn(2, '-');
    let is_numeric = parts.all(|part| part.parse::<u64>().is_ok());
    if is_numeric && cursor.len() <= MAX_CURSOR_BYTES && !cursor.contains('+') {
        return Ok(Some(cursor));
    }
    Err(ApiError::InvalidParameter(format!(
        "after is {cursor:?}, expected the value of next in the previous page"
    )))
}
