//! *Webhooks*: their state, dead letters, and requests about them.

use actix_web::{
    HttpRequest,
    web::{Data, Payload},
};
use askama::Template;

use super::{
    Layout, PageResult, flash_message, form::Form, ok_page, page_url, percent_encode,
    redirect_see_other, signed_in::SignedIn,
};
use crate::{
    http::{ApiError, AppState, admin_api, body, path},
    model::{
        Table, Timestamp,
        webhook::{DeadLetter, EventId, Resend},
    },
    service::{Admin, FormData, Webhook},
};

/// Messages after a redirect to the page of a webhook, or to the list.
pub(super) const FLASH_MESSAGES: [(&str, &str); 5] = [
    (
        "tested",
        "Test event added. It is delivered within a second unless the webhook is stopped; reload the page for the result.",
    ),
    ("resumed", "Webhook resumed."),
    ("resent", "Dead letters are sent again."),
    ("deleted", "The events of the webhook are deleted."),
    ("not_resent", "There is no such dead letter any more."),
];

#[derive(Template)]
#[template(path = "webhook.html")]
struct WebhookPage {
    layout: Layout,
    flash: &'static str,
    webhook: Webhook,
    dead_letters: Vec<DeadLetter>,
    /// Page size.
    limit: usize,
    /// Whether this is the first page.
    is_first: bool,
    next: Option<String>,
}

impl WebhookPage {
    /// The page with the dead letters of a query.
    async fn load(
        admin: &Admin,
        session: &SignedIn,
        name: &str,
        query: &FormData,
    ) -> Result<Self, ApiError> {
        let after = admin_api::parse_cursor(query)?;
        let limit = admin_api::page_size(query)?;
        let webhook = admin.get_webhook(name).await?;
        let page = admin.dead_letters(name, after.as_ref(), limit).await?;
        Ok(Self {
            layout: Layout::new(session, "webhooks", format!("Webhook {name}")),
            flash: flash_message(query, &FLASH_MESSAGES),
            webhook,
            dead_letters: page.entries,
            limit,
            is_first: after.is_none(),
            next: page.next.as_ref().map(admin_api::format_cursor),
        })
    }
}

impl Webhook {
    /// The URL of its page.
    pub(super) fn page_url(&self) -> String {
        page_url(&["webhooks", &self.endpoint.to_string()])
    }

    /// The URL of the page of its catalog entry.
    fn entry_url(&self) -> String {
        let collection = match self.endpoint.table {
            Table::Services => "services",
            Table::Resources => "groups",
        };
        page_url(&[collection, &self.endpoint.name])
    }

    fn events(&self) -> String {
        let subscription = self.options.as_ref().map(|options| options.subscription);
        let events = subscription.map(|subscription| subscription.events.to_string());
        events.unwrap_or_default().replace(',', ", ")
    }
}

/// `GET /genesys/1/admin/ui/webhooks/{endpoint}`
pub(super) async fn show_webhook(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let name = path::page_name(&request)?;
    let query = body::parse_query(&state, &request)?;
    let admin = admin_api::admin_service(&state)?;
    ok_page(&WebhookPage::load(admin, &session, &name, &query).await?)
}

/// `POST /genesys/1/admin/ui/webhooks/{endpoint}`: the field `action` is `test`, `resume`, `resend` (with `event`),
/// `resend_all` or `delete_events`.
pub(super) async fn update_webhook(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    let name = path::page_name(&request)?;
    let form = Form::read(&state, &session, &request, payload).await?;
    let message = run_action(&state, &session, &request, &name, &form).await?;
    // Without its events, a webhook that is not in the catalog has no page.
    let url = if message == "deleted" {
        page_url(&["webhooks"])
    } else {
        page_url(&["webhooks", &name])
    };
    let message = percent_encode(message);
    Ok(redirect_see_other(&format!("{url}?message={message}")))
}

/// Carries out the action of a form, and returns the name of the message.
async fn run_action(
    state: &AppState,
    session: &SignedIn,
    request: &HttpRequest,
    name: &str,
    form: &Form,
) -> Result<&'static str, ApiError> {
    let (admin, actor) = (
        admin_api::admin_service(state)?,
        session.actor(state, request),
    );
    let which = match form.text("action") {
        "test" => {
            admin.send_test_event(name, &actor).await?;
            return Ok("tested");
        }
        "resume" => {
            admin.resume_webhook(name, &actor).await?;
            return Ok("resumed");
        }
        "delete_events" => {
            admin.delete_webhook_events(name, &actor).await?;
            return Ok("deleted");
        }
        "resend" if form.text("event").is_empty() => {
            let message = "event is missing; expected the id of a dead letter".to_owned();
            return Err(ApiError::InvalidParameter(message));
        }
        "resend" => Resend::One(EventId::from(form.text("event").to_owned())),
        "resend_all" => Resend::Since(Timestamp::default()),
        other => {
            let message = format!(
                "action is {other:?}; expected test, resume, resend, resend_all or delete_events"
            );
            return Err(ApiError::InvalidParameter(message));
        }
    };
    match admin.resend_dead_letters(name, which, &actor).await? {
        0 => Ok("not_resent"),
        _ => Ok("resent"),
    }
}
