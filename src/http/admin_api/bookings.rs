//! `/genesys/1/admin/groups/{group}/bookings`: who holds which number.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::{Value, json};

use super::{actor, admin_service, format_cursor, page_size, parse_cursor};
use crate::{
    http::{ApiError, AppState, body, path, response},
    store::{ListedBooking, Page},
};

/// A booking, as it is told.
#[derive(Debug, Serialize)]
pub(super) struct BookingResponse {
    booking: String,
    number: String,
    service: String,
    caller: Option<String>,
    has_code: bool,
    until: String,
}

/// A page of them, and the fill of the group.
#[derive(Debug, Serialize)]
struct BookingPageResponse {
    group: String,
    size: u64,
    free: u64,
    bookings: Vec<BookingResponse>,
    next: Option<String>,
}

/// The JSON Schema of a booking as it is told.
pub(in crate::http) fn booking_schema() -> Value {
    json!({
        "description": "A number that is held for a service",
        "type": "object",
        "properties": {
            "booking": {"type": "string", "description": "Its id"},
            "number": {"type": "string"},
            "service": {"type": "string", "description": "The id of the service"},
            "caller": {
                "type": ["string", "null"],
                "description": "Who is expected to call, where that is known",
            },
            "has_code": {"type": "boolean", "description": "Whether a code has to be keyed in"},
            "until": {"type": "string", "format": "date-time", "description": "When it runs out"},
        },
        "required": ["booking", "number", "service", "caller", "has_code", "until"],
    })
}

/// The JSON Schema of a page of such `bookings`; `next` tells where the next one begins.
pub(in crate::http) fn page_schema(bookings: &Value, next: &Value) -> Value {
    let numbers = |which: &str| json!({"type": "integer", "minimum": 0, "description": which});
    json!({
        "description": "Who holds which number of a group",
        "type": "object",
        "properties": {
            "group": {"type": "string"},
            "size": numbers("Numbers of the group"),
            "free": numbers("Those of them that are free"),
            "bookings": {"type": "array", "items": bookings},
            "next": next,
        },
        "required": ["group", "size", "free", "bookings", "next"],
        "additionalProperties": false,
    })
}

impl From<ListedBooking> for BookingResponse {
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
pub(in crate::http) async fn list_bookings(
    api: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (group, query) = (
        path::admin_name(&request)?,
        body::parse_query(&api, &request)?,
    );
    let (after, most) = (parse_cursor(&query)?, page_size(&query)?);
    let (admin, number) = (admin_service(&api)?, query.text("number"));
    let Page { entries, next } = admin
        .list_bookings(&group, number, after.as_ref(), most)
        .await?;
    let fill = admin.pool_usage(&group).await?;
    let page = BookingPageResponse {
        group,
        size: fill.size,
        free: fill.free,
        bookings: entries.into_iter().map(BookingResponse::from).collect(),
        next: next.as_ref().map(format_cursor),
    };
    response::json_from(&page)
}

/// `DELETE /genesys/1/admin/groups/{group}/bookings/{booking}`
pub(in crate::http) async fn release_number(
    api: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let group = path::admin_name(&request)?;
    let booking = path::admin_booking(&request)?;
    let by = actor(&api, &request);
    admin_service(&api)?
        .release_number(&group, &booking, &by)
        .await?;
    Ok(response::ok())
}
