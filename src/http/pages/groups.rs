//! What only resource groups have: numbers that somebody holds.

use actix_web::{
    HttpRequest,
    web::{Data, Payload},
};

use super::{Page, PageError, form::Form, gate::Visitor, see, url};
use crate::{
    http::{Api, admin, body, path},
    store::{ListedBooking, Pool, Table},
};

/// Bookings on a page.
const PAGE: usize = 50;

/// Who holds numbers of a group.
pub(super) struct Holders {
    pub(super) fill: Pool,
    pub(super) bookings: Vec<ListedBooking>,
    /// Which number was asked for.
    pub(super) number: String,
    /// Where the next page is.
    pub(super) next: Option<String>,
    pub(super) problem: String,
}

/// Who holds numbers of the group that the page is about; nobody asks that of services.
pub(super) async fn holders(
    api: &Api,
    request: &HttpRequest,
    table: Table,
) -> Result<Option<Holders>, PageError> {
    if table != Table::Resources {
        return Ok(None);
    }
    let (name, query) = (path::page_name(request)?, body::query(api, request)?);
    let number = query.text("number").unwrap_or_default().trim().to_owned();
    let asked = Some(number.as_str()).filter(|number| !number.is_empty());
    let (admin, after) = (admin::admin(api)?, admin::place(&query)?);
    let fill = admin.fill(&name).await?;
    let (page, problem) = match admin.bookings(&name, asked, after.as_ref(), PAGE).await {
        Ok(page) => (Some(page), String::new()),
        Err(error) => (None, error.to_string()),
    };
    let next = page.as_ref().and_then(|page| page.next.as_ref());
    let next = next.map(|next| {
        format!(
            "{}?after={}",
            url(&["groups", &name]),
            super::encoded(&admin::told(next))
        )
    });
    let bookings = page.map(|page| page.entries).unwrap_or_default();
    Ok(Some(Holders {
        fill,
        bookings,
        number,
        next,
        problem,
    }))
}

/// `POST /genesys/1/admin/ui/groups/{name}/release`
pub(super) async fn release(
    api: Data<Api>,
    visitor: Visitor,
    request: HttpRequest,
    payload: Payload,
) -> Page {
    let name = path::page_name(&request)?;
    let form = Form::read(&api, &visitor, &request, payload).await?;
    let by = visitor.operator(&api, &request);
    let admin = admin::admin(&api)?;
    admin.release(&name, form.text("booking"), &by).await?;
    Ok(see(&format!("{}?done=released", url(&["groups", &name]))))
}
