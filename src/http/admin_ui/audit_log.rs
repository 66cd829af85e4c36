//! *Audit log*: changes by operators.

use actix_web::{HttpRequest, web::Data};
use askama::Template;
use serde_json::Value;

use super::{
    Layout, PageResult, format,
    list_query::{ListQuery, ListSpec, Pager, format_total},
    ok_page, page_url, percent_encode,
    signed_in::SignedIn,
};
use crate::{
    http::{
        AppState,
        admin_api::{self, audit_log},
        body,
    },
    service::{AuditFilter, AuditLogPage},
};

static SPEC: ListSpec = ListSpec {
    path: "/genesys/1/admin/ui/audit-log",
    filters: &["q", "user", "action"],
    columns: &["time"],
    is_descending: true,
};
/// Characters of a state that are shown. A page can contain many states.
const MAX_VALUE_CHARS: usize = 4 * 1024;

#[derive(Template)]
#[template(path = "audit_log.html")]
struct AuditLogTemplate {
    layout: Layout,
    list: ListQuery,
    pager: Pager,
    events: Vec<AuditEventView>,
    /// The number of events that were read.
    searched: usize,
}

impl AuditLogTemplate {
    fn new(session: &SignedIn, list: ListQuery, page: &AuditLogPage) -> Self {
        let (events, next) = (&page.events, page.next.as_deref());
        Self {
            layout: Layout::new(session, "audit-log", "Audit log"),
            pager: list.cursor_pager(events.len(), next, None, list.is_filtered()),
            events: events.iter().map(AuditEventView::from_json).collect(),
            searched: page.searched,
            list,
        }
    }

    /// Whether the log has no events at all.
    fn is_empty(&self) -> bool {
        self.events.is_empty() && !self.list.is_filtered() && self.pager.first.is_none()
    }

    fn searched_text(&self) -> String {
        format_total(self.searched)
    }
}

/// An event of the audit log. Members that are missing in the stored event are empty.
struct AuditEventView {
    time: String,
    actor: String,
    client_address: Option<String>,
    action: String,
    kind: String,
    name: String,
    before: Option<String>,
    after: Option<String>,
}

impl AuditEventView {
    /// Reads an event leniently: another version may have written it.
    fn from_json(event: &Value) -> Self {
        let text = |member: &str| {
            let text = event.get(member).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let entry_state = |member: &str| event.get(member).and_then(pretty_json);
        Self {
            time: text("time"),
            actor: text("actor"),
            client_address: Some(text("client_address")).filter(|address| !address.is_empty()),
            action: text("action"),
            kind: text("kind"),
            name: text("name"),
            before: entry_state("before"),
            after: if event.is_object() {
                entry_state("after")
            } else {
                pretty_json(event)
            },
        }
    }

    /// The page of the target, which may no longer exist.
    fn target_url(&self) -> Option<String> {
        let url = match self.kind.as_str() {
            "service" => page_url(&["services", &self.name]),
            "resource group" => page_url(&["groups", &self.name]),
            "active service" => page_url(&["active-services", &self.name]),
            "webhook" => page_url(&["webhooks", &self.name]),
            "replica" => page_url(&["replicas", self.name.rsplit_once('/')?.1]),
            "booking" | "number" => {
                let (group, number) = self.name.rsplit_once('/')?;
                format!(
                    "{}?number={}",
                    page_url(&["groups", group]),
                    percent_encode(number)
                )
            }
            _ => return None,
        };
        Some(url)
    }
}

/// Formats JSON, truncated to [`MAX_VALUE_CHARS`]; `None` for `null`.
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
        text.push_str(" in total; GET /genesys/1/admin/audit-log returns the full value.");
    }
    Some(text)
}

/// `GET /genesys/1/admin/ui/audit-log`
pub(super) async fn show_audit_log(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let query = body::parse_query(&state, &request)?;
    let list = ListQuery::parse(&SPEC, &query)?;
    let after = audit_log::parse_cursor(&query)?;
    let admin = admin_api::admin_service(&state)?;
    let page = admin
        .audit_events(&filter(&list), after, list.limit)
        .await?;
    ok_page(&AuditLogTemplate::new(&session, list, &page))
}

fn filter(list: &ListQuery) -> AuditFilter {
    let text = |name| Some(list.filter(name).to_owned()).filter(|text| !text.is_empty());
    AuditFilter {
        target: text("q"),
        actor: text("user"),
        action: text("action"),
    }
}
