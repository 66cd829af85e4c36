//! Catalog entries that the store has lost: a note on the pages, and the button that restores them.

use actix_web::{
    HttpRequest,
    web::{Data, Payload},
};

use super::{PageResult, form::Form, page_url, redirect_see_other, session_middleware::SignedIn};
use crate::{
    http::{AppState, admin_api},
    service::Precondition,
};

/// `POST /genesys/1/admin/ui/catalog/restore`: makes again what is lost, if nobody was faster.
pub(super) async fn restore_catalog(
    api: Data<AppState>,
    visitor: SignedIn,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    let form = Form::read(&api, &visitor, &request, payload).await?;
    let condition = Precondition::IfMatch(vec![form.text("version").to_owned()]);
    let by = visitor.actor(&api, &request);
    admin_api::admin_service(&api)?
        .restore_entries(&condition, &by)
        .await?;
    Ok(redirect_see_other(&format!(
        "{}?done=restored",
        page_url(&["catalog"])
    )))
}
