//! `/genesys/1/admin/groups/{group}/bookings`: who holds which number.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde::Serialize;

use super::{admin, operator, page_size, place, told};
use crate::{
    http::{Api, ApiError, body, path, reply},
    store::{ListedBooking, Page},
};

/// A booking, as it is told.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    booking: String,
    number: String,
    service: String,
    caller: Option<String>,
    has_code: bool,
    until: String,
}

/// A page of them, and the fill of the group.
#[derive(Debug, Serialize)]
struct ToldPage {
    group: String,
    size: u64,
    free: u64,
    bookings: Vec<Told>,
    next: Option<String>,
}

impl From<ListedBooking> for Told {
    fn from(listed: ListedBooking) -> Self {
        Self {
            booking: listed.id.as_str().to_owned(),
            number: listed.number,
            service: listed.service.as_str().to_owned(),
            caller: listed.caller,
            has_code: listed.has_code,
            until: listed.until.to_string(),
        }
    }
}

/// `GET /genesys/1/admin/groups/{group}/bookings`, of one number with `?number=`
pub(in crate::http) async fn list(
    api: web::Data<Api>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (group, query) = (path::admin_name(&request)?, body::query(&api, &request)?);
    let (after, most) = (place(&query)?, page_size(&query)?);
    let (admin, number) = (admin(&api)?, query.text("number"));
    let Page { entries, next } = admin.bookings(&group, number, after.as_ref(), most).await?;
    let fill = admin.fill(&group).await?;
    let page = ToldPage {
        group,
        size: fill.size,
        free: fill.free,
        bookings: entries.into_iter().map(Told::from).collect(),
        next: next.as_ref().map(told),
    };
    Ok(reply::with_headers(StatusCode::OK).json(page))
}

/// `DELETE /genesys/1/admin/groups/{group}/bookings/{booking}`
pub(in crate::http) async fn release(
    api: web::Data<Api>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let group = path::admin_name(&request)?;
    let booking = path::admin_booking(&request)?;
    let by = operator(&api, &request);
    admin(&api)?.release(&group, &booking, &by).await?;
    Ok(reply::ok())
}
