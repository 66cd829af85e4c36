//! Actions on several active services.

use actix_web::{
    HttpRequest, ResponseError,
    web::{Data, Payload},
};

use super::not_found::service_url;
use crate::{
    http::{
        ApiError, AppState, admin_api,
        admin_ui::{
            PageResult,
            bulk_action::{
                BulkAction, ConfirmPage, SelectedRow, selected, submitted_texts, unknown_action,
            },
            bulk_outcome::{BulkOutcome, redirect_to_result},
            form::Form,
            ok_page,
            signed_in::SignedIn,
        },
    },
    model::ServiceId,
    service::{Actor, FieldValue, FormData, FoundService},
};

const URL: &str = "/genesys/1/admin/ui/selected/active-services";

pub(in crate::http::admin_ui) static EXTEND: BulkAction = BulkAction {
    name: "extend",
    verb: "Set expiry of",
    result_title: "Set expiry: result",
    unchanged: "unchanged",
    objects: ["service", "services"],
    effect: "All data of the services gets the new expiry.",
    is_danger: false,
    section: "active-services",
};

pub(in crate::http::admin_ui) static DELETE: BulkAction = BulkAction {
    name: "delete",
    verb: "Delete",
    result_title: "Delete: result",
    unchanged: "unchanged",
    objects: ["service", "services"],
    effect: "The services end at once for all clients. Their data is deleted, their numbers are released, and their \
             backend sessions are terminated. This cannot be undone.",
    is_danger: true,
    section: "active-services",
};

/// `GET /genesys/1/admin/ui/selected/active-services`: asks for a confirmation.
pub(in crate::http::admin_ui) async fn confirm_change(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let form = Form::from_query(&request)?;
    let (action, ids) = (action_of(&form)?, selected_ids(&form)?);
    let admin = admin_api::admin_service(&state)?;
    let found = admin.describe_services(&ids).await?;
    let rows = ids.iter().zip(found).map(|(id, found)| describe(id, found));
    let page = action.confirm_page(&session, &form, URL, rows.collect());
    // Another page must not choose the TTL that the operator confirms.
    ok_page(&with_ttl(page, &state, &form, ""))
}

/// `POST /genesys/1/admin/ui/selected/active-services`
pub(in crate::http::admin_ui) async fn change_services(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    let form = Form::read(&state, &session, &request, payload).await?;
    let (action, ids) = (action_of(&form)?, selected_ids(&form)?);
    let actor = session.actor(&state, &request);
    if action.name == EXTEND.name {
        return extend_services(&state, &session, &form, ids, &actor).await;
    }
    let admin = admin_api::admin_service(&state)?;
    let result = admin.delete_services(ids, &actor).await;
    redirect_to_result(&DELETE, &session, &form, result, to_row)
}

fn action_of(form: &Form) -> Result<&'static BulkAction, ApiError> {
    let mut actions = [&EXTEND, &DELETE].into_iter();
    let action = actions.find(|action| action.name == form.text("action"));
    action.ok_or_else(unknown_action)
}

fn selected_ids(form: &Form) -> Result<Vec<ServiceId>, ApiError> {
    Ok(selected(form)?.into_iter().map(ServiceId::from).collect())
}

async fn extend_services(
    state: &AppState,
    session: &SignedIn,
    form: &Form,
    ids: Vec<ServiceId>,
    actor: &Actor,
) -> PageResult {
    let (admin, ttl) = (admin_api::admin_service(state)?, ttl_field(form));
    let result = admin.set_service_ends(ids.clone(), &ttl, actor);
    match result.await.map_err(ApiError::from) {
        Ok((expiry, result)) => {
            let outcome = BulkOutcome::new(&EXTEND, form, result, to_row);
            outcome.with_expiry(expiry).redirect(session)
        }
        Err(error) => {
            let texts = submitted_texts(form);
            let rows = ids.iter().map(|id| to_row(id).with_texts(&texts)).collect();
            let page = EXTEND.confirm_page(session, form, URL, rows);
            with_ttl(page, state, form, form.text("ttl")).with_problem(&error, error.status_code())
        }
    }
}

/// The confirmation with the field of its TTL, if its action has one.
fn with_ttl<'a>(
    mut page: ConfirmPage<'a>,
    state: &AppState,
    form: &Form,
    ttl: &str,
) -> ConfirmPage<'a> {
    let ttl = (state.limits.max_ttl.as_secs(), ttl.to_owned());
    page.ttl = Some(ttl).filter(|_| form.text("action") == EXTEND.name);
    page
}

fn ttl_field(form: &Form) -> FormData {
    let ttl = FieldValue::Text(form.text("ttl").trim().to_owned());
    let mut fields = FormData::default();
    fields.insert("ttl".to_owned(), ttl);
    fields
}

fn to_row(id: &ServiceId) -> SelectedRow {
    SelectedRow {
        url: service_url(id),
        label: id.client_id().into_owned(),
        details: String::new(),
        value: id.as_str().to_owned(),
    }
}

/// The row of a service with its definition and its user.
fn describe(id: &ServiceId, found: FoundService) -> SelectedRow {
    let details = match found {
        FoundService::Gone => "already gone".to_owned(),
        FoundService::Unreadable => {
            "its record cannot be read, so the action will fail for it".to_owned()
        }
        FoundService::Active(found) => {
            let kind = if id.is_storage_area() {
                "storage area".to_owned()
            } else {
                format!("service definition {}", found.definition)
            };
            let user = found.gms_user.map(|user| format!(", gms_user {user}"));
            kind + user.as_deref().unwrap_or_default()
        }
    };
    SelectedRow {
        details,
        ..to_row(id)
    }
}
