//! Restores catalog entries that the store has lost.

use actix_web::{
    HttpRequest,
    web::{Data, Payload},
};

use super::{
    PageResult, form::Form, import_export::RESTORED, page_url, redirect_see_other,
    signed_in::SignedIn,
};
use crate::{
    http::{AppState, admin_api},
    service::Precondition,
};

/// `POST /genesys/1/admin/ui/catalog/restore`: restores the lost entries, unless the catalog has changed.
pub(super) async fn restore_catalog(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    let form = Form::read(&state, &session, &request, payload).await?;
    let condition = Precondition::IfMatch(vec![form.text("version").to_owned()]);
    let actor = session.actor(&state, &request);
    admin_api::admin_service(&state)?
        .restore_entries(&condition, &actor)
        .await?;
    Ok(redirect_see_other(&format!(
        "{}?message={RESTORED}",
        page_url(&["catalog"])
    )))
}
