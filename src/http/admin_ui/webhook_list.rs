//! The list of *Webhooks*.

use std::cmp::Ordering;

use actix_web::{HttpRequest, web::Data};
use askama::Template;

use super::{
    Layout, PageResult, flash_message, format,
    list_query::{ListQuery, ListSpec, Pager},
    ok_page,
    signed_in::SignedIn,
    webhooks::FLASH_MESSAGES,
};
use crate::{
    http::{AppState, admin_api, body},
    service::Webhook,
};

/// The choices of the filter, the most urgent one first.
const STATES: [&str; 4] = ["stopped", "failing", "not configured", "active"];

static SPEC: ListSpec = ListSpec {
    path: "/genesys/1/admin/ui/webhooks",
    filters: &["q", "status"],
    columns: &["name", "status", "pending", "lag", "dead_letters"],
    is_descending: false,
};

#[derive(Template)]
#[template(path = "webhooks.html")]
struct WebhooksPage {
    layout: Layout,
    list: ListQuery,
    pager: Pager,
    webhooks: Vec<Webhook>,
    /// Whether there are no webhooks at all.
    is_empty: bool,
    flash: &'static str,
}

impl Webhook {
    /// One of [`STATES`].
    fn state(&self) -> &'static str {
        STATES[self.state_rank()]
    }

    fn state_rank(&self) -> usize {
        let failure = self.status.last_failure.as_ref().map(|(time, _)| *time);
        if self.options.is_none() {
            2
        } else if self.status.stopped_since.is_some() {
            0
        } else if failure > self.status.last_success {
            1
        } else {
            3
        }
    }

    pub(super) fn lag_text(&self) -> String {
        self.lag
            .map_or_else(|| "–".to_owned(), format::format_duration)
    }

    /// Whether the name or the URL contains the text, ignoring case.
    fn contains(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let url = self.options.as_ref().map(|options| options.url.as_str());
        let name = self.endpoint.to_string();
        let mut texts = url.into_iter().chain([name.as_str()]);
        texts.any(|one| one.to_lowercase().contains(&text))
    }

    fn compare(&self, other: &Self, column: &str) -> Ordering {
        let (own, others) = (&self.status, &other.status);
        match column {
            "status" => self.state_rank().cmp(&other.state_rank()),
            "pending" => own.pending.cmp(&others.pending),
            "lag" => self.lag.cmp(&other.lag),
            "dead_letters" => own.dead.cmp(&others.dead),
            _ => Ordering::Equal,
        }
        .then_with(|| self.endpoint.cmp(&other.endpoint))
    }
}

/// `GET /genesys/1/admin/ui/webhooks`
pub(super) async fn show_webhooks(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let query = body::parse_query(&state, &request)?;
    let list = ListQuery::parse(&SPEC, &query)?;
    let all = admin_api::admin_service(&state)?.list_webhooks().await?;
    let is_empty = all.is_empty();
    let (webhooks, pager) = list.paginate(select(all, &list));
    ok_page(&WebhooksPage {
        layout: Layout::new(&session, "webhooks", "Webhooks"),
        list,
        pager,
        webhooks,
        is_empty,
        flash: flash_message(&query, &FLASH_MESSAGES),
    })
}

/// The webhooks that match the filters, in the order of the list.
fn select(mut webhooks: Vec<Webhook>, list: &ListQuery) -> Vec<Webhook> {
    let status = list.filter("status");
    webhooks.retain(|webhook| {
        webhook.contains(list.filter("q")) && (status.is_empty() || status == webhook.state())
    });
    let (column, is_descending) = list.order();
    webhooks.sort_by(|one, other| {
        let order = one.compare(other, column);
        if is_descending {
            order.reverse()
        } else {
            order
        }
    });
    webhooks
}
