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
                BulkAction, ConfirmPage, SelectedRow, is_confirmed, selected, unknown_action,
            },
            form::Form,
            ok_page,
            signed_in::SignedIn,
        },
    },
    model::ServiceId,
    service::{Actor, FieldValue, FormData},
};

const URL: &str = "/genesys/1/admin/ui/selected/active-services";

static EXTEND: BulkAction = BulkAction {
    name: "extend",
    verb: "Set expiry of",
    objects: ["service", "services"],
    effect: "All data of the services gets the new expiry.",
    is_danger: false,
    section: "active-services",
};

static DELETE: BulkAction = BulkAction {
    name: "delete",
    verb: "Delete",
    objects: ["service", "services"],
    effect: "The services end at once for all clients. Their data is deleted, their numbers are released, and their \
             backend sessions are terminated. This cannot be undone.",
    is_danger: true,
    section: "active-services",
};

/// `POST /genesys/1/admin/ui/selected/active-services`: asks for a confirmation first.
pub(in crate::http::admin_ui) async fn change_services(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    let form = Form::read(&state, &session, &request, payload).await?;
    let ids: Vec<ServiceId> = selected(&form)?.into_iter().map(ServiceId::from).collect();
    let actor = session.actor(&state, &request);
    match (form.text("action"), is_confirmed(&form)) {
        ("delete", false) => ok_page(&DELETE.confirm_page(&session, &form, URL, to_rows(&ids))),
        ("delete", true) => {
            let admin = admin_api::admin_service(&state)?;
            let result = admin.delete_services(ids, &actor).await;
            DELETE.result_page(&session, &form, result, to_row)
        }
        ("extend", false) => ok_page(&extend_page(&state, &session, &form, &ids)),
        ("extend", true) => extend_services(&state, &session, &form, ids, &actor).await,
        _ => Err(unknown_action().into()),
    }
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
        Ok(result) => EXTEND.result_page(session, form, result, to_row),
        Err(error) => {
            let page = extend_page(state, session, form, &ids);
            page.with_problem(&error, error.status_code())
        }
    }
}

fn extend_page(
    state: &AppState,
    session: &SignedIn,
    form: &Form,
    ids: &[ServiceId],
) -> ConfirmPage<'static> {
    let mut page = EXTEND.confirm_page(session, form, URL, to_rows(ids));
    page.ttl = Some((state.limits.max_ttl.as_secs(), form.text("ttl").to_owned()));
    page
}

fn ttl_field(form: &Form) -> FormData {
    let ttl = FieldValue::Text(form.text("ttl").trim().to_owned());
    let mut fields = FormData::default();
    fields.insert("ttl".to_owned(), ttl);
    fields
}

fn to_rows(ids: &[ServiceId]) -> Vec<SelectedRow> {
    ids.iter().map(to_row).collect()
}

fn to_row(id: &ServiceId) -> SelectedRow {
    SelectedRow {
        url: service_url(id),
        label: id.client_id().into_owned(),
        value: id.as_str().to_owned(),
    }
}
