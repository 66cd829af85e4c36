//! The page with the results of an action on several rows.

use actix_web::{HttpRequest, web::Data};
use askama::Template;

use super::{
    Layout, PageResult,
    bookings::RELEASE,
    bulk_action::{BulkAction, unknown_action},
    bulk_outcome::BulkOutcome,
    ok_page,
    quarantine::{END_QUARANTINE, QUARANTINE},
    services::bulk::{DELETE, EXTEND},
    signed_in::SignedIn,
};
use crate::http::{AppState, body};

static ACTIONS: [&BulkAction; 5] = [&DELETE, &EXTEND, &RELEASE, &QUARANTINE, &END_QUARANTINE];

#[derive(Template)]
#[template(path = "bulk_result.html")]
struct ResultPage {
    layout: Layout,
    outcome: BulkOutcome,
    /// How rows that were in the requested state already are described.
    unchanged: &'static str,
}

/// `GET /genesys/1/admin/ui/selected/result`
pub(super) async fn show_result(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let query = body::parse_query(&state, &request)?;
    let outcome = BulkOutcome::from_query(&session, &query)?;
    let action = ACTIONS.iter().find(|action| action.name == outcome.action);
    let action = action.ok_or_else(unknown_action)?;
    ok_page(&ResultPage {
        layout: Layout::new(&session, action.section, action.result_title),
        unchanged: action.unchanged,
        outcome,
    })
}
