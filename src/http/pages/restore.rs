//! Catalog entries that the store has lost: a note on the pages, and the button that restores them.

use actix_web::{
    HttpRequest,
    web::{Data, Payload},
};

use super::{Page, form::Form, gate::Visitor, see, url};
use crate::{
    http::{Api, admin},
    service::Condition,
};

/// `POST /genesys/1/admin/ui/catalog/restore`: makes again what is lost, if nobody was faster.
pub(super) async fn restore(
    api: Data<Api>,
    visitor: Visitor,
    request: HttpRequest,
    payload: Payload,
) -> Page {
    let form = Form::read(&api, &visitor, &request, payload).await?;
    let condition = Condition::Is(vec![form.text("version").to_owned()]);
    let by = visitor.operator(&api, &request);
    admin::admin(&api)?.restore(&condition, &by).await?;
    Ok(see(&format!("{}?done=restored", url(&["catalog"]))))
}
