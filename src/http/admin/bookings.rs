//! `/genesys/1/admin/groups/{group}/bookings`: who holds which number.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::{Value, json};

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

/// The JSON Schema of a booking as it is told.
pub(in crate::http) fn told_schema() -> Value {
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
    reply::json_of(&page)
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
