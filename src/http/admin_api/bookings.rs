//! `/genesys/1/admin/groups/{group}/bookings`: the bookings of a resource group.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::{actor, admin_service, format_cursor, page_size, parse_cursor};
use crate::{
    http::{
        ApiError, AppState, body,
        openapi::{
            errors::{
                AdminErrors, BookingNotFound, GroupNotFound, InvalidParameter, QueryErrors,
                StoreFull,
            },
            parameters::{GroupPath, PageQuery},
        },
        path, response,
    },
    model::{ListedBooking, Page, PoolUsage},
};

/// A booking of an access number for a service
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Booking)]
pub(in crate::http) struct BookingResponse {
    /// The id of the booking
    booking: String,
    number: String,
    /// The id of the service
    service: String,
    /// The expected caller; null if there is none: then only calls without a caller fit
    #[schema(required)]
    caller: Option<String>,
    /// Whether the caller has to key in an access code
    has_code: bool,
    #[schema(format = DateTime)]
    expires_at: String,
}

/// Bookings of a resource group, by expiration time
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Bookings)]
#[serde(deny_unknown_fields)]
struct BookingPageResponse {
    group: String,
    /// Access numbers of the group without the quarantined ones
    size: u64,
    /// Free access numbers
    free: u64,
    /// Quarantined access numbers
    quarantined: u64,
    bookings: Vec<BookingResponse>,
    /// Cursor of the next page, for `after`; null on the last page
    #[schema(required)]
    next: Option<String>,
}

/// The filter of a list of bookings.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only described")]
pub(in crate::http) struct NumberQuery {
    /// Only the bookings of this number, in any notation (`+1 800 344 9999`), oldest first and on one page. At most 64
    /// bytes
    #[param(required = false, max_length = 64)]
    number: String,
}

/// The id of a booking in the path.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only described")]
pub(in crate::http) struct BookingPath {
    /// The id of a booking.
    #[param(min_length = 1, example = "b1")]
    booking: String,
}

impl From<ListedBooking> for BookingResponse {
    fn from(listed: ListedBooking) -> Self {
        Self {
            booking: listed.id.as_str().to_owned(),
            number: listed.number,
            service: listed.service.as_str().to_owned(),
            caller: listed.caller,
            has_code: listed.has_code,
            expires_at: listed.until.to_string(),
        }
    }
}

impl BookingPageResponse {
    fn new(group: String, usage: PoolUsage, page: Page<ListedBooking>) -> Self {
        let next = page.next.as_ref().map(format_cursor);
        let bookings = page.entries.into_iter().map(BookingResponse::from);
        Self {
            group,
            size: usage.size,
            free: usage.free,
            quarantined: usage.quarantined,
            bookings: bookings.collect(),
            next,
        }
    }
}

/// `GET /genesys/1/admin/groups/{group}/bookings`; `?number=` only those of one number
#[utoipa::path(
    get,
    path = "/genesys/1/admin/groups/{group}/bookings",
    operation_id = "listBookings",
    tag = "bookings",
    summary = "List the bookings of a resource group",
    description = "In the order of their expiration. Access codes are not returned.",
    params(GroupPath, NumberQuery, PageQuery),
    responses(
        (status = 200, description = "A page of bookings", body = BookingPageResponse),
        AdminErrors, QueryErrors, GroupNotFound,
    ),
    security(("admin" = [])),
)]
pub(in crate::http) async fn list_bookings(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let group = path::admin_name(&request)?;
    let query = body::parse_query(&state, &request)?;
    let (after, limit) = (parse_cursor(&query)?, page_size(&query)?);
    let (admin, number) = (admin_service(&state)?, query.text("number"));
    let page = admin.list_bookings(&group, number, after.as_ref(), limit);
    let (page, usage) = (page.await?, admin.pool_usage(&group).await?);
    response::json_from(&BookingPageResponse::new(group, usage, page))
}

/// `DELETE /genesys/1/admin/groups/{group}/bookings/{booking}`
#[utoipa::path(
    delete,
    path = "/genesys/1/admin/groups/{group}/bookings/{booking}",
    operation_id = "releaseNumber",
    tag = "bookings",
    summary = "Release a number",
    description = "Deletes the booking. Its service remains active.",
    params(GroupPath, BookingPath),
    responses(
        (status = 200, description = "The number is free", body = inline(response::OkText), content_type = "text/plain"),
        AdminErrors, InvalidParameter, BookingNotFound, StoreFull,
    ),
    security(("admin" = [])),
)]
pub(in crate::http) async fn release_number(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let group = path::admin_name(&request)?;
    let booking = path::group_item(&request)?;
    let actor = actor(&request)?;
    admin_service(&state)?
        .release_number(&group, &booking, &actor)
        .await?;
    Ok(response::ok())
}
