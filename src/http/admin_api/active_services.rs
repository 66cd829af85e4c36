//! `/genesys/1/admin/active-services`: active services.

use actix_web::{HttpRequest, HttpResponse, web};

use self::responses::{ServiceDetailResponse, ServicePageResponse};
use super::{actor, admin_service, page_size, parse_cursor};
use crate::{
    http::{
        ApiError, AppState, body,
        openapi::{
            errors::{
                AdminErrors, BodyErrors, InvalidParameter, QueryErrors, ServiceNotFound, StoreFull,
            },
            fields::{self, ExpirationFields},
            parameters::{ActiveServicePath, PageQuery},
        },
        path, response,
    },
    model::ServiceId,
    service::{ActiveService, FormData},
};

mod responses;

/// The maximum length of the parameter `prefix`.
const MAX_PREFIX_CHARACTERS: usize = 64;

/// The filter of a list of services.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only described")]
pub(in crate::http) struct PrefixQuery {
    /// Only services whose ids begin with this prefix, as in the log, and storage areas whose custom ids do
    #[param(
        required = false,
        example = "0f9d7c1e",
        pattern = "[^.\u{2026}]$",
        max_length = 64
    )]
    prefix: String,
}

/// `GET /genesys/1/admin/active-services`
#[utoipa::path(
    get,
    path = "/genesys/1/admin/active-services",
    operation_id = "listActiveServices",
    tag = "active services",
    summary = "List active services by expiration",
    description = "A page may have fewer than `limit` entries, because services can end meanwhile. With `prefix` \
                   the result is one page of the services whose ids, or custom ids, begin with it, \
                   case-insensitively; the 20,000 services that expire first are searched. Storage areas are listed \
                   like services.",
    params(PrefixQuery, PageQuery),
    responses(
        (status = 200, description = "A page of services", body = ServicePageResponse),
        AdminErrors, QueryErrors,
    ),
    security(("admin" = [])),
)]
pub(in crate::http) async fn list_services(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = body::parse_query(&state, &request)?;
    let (after, limit) = (parse_cursor(&query)?, page_size(&query)?);
    let (admin, now) = (admin_service(&state)?, state.services.now()?);
    let count = admin.count_services().await?;
    let page = if let Some(prefix) = prefix(&query)? {
        let found = admin.find_services(prefix, limit).await?;
        ServicePageResponse::from_search(found, count, now)
    } else {
        let page = admin.list_services(after.as_ref(), limit).await?;
        ServicePageResponse::from_page(page, count, now)
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
#[utoipa::path(
    get,
    path = "/genesys/1/admin/active-services/{id}",
    operation_id = "getActiveService",
    tag = "active services",
    summary = "Describe an active service",
    description = "With its bookings, and without the values of its storage.",
    params(ActiveServicePath),
    responses(
        (status = 200, description = "The service, without the values of its storage", body = ServiceDetailResponse),
        AdminErrors, InvalidParameter, ServiceNotFound,
    ),
    security(("admin" = [])),
)]
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
#[utoipa::path(
    put,
    path = "/genesys/1/admin/active-services/{id}",
    operation_id = "setActiveServiceExpiration",
    tag = "active services",
    summary = "Set the expiration of an active service",
    description = "Like the client API: requires `ttl` or `expiration_time`; `ttl` takes precedence.",
    params(ActiveServicePath, ExpirationFields),
    request_body(content = inline(ExpirationFields), content_type = fields::CONTENT_TYPES),
    responses(
        (status = 200, description = "The expiration time is set", body = inline(response::OkText), content_type = "text/plain"),
        AdminErrors, BodyErrors, InvalidParameter, ServiceNotFound, StoreFull,
    ),
    security(("admin" = [])),
)]
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
#[utoipa::path(
    delete,
    path = "/genesys/1/admin/active-services/{id}",
    operation_id = "deleteActiveService",
    tag = "active services",
    summary = "Delete an active service",
    description = "Like the client API: the resources of the service are released.",
    params(ActiveServicePath),
    responses(
        (status = 200, description = "The service is deleted", body = inline(response::OkText), content_type = "text/plain"),
        AdminErrors, InvalidParameter, ServiceNotFound, StoreFull,
    ),
    security(("admin" = [])),
)]
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
