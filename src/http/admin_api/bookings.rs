//! `/genesys/1/admin/groups/{group}/bookings`: the bookings of a resource group.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::{Value, json};

use super::{actor, admin_service, format_cursor, page_size, parse_cursor};
use crate::{
    http::{ApiError, AppState, body, path, response},
    model::{ListedBooking, Page},
};

/// A booking.
#[derive(Debug, Serialize)]
pub(super) struct BookingResponse {
    booking: String,
    number: String,
    service: String,
    caller: Option<String>,
    has_code: bool,
    expires_at: String,
}

/// A page of bookings, and the usage of the group.
#[derive(Debug, Serialize)]
struct BookingPageResponse {
    group: String,
    size: u64,
    free: u64,
    bookings: Vec<BookingResponse>,
    next: Option<String>,
}

/// The JSON Schema of a booking.
pub(in crate::http) fn booking_schema() -> Value {
    json!({
        "description": "A booking of an access number for a service",
        "type": "object",
        "properties": {
            "booking": {"type": "string", "description": "The id of the booking"},
            "number": {"type": "string"},
            "service": {"type": "string", "description": "The id of the service"},
            "caller": {
                "type": ["string", "null"],
                "description": "The expected caller; null if any caller matches",
            },
            "has_code": {"type": "boolean", "description": "Whether the caller has to key in an access code"},
            "expires_at": {"type": "string", "format": "date-time"},
        },
        "required": ["booking", "number", "service", "caller", "has_code", "expires_at"],
    })
}

/// The JSON Schema of a page of bookings, from the schemas of a booking and of the cursor.
pub(in crate::http) fn page_schema(bookings: &Value, next: &Value) -> Value {
    let count =
        |description: &str| json!({"type": "integer", "minimum": 0, "description": description});
    json!({
        "description": "Bookings of a resource group, by expiration time",
        "type": "object",
        "properties": {
            "group": {"type": "string"},
            "size": count("Access numbers of the group"),
            "free": count("Free access numbers"),
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
            expires_at: listed.until.to_string(),
        }
    }
}

/// `GET /genesys/1/admin/groups/{group}/bookings`; `?number=` only those of one number
pub(in crate::http) async fn list_bookings(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (group, query) = (
        path::admin_name(&request)?,
        body::parse_query(&state, &request)?,
    );
    let (after, limit) = (parse_cursor(&query)?, page_size(&query)?);
    let (admin, number) = (admin_service(&state)?, query.text("number"));
    let Page { entries, next } = admin
        .list_bookings(&group, number, after.as_ref(), limit)
        .await?;
    let usage = admin.pool_usage(&group).await?;
    let page = BookingPageResponse {
        group,
        size: usage.size,
        free: usage.free,
        bookings: entries.into_iter().map(BookingResponse::from).collect(),
        next: next.as_ref().map(format_cursor),
    };
    response::json_from(&page)
}

/// `DELETE /genesys/1/admin/groups/{group}/bookings/{booking}`
pub(in crate::http) async fn release_number(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let group = path::admin_name(&request)?;
    let booking = path::admin_booking(&request)?;
    let actor = actor(&state, &request);
    admin_service(&state)?
        .release_number(&group, &booking, &actor)
        .await?;
    Ok(response::ok())
}
