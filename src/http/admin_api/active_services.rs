//! `/genesys/1/admin/active-services`: services that live.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::{Value, json};

use super::{actor, admin_service, bookings, format_cursor, page_size, parse_cursor};
use crate::{
    http::{
        ApiError, AppState, body, path, response,
        services::{self, BinaryResponse, binary_responses},
    },
    service::{ActiveService, FormData},
    store::{Description, ListedBooking, ListedService, Page, ServiceId, Timestamp},
};

/// The maximum length of the parameter `prefix`.
pub(in crate::http) const MAX_PREFIX_CHARACTERS: usize = 64;

/// A page of services, as it is told.
#[derive(Debug, Serialize)]
struct ServicePageResponse {
    /// How many live in all, about.
    count: u64,
    services: Vec<ServiceSummaryResponse>,
    next: Option<String>,
    /// Of a search: whether the services are all that were searched for.
    #[serde(skip_serializing_if = "Option::is_none")]
    complete: Option<bool>,
}

/// A service in a list, as it is told.
#[derive(Debug, Serialize)]
struct ServiceSummaryResponse {
    id: String,
    service: String,
    created: String,
    end: String,
    ttl: u64,
    gms_user: Option<String>,
}

/// One service, as it is told.
#[derive(Debug, Serialize)]
struct ServiceDetailResponse<'a> {
    #[serde(flatten)]
    service: ServiceSummaryResponse,
    keys: &'a [String],
    binaries: Vec<BinaryResponse<'a>>,
    bookings: Vec<ServiceBookingResponse>,
}

#[derive(Debug, Serialize)]
struct ServiceBookingResponse {
    group: String,
    #[serde(flatten)]
    booking: bookings::BookingResponse,
}

/// The JSON Schema of a service in a list.
pub(in crate::http) fn service_schema() -> Value {
    json!({
        "description": "A service that lives",
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "service": {
                "type": "string",
                "description": "Name of the configured service that it was made from",
            },
            "created": {"type": "string", "format": "date-time"},
            "end": {"type": "string", "format": "date-time"},
            "ttl": {"type": "integer", "minimum": 0, "description": "Seconds until then"},
            "gms_user": {
                "type": ["string", "null"],
                "description": "The header of that name of the request that made it",
            },
        },
        "required": ["id", "service", "created", "end", "ttl", "gms_user"],
    })
}

/// The JSON Schema of a page of such `services`; `next` tells where the next one begins.
pub(in crate::http) fn service_page_schema(services: &Value, next: &Value) -> Value {
    json!({
        "description": "Services that live, in the order of their ends",
        "type": "object",
        "properties": {
            "count": {
                "type": "integer", "minimum": 0,
                "description": "How many live in all, about",
            },
            "services": {"type": "array", "items": services},
            "next": next,
            "complete": {
                "type": "boolean",
                "description": "Only with `prefix`: whether these are all services whose ids begin with it",
            },
        },
        "required": ["count", "services", "next"],
        "additionalProperties": false,
    })
}

/// The JSON Schema of such a `service` with what it holds, its `bookings` among it.
pub(in crate::http) fn service_detail_schema(service: &Value, booking: &Value) -> Value {
    let of_group = json!({"properties": {"group": {"type": "string"}}, "required": ["group"]});
    json!({
        "description": "A service that lives, without the values of its storage",
        "allOf": [service],
        "properties": {
            "keys": {
                "type": "array",
                "items": {"type": "string"},
                "description": "The keys that hold strings",
            },
            "binaries": {
                "type": "array",
                "items": services::binary_schema(),
                "description": "The keys that hold binaries",
            },
            "bookings": {
                "type": "array",
                "items": {"allOf": [booking, of_group]},
                "description": "The numbers that are held for it",
            },
        },
        "required": ["keys", "binaries", "bookings"],
    })
}

