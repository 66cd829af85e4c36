//! `/genesys/1/admin/live`: services that live.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde_json::{Value, json};

use super::{admin, bookings, operator, page_size, place, told};
use crate::{
    http::{Api, ApiError, body, path, reply, services},
    service::{LiveService, Pairs},
    store::{ListedService, Moment, Page, ServiceId},
};

/// The maximum length of the parameter `prefix`.
pub(in crate::http) const MAX_PREFIX_CHARACTERS: usize = 64;

/// A page of services, as it is told.
#[derive(Debug, Serialize)]
struct ToldPage {
    /// How many live in all, about.
    count: u64,
    services: Vec<ToldService>,
    next: Option<String>,
    /// Of a search: whether the services are all that were searched for.
    #[serde(skip_serializing_if = "Option::is_none")]
    complete: Option<bool>,
}

/// A service in a list, as it is told.
#[derive(Debug, Serialize)]
struct ToldService {
    id: String,
    service: String,
    created: String,
    end: String,
    ttl: u64,
    gms_user: Option<String>,
}

/// One service, as it is told.
#[derive(Debug, Serialize)]
struct ToldWhole {
    #[serde(flatten)]
    service: ToldService,
    keys: Vec<String>,
    binaries: Vec<ToldBinary>,
    bookings: Vec<ToldBooking>,
}

#[derive(Debug, Serialize)]
struct ToldBinary {
    name: String,
    content_type: String,
    file_name: Option<String>,
    size: u64,
}

#[derive(Debug, Serialize)]
struct ToldBooking {
    group: String,
    #[serde(flatten)]
    booking: bookings::Told,
}

/// The JSON Schema of a service in a list.
pub(in crate::http) fn told_schema() -> Value {
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
pub(in crate::http) fn page_schema(services: &Value, next: &Value) -> Value {
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
pub(in crate::http) fn whole_schema(service: &Value, booking: &Value) -> Value {
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

impl ToldService {
    fn of(listed: ListedService, now: Moment) -> Self {
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

impl ToldWhole {
    fn of(id: &ServiceId, live: LiveService, now: Moment) -> Self {
        let LiveService { told, bookings } = live;
        let listed = ListedService {
            id: id.clone(),
            definition: told.definition,
            created: told.created,
            end: told.end,
            gms_user: told.gms_user,
        };
        let binaries = told.binaries.into_iter().map(|(name, binary)| ToldBinary {
            name,
            content_type: binary.content_type,
            file_name: binary.file_name,
            size: binary.size,
        });
        let bookings = bookings.into_iter().map(|(group, booking)| ToldBooking {
            group,
            booking: booking.into(),
        });
        Self {
            service: ToldService::of(listed, now),
            keys: told.keys,
            binaries: binaries.collect(),
            bookings: bookings.collect(),
        }
    }
}

/// `GET /genesys/1/admin/live`
pub(in crate::http) async fn list(
    api: web::Data<Api>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = body::query(&api, &request)?;
    let (after, most) = (place(&query)?, page_size(&query)?);
    let admin = admin(&api)?;
    let (entries, next, complete) = if let Some(prefix) = prefix(&query)? {
        let found = admin.find_live(prefix, most).await?;
        (found.services, None, Some(found.complete))
    } else {
        let Page { entries, next } = admin.list_live(after.as_ref(), most).await?;
        (entries, next, None)
    };
    let (entries, now) = (entries.into_iter(), api.services.now()?);
    let page = ToldPage {
        count: admin.count_live().await?,
        services: entries.map(|entry| ToldService::of(entry, now)).collect(),
        next: next.as_ref().map(told),
        complete,
    };
    reply::json_of(&page)
}

/// The parameter `prefix`: how ids begin. The log has the first characters and an ellipsis.
fn prefix(query: &Pairs) -> Result<Option<&str>, ApiError> {
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

/// `GET /genesys/1/admin/live/{id}`
pub(in crate::http) async fn look_up(
    api: web::Data<Api>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = ServiceId::from(path::admin_name(&request)?);
    let live = admin(&api)?.look_up(&id).await?;
    let told = ToldWhole::of(&id, live, api.services.now()?);
    reply::json_of(&told)
}

/// `PUT /genesys/1/admin/live/{id}`: `ttl` or `expiration_time`, as clients send it.
pub(in crate::http) async fn extend(
    api: web::Data<Api>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let id = ServiceId::from(path::admin_name(&request)?);
    let mut uploads = api.services.uploads(&id);
    let pairs = body::read(&api, &request, payload, &mut uploads).await?;
    let by = operator(&api, &request);
    admin(&api)?.extend(&id, &pairs, &by).await?;
    Ok(reply::ok())
}

/// `DELETE /genesys/1/admin/live/{id}`
pub(in crate::http) async fn end(
    api: web::Data<Api>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let id = ServiceId::from(path::admin_name(&request)?);
    admin(&api)?.end(&id, &operator(&api, &request)).await?;
    Ok(reply::ok())
}
