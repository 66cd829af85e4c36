//! The quarantine of selected numbers of a resource group.

use actix_web::{
    HttpRequest,
    web::{Data, Payload},
};

use super::{
    PageResult,
    bulk_action::{BulkAction, SelectedRow, selected, unknown_action},
    bulk_outcome::redirect_to_result,
    form::Form,
    ok_page, page_url, percent_encode,
    signed_in::SignedIn,
};
use crate::{
    http::{ApiError, AppState, admin_api, path},
    service::{Actor, Admin, BulkResult},
};

pub(super) static QUARANTINE: BulkAction = BulkAction {
    name: "quarantine",
    verb: "Quarantine",
    result_title: "Quarantine: result",
    unchanged: "already quarantined",
    objects: ["number", "numbers"],
    effect: "From now on the numbers are not booked. Bookings remain and can be matched; their release does not make the \
             numbers free. A quarantine lasts until an operator ends it, or until the number is removed from the group.",
    is_danger: true,
    section: "groups",
};

pub(super) static END_QUARANTINE: BulkAction = BulkAction {
    name: "end_quarantine",
    verb: "End quarantine of",
    result_title: "End quarantine: result",
    unchanged: "not quarantined",
    objects: ["number", "numbers"],
    effect: "The numbers can be booked again.",
    is_danger: false,
    section: "groups",
};

/// The URL to submit selected numbers of a group to.
pub(super) fn quarantine_url(group: &str) -> String {
    page_url(&["groups", group]) + "/quarantine"
}

/// `GET /genesys/1/admin/ui/groups/{name}/quarantine`: asks for a confirmation.
pub(super) async fn confirm_change(session: SignedIn, request: HttpRequest) -> PageResult {
    let group = path::page_name(&request)?;
    let form = Form::from_query(&request)?;
    let (action, numbers) = (action_of(&form)?, selected(&form)?);
    let rows = numbers.iter().map(|number| to_row(&group, number));
    let url = quarantine_url(&group);
    ok_page(&action.confirm_page(&session, &form, &url, rows.collect()))
}

/// `POST /genesys/1/admin/ui/groups/{name}/quarantine`
pub(super) async fn change_quarantine(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    let group = path::page_name(&request)?;
    let form = Form::read(&state, &session, &request, payload).await?;
    let (action, numbers) = (action_of(&form)?, selected(&form)?);
    let actor = session.actor(&state, &request);
    let admin = admin_api::admin_service(&state)?;
    let result = change_numbers(admin, action, &group, numbers, &actor).await;
    let to_row = |number: &String| to_row(&group, number);
    redirect_to_result(action, &session, &form, result, to_row)
}

async fn change_numbers(
    admin: &Admin,
    action: &BulkAction,
    group: &str,
    numbers: Vec<String>,
    actor: &Actor,
) -> BulkResult<String> {
    if action.name == QUARANTINE.name {
        admin.quarantine_numbers(group, numbers, actor).await
    } else {
        admin.end_quarantines(group, numbers, actor).await
    }
}

fn action_of(form: &Form) -> Result<&'static BulkAction, ApiError> {
    let mut actions = [&QUARANTINE, &END_QUARANTINE].into_iter();
    let action = actions.find(|action| action.name == form.text("action"));
    action.ok_or_else(unknown_action)
}

fn to_row(group: &str, number: &str) -> SelectedRow {
    let url = page_url(&["groups", group]);
    SelectedRow {
        url: format!("{url}?number={}", percent_encode(number)),
        label: number.to_owned(),
        details: String::new(),
        value: number.to_owned(),
    }
}