impl ServiceSummaryResponse {
    fn new(listed: ListedService, now: Timestamp) -> Self {
        Self {
            id: listed.id.as_str().to_owned(),
            service: listed.definition,
            created: listed.created.to_string(),
            end: listed.end.to_string(),
            ttl: listed.end.since(now).as_secs(),
            gms_user: listed.gms_user,
        }
    }
}

impl<'a> ServiceDetailResponse<'a> {
    fn new(
        id: &ServiceId,
        description: &'a Description,
        bookings: Vec<(String, ListedBooking)>,
        now: Timestamp,
    ) -> Self {
        let listed = ListedService {
            id: id.clone(),
            definition: description.definition.clone(),
            created: description.created,
            end: description.end,
            gms_user: description.gms_user.clone(),
        };
        let bookings = bookings
            .into_iter()
            .map(|(group, booking)| ServiceBookingResponse {
                group,
                booking: booking.into(),
            });
        Self {
            service: ServiceSummaryResponse::new(listed, now),
            keys: &description.keys,
            binaries: binary_responses(description),
            bookings: bookings.collect(),
        }
    }
}

/// `GET /genesys/1/admin/active-services`
pub(in crate::http) async fn list_services(
    api: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = body::parse_query(&api, &request)?;
    let (after, most) = (parse_cursor(&query)?, page_size(&query)?);
    let admin = admin_service(&api)?;
    let (entries, next, complete) = if let Some(prefix) = prefix(&query)? {
        let found = admin.find_services(prefix, most).await?;
        (found.services, None, Some(found.complete))
    } else {
        let Page { entries, next } = admin.list_services(after.as_ref(), most).await?;
        (entries, next, None)
    };
    let (entries, now) = (entries.into_iter(), api.services.now()?);
    let page = ServicePageResponse {
        count: admin.count_services().await?,
        services: entries
            .map(|entry| ServiceSummaryResponse::new(entry, now))
            .collect(),
        next: next.as_ref().map(format_cursor),
        complete,
    };
    response::json_from(&page)
}

/// The parameter `prefix`: how ids begin. The log has the first characters and an ellipsis.
fn prefix(query: &FormData) -> Result<Option<&str>, ApiError> {
    let Some(text) = query.text("prefix") else {
        return Ok(None);
    };
    let prefix = text.trim_end_matches(['.', '\u{2026}']);
    if (1..=MAX_PREFIX_CHARACTERS).contains(&prefix.chars().count()) {
        return Ok(Some(prefix));
    }
    let message = format!(
        "prefix has {} characters; 1 to {MAX_PREFIX_CHARACTERS} are allowed",
        prefix.chars().count()
    );
    Err(ApiError::InvalidParameter(message))
}

/// `GET /genesys/1/admin/active-services/{id}`
pub(in crate::http) async fn get_service(
    api: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = ServiceId::from(path::admin_name(&request)?);
    let ActiveService {
        description,
        bookings,
    } = admin_service(&api)?.get_service(&id).await?;
    let service = ServiceDetailResponse::new(&id, &description, bookings, api.services.now()?);
    response::json_from(&service)
}

/// `PUT /genesys/1/admin/active-services/{id}`: `ttl` or `expiration_time`, as clients send it.
pub(in crate::http) async fn set_service_end(
    api: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let id = ServiceId::from(path::admin_name(&request)?);
    let mut uploads = api.services.uploads(&id);
    let pairs = body::read_form_data(&api, &request, payload, &mut uploads).await?;
    let by = actor(&api, &request);
    admin_service(&api)?
        .set_service_end(&id, &pairs, &by)
        .await?;
    Ok(response::ok())
}

/// `DELETE /genesys/1/admin/active-services/{id}`
pub(in crate::http) async fn delete_service(
    api: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = ServiceId::from(path::admin_name(&request)?);
    admin_service(&api)?
        .delete_service(&id, &actor(&api, &request))
        .await?;
    Ok(response::ok())
}
