//! `/genesys/1/admin/active-services`: active services.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::{Value, json};

use super::{actor, admin_service, bookings, format_cursor, page_size, parse_cursor};
use crate::{
    http::{
        ApiError, AppState, body,
        client_api::services::{self, BinaryResponse, binary_responses},
        path, response,
    },
    model::{Description, ListedBooking, ListedService, Page, ServiceId, Timestamp},
    service::{ActiveService, FormData},
};

/// The maximum length of the parameter `prefix`.
pub(in crate::http) const MAX_PREFIX_CHARACTERS: usize = 64;

/// A page of active services.
#[derive(Debug, Serialize)]
struct ServicePageResponse {
    approximate_count: u64,
    services: Vec<ServiceSummaryResponse>,
    next: Option<String>,
    /// Only for a search: whether it found all matching services.
    #[serde(skip_serializing_if = "Option::is_none")]
    complete: Option<bool>,
}

/// A service in a list.
#[derive(Debug, Serialize)]
struct ServiceSummaryResponse {
    id: String,
    service: String,
    created_at: String,
    expires_at: String,
    ttl: u64,
    gms_user: Option<String>,
}

/// A service with its keys, binaries and bookings.
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
        "description": "An active service",
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "service": {
                "type": "string",
                "description": "Name of its configured service",
            },
            "created_at": {"type": "string", "format": "date-time"},
            "expires_at": {"type": "string", "format": "date-time"},
            "ttl": {"type": "integer", "minimum": 0, "description": "Seconds until the service expires"},
            "gms_user": {
                "type": ["string", "null"],
                "description": "The header `gms_user` of the create request",
            },
        },
        "required": ["id", "service", "created_at", "expires_at", "ttl", "gms_user"],
    })
}

/// The JSON Schema of a page of services, from the schemas of a service and of the cursor.
pub(in crate::http) fn service_page_schema(services: &Value, next: &Value) -> Value {
    json!({
        "description": "Active services, sorted by expiration time",
        "type": "object",
        "properties": {
            "approximate_count": {
                "type": "integer", "minimum": 0,
                "description": "Approximate total number of active services",
            },
            "services": {"type": "array", "items": services},
            "next": next,
            "complete": {
                "type": "boolean",
                "description": "Only with `prefix`: whether the page contains all services with this prefix",
            },
        },
        "required": ["approximate_count", "services", "next"],
        "additionalProperties": false,
    })
}

/// The JSON Schema of a service with its keys, binaries and bookings, from the schemas of a service and of a booking.
pub(in crate::http) fn service_detail_schema(service: &Value, booking: &Value) -> Value {
    let with_group = json!({"properties": {"group": {"type": "string"}}, "required": ["group"]});
    json!({
        "description": "An active service, without the values of its storage",
        "allOf": [service],
        "properties": {
            "keys": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Keys with a string value",
            },
            "binaries": {
                "type": "array",
                "items": services::binary_schema(),
                "description": "Keys with a binary value",
            },
            "bookings": {
                "type": "array",
                "items": {"allOf": [booking, with_group]},
                "description": "Booked access numbers",
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
            created_at: listed.created.to_string(),
            expires_at: listed.end.to_string(),
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
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = body::parse_query(&state, &request)?;
    let (after, limit) = (parse_cursor(&query)?, page_size(&query)?);
    let admin = admin_service(&state)?;
    let (entries, next, complete) = if let Some(prefix) = prefix(&query)? {
        let found = admin.find_services(prefix, limit).await?;
        (found.services, None, Some(found.complete))
    } else {
        let Page { entries, next } = admin.list_services(after.as_ref(), limit).await?;
        (entries, next, None)
    };
    let (entries, now) = (entries.into_iter(), state.services.now()?);
    let page = ServicePageResponse {
        approximate_count: admin.count_services().await?,
        services: entries
            .map(|entry| ServiceSummaryResponse::new(entry, now))
            .collect(),
        next: next.as_ref().map(format_cursor),
        complete,
    };
    response::json_from(&page)
}

/// The query parameter `prefix` without a trailing ellipsis, which ids in the log have.
fn prefix(query: &FormData) -> Result<Option<&str>, ApiError> {
    let Some(text) = query.text("prefix") else {
        return Ok(None);
    };
    let prefix = text.trim_end_matches(['.', '\u{2026}']);
    if (1..=MAX_PREFIX_CHARACTERS).contains(&prefix.chars().count()) {
        return Ok(Some(prefix));
    }
    let message = format!(
        "prefix has {} characters, expected 1 to {MAX_PREFIX_CHARACTERS}",
        prefix.chars().count()
    );
    Err(ApiError::InvalidParameter(message))
}

/// `GET /genesys/1/admin/active-services/{id}`
pub(in crate::http) async fn get_service(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = ServiceId::from(path::admin_name(&request)?);
    let ActiveService {
        description,
        bookings,
    } = admin_service(&state)?.get_service(&id).await?;
    let service = ServiceDetailResponse::new(&id, &description, bookings, state.services.now()?);
    response::json_from(&service)
}

/// `PUT /genesys/1/admin/active-services/{id}`: `ttl` or `expiration_time`, as in the client API.
pub(in crate::http) async fn set_service_end(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let id = ServiceId::from(path::admin_name(&request)?);
    let mut uploads = state.services.uploads(&id);
    let fields = body::read_form_data(&state, &request, payload, &mut uploads).await?;
    let actor = actor(&state, &request);
    admin_service(&state)?
        .set_service_end(&id, &fields, &actor)
        .await?;
    Ok(response::ok())
}

/// `DELETE /genesys/1/admin/active-services/{id}`
pub(in crate::http) async fn delete_service(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = ServiceId::from(path::admin_name(&request)?);
    admin_service(&state)?
        .delete_service(&id, &actor(&state, &request))
        .await?;
    Ok(response::ok())
}
