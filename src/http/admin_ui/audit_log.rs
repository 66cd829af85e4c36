//! *History*: who did what, and when.

use actix_web::{HttpRequest, web::Data};
use askama::Template;
use serde_json::Value;

use super::{
    Layout, PageResult, format, ok_page, page_url, percent_encode, session_middleware::SignedIn,
};
use crate::{
    http::{
        AppState,
        admin_api::{self, audit_log},
        body,
    },
    service::AuditLogPage,
};

/// Characters that are shown of what something was: there may be many on a page.
const MAX_VALUE_CHARS: usize = 4 * 1024;

#[derive(Template)]
#[template(path = "audit_log.html")]
struct AuditLogTemplate {
    layout: Layout,
    events: Vec<AuditEventView>,
    limit: usize,
    is_first: bool,
    next: Option<String>,
}

/// Something that an operator did.
struct AuditEventView {
    at: String,
    by: String,
    from: Option<String>,
    action: String,
    kind: String,
    name: String,
    before: Option<String>,
    after: Option<String>,
}

impl AuditEventView {
    /// One of a later version of this program may lack what this one knows.
    fn from_json(event: &Value) -> Self {
        let text = |member: &str| {
            let text = event.get(member).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let whole = |member: &str| event.get(member).and_then(pretty_json);
        Self {
            at: text("at"),
            by: text("by"),
            from: Some(text("from")).filter(|from| !from.is_empty()),
            action: text("action"),
            kind: text("kind"),
            name: text("name"),
            before: whole("before"),
            after: if event.is_object() {
                whole("after")
            } else {
                pretty_json(event)
            },
        }
    }

    /// Where that which it was done to is looked at; it may not be there any more.
    fn target_url(&self) -> Option<String> {
        let place = match self.kind.as_str() {
            "service" => page_url(&["services", &self.name]),
            "resource group" => page_url(&["groups", &self.name]),
            "live service" => page_url(&["live", &self.name]),
            "booking" => {
                let (group, number) = self.name.rsplit_once('/')?;
                format!(
                    "{}?number={}",
                    page_url(&["groups", group]),
                    percent_encode(number)
                )
            }
            _ => return None,
        };
        Some(place)
    }
}

/// JSON for people, or how it begins; `None` for `null`.
fn pretty_json(value: &Value) -> Option<String> {
    if value.is_null() {
        return None;
    }
    let mut text = serde_json::to_string_pretty(value).ok()?;
    if let Some((end, _)) = text.char_indices().nth(MAX_VALUE_CHARS) {
        let size = format::format_bytes(text.len() as u64);
        text.truncate(end);
        text.push_str("…\n\n");
        text.push_str(&size);
        text.push_str(" in all: GET /genesys/1/admin/audit-log tells the rest.");
    }
    Some(text)
}

/// `GET /genesys/1/admin/ui/audit-log`
pub(super) async fn show_audit_log(
    api: Data<AppState>,
    visitor: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let query = body::parse_query(&api, &request)?;
    let (after, limit) = (
        audit_log::parse_cursor(&query)?,
        admin_api::page_size(&query)?,
    );
    let AuditLogPage { events, next } = admin_api::admin_service(&api)?
        .audit_events(after, limit)
        .await?;
    ok_page(&AuditLogTemplate {
        layout: Layout::new(&visitor, "history", "History"),
        events: events.iter().map(AuditEventView::from_json).collect(),
        limit,
        is_first: after.is_none(),
        next,
    })
}
