//! *History*: who did what, and when.

use actix_web::{HttpRequest, web::Data};
use askama::Template;
use serde_json::Value;

use super::{Frame, Page, encoded, figures, gate::Visitor, shown, url};
use crate::{
    http::{
        Api,
        admin::{self, history},
        body,
    },
    service::HistoryPage,
};

/// Characters that are shown of what something was: there may be many on a page.
const SHOWN: usize = 4 * 1024;

#[derive(Template)]
#[template(path = "history.html")]
struct History {
    frame: Frame,
    events: Vec<Told>,
    limit: usize,
    is_first: bool,
    next: Option<String>,
}

/// Something that an operator did.
struct Told {
    at: String,
    by: String,
    from: Option<String>,
    action: String,
    kind: String,
    name: String,
    before: Option<String>,
    after: Option<String>,
}

impl Told {
    /// One of a later version of this program may lack what this one knows.
    fn of(event: &Value) -> Self {
        let text = |member: &str| {
            let text = event.get(member).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let whole = |member: &str| event.get(member).and_then(pretty);
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
                pretty(event)
            },
        }
    }

    /// Where that which it was done to is looked at; it may not be there any more.
    fn place(&self) -> Option<String> {
        let place = match self.kind.as_str() {
            "service" => url(&["services", &self.name]),
            "resource group" => url(&["groups", &self.name]),
            "live service" => url(&["live", &self.name]),
            "booking" => {
                let (group, number) = self.name.rsplit_once('/')?;
                format!("{}?number={}", url(&["groups", group]), encoded(number))
            }
            _ => return None,
        };
        Some(place)
    }
}

/// JSON for people, or how it begins; `None` for `null`.
fn pretty(value: &Value) -> Option<String> {
    if value.is_null() {
        return None;
    }
    let mut text = serde_json::to_string_pretty(value).ok()?;
    if let Some((end, _)) = text.char_indices().nth(SHOWN) {
        let size = figures::size(text.len() as u64);
        text.truncate(end);
        text.push_str("…\n\n");
        text.push_str(&size);
        text.push_str(" in all: GET /genesys/1/admin/history tells the rest.");
    }
    Some(text)
}

/// `GET /genesys/1/admin/ui/history`
pub(super) async fn list(api: Data<Api>, visitor: Visitor, request: HttpRequest) -> Page {
    let query = body::query(&api, &request)?;
    let (after, limit) = (history::place(&query)?, admin::page_size(&query)?);
    let HistoryPage { events, next } = admin::admin(&api)?.history(after, limit).await?;
    shown(&History {
        frame: Frame::of(&visitor, "history", "History"),
        events: events.iter().map(Told::of).collect(),
        limit,
        is_first: after.is_none(),
        next,
    })
}
