//! `/genesys/1/admin/audit-log`: changes by operators.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{admin_service, page_size};
use crate::{
    http::{
        ApiError, AppState, body,
        openapi::{
            errors::{AdminErrors, QueryErrors},
            parameters::AuditLogQuery,
        },
        response,
    },
    service::{AuditFilter, AuditLogPage, FormData},
};

/// Maximum length of a cursor.
const MAX_CURSOR_BYTES: usize = 64;

/// Changes by operators, newest first
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditLogPage)]
#[serde(deny_unknown_fields)]
struct AuditLogPageResponse {
    #[schema(value_type = Vec<AuditEvent>)]
    events: Vec<Value>,
    /// Cursor of the next page, for `after`; null on the last page
    #[schema(required)]
    next: Option<String>,
}

/// A change by an operator or an agent. Changes of services, bookings, numbers, replicas and chats, and requests about
/// webhooks, are recorded before they are carried out
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "only described: events are returned as they are stored, and later versions may add members"
)]
struct AuditEvent {
    #[schema(format = DateTime)]
    time: String,
    /// The user name of the operator or agent
    actor: String,
    /// The IP address of the client
    #[schema(required)]
    client_address: Option<String>,
    #[schema(inline)]
    action: AuditAction,
    #[schema(inline)]
    kind: AuditKind,
    /// The name or id of the target
    name: String,
    /// The previous state with secrets masked; null if there was none
    #[schema(required, value_type = Option<Object>)]
    before: Option<Value>,
    /// The new state with secrets masked; null if there is none
    #[schema(required, value_type = Option<Object>)]
    after: Option<Value>,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "only described")]
enum AuditAction {
    Create,
    Replace,
    Delete,
    Restore,
    SetExpiration,
    Release,
    Quarantine,
    EndQuarantine,
    SetStatus,
    Join,
    Leave,
    End,
    Resend,
    Resume,
    Test,
}

/// The kind of the target
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
enum AuditKind {
    #[schema(rename = "service")]
    Service,
    #[schema(rename = "resource group")]
    ResourceGroup,
    #[schema(rename = "active service")]
    ActiveService,
    #[schema(rename = "booking")]
    Booking,
    #[schema(rename = "number")]
    Number,
    #[schema(rename = "replica")]
    Replica,
    #[schema(rename = "chat")]
    Chat,
    #[schema(rename = "webhook")]
    Webhook,
}

/// `GET /genesys/1/admin/audit-log`
#[utoipa::path(
    get,
    path = "/genesys/1/admin/audit-log",
    operation_id = "listAuditLog",
    tag = "audit log",
    summary = "List the audit log",
    description = "Newest first. Changes of services, bookings, replicas and chats, and requests about webhooks, are \
                   recorded before they are made, so a recorded change may have failed.",
    params(AuditLogQuery),
    responses(
        (status = 200, description = "A page of events", body = AuditLogPageResponse),
        AdminErrors, QueryErrors,
    ),
    security(("admin" = [])),
)]
pub(in crate::http) async fn list_audit_log(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = body::parse_query(&state, &request)?;
    let (after, limit) = (parse_cursor(&query)?, page_size(&query)?);
    let (admin, all) = (admin_service(&state)?, AuditFilter::default());
    let AuditLogPage { events, next, .. } = admin.audit_events(&all, after, limit).await?;
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
