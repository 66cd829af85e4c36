//! `/genesys/1/admin/audit-log`: the changes by operators.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::{Value, json};

use super::{admin_service, page_size};
use crate::{
    http::{ApiError, AppState, body, response},
    service::{AuditLogPage, FormData},
};

/// Longest name of a place in the history.
const MAX_CURSOR_BYTES: usize = 64;

/// A page of the history, as it is told.
#[derive(Debug, Serialize)]
struct AuditLogPageResponse {
    events: Vec<Value>,
    next: Option<String>,
}

/// The JSON Schema of what an operator did. A later version of the program may tell more.
pub(in crate::http) fn event_schema() -> Value {
    let state = |when: &str| json!({"type": ["object", "null"], "description": when});
    json!({
        "description": "Something that an operator did, or was about to do",
        "type": "object",
        "properties": {
            "at": {"type": "string", "format": "date-time"},
            "by": {"type": "string", "description": "The user name shown"},
            "from": {"type": ["string", "null"], "description": "The address of the client"},
            "action": {"enum": ["create", "replace", "delete", "restore", "extend", "end", "release"]},
            "kind": {
                "enum": ["service", "resource group", "live service", "booking"],
                "description": "What it was done to",
            },
            "name": {"type": "string", "description": "To which one of them"},
            "before": state("What it was, secrets hidden; null where there was none"),
            "after": state("What it is then; null where there is none"),
        },
        "required": ["at", "by", "from", "action", "kind", "name", "before", "after"],
    })
}

/// The JSON Schema of a page of such `events`; `next` tells where the next one begins.
pub(in crate::http) fn page_schema(events: &Value, next: &Value) -> Value {
    json!({
        "description": "What operators did, newest first",
        "type": "object",
        "properties": {"events": {"type": "array", "items": events}, "next": next},
        "required": ["events", "next"],
        "additionalProperties": false,
    })
}

/// `GET /genesys/1/admin/audit-log`
pub(in crate::http) async fn list_audit_log(
    api: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = body::parse_query(&api, &request)?;
    let (after, most) = (parse_cursor(&query)?, page_size(&query)?);
    let page = admin_service(&api)?.audit_events(after, most).await?;
    let AuditLogPage { events, next } = page;
    response::json_from(&AuditLogPageResponse { events, next })
}

/// The parameter `after`: where a page begins, as the page before told it.
pub(in crate::http) fn parse_cursor(query: &FormData) -> Result<Option<&str>, ApiError> {
    let Some(place) = query.text("after") else {
        return Ok(None);
    };
    let mut parts = place.splitn(2, '-');
    let numbers = parts.all(|part| part.parse::<u64>().is_ok());
    if numbers && place.len() <= MAX_CURSOR_BYTES && !place.contains('+') {
        return Ok(Some(place));
    }
    Err(ApiError::InvalidParameter(format!(
        "after is {place:?}; expected what a page told as its next one"
    )))
}
