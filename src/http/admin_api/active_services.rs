//! `/genesys/1/admin/active-services`: active services.

use actix_web::{HttpRequest, HttpResponse, web};

pub(in crate::http) use self::search::{ServiceSearchQuery, parse_search};

use self::responses::{ServiceDetailResponse, ServicePageResponse};
use super::{actor, admin_service};
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
    service::ActiveService,
};

mod responses;
mod search;

/// `GET /genesys/1/admin/active-services`
#[utoipa::path(
    get,
    path = "/genesys/1/admin/active-services",
    operation_id = "listActiveServices",
    tag = "active services",
    summary = "List active services by expiration",
    description = "A page may have fewer than `limit` entries, because services can end meanwhile. A request with \
                   `prefix`, `service` or `gms_user` reads at most 5,000 services in the order of the list; `next` \
                   continues the search, also after a page without entries. With `number`, the services are found by \
                   the bookings of the number, at most 5,000. Storage areas are listed like services.",
    params(ServiceSearchQuery, PageQuery),
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
    let search = parse_search(&query)?;
    let admin = admin_service(&state)?;
    let found = admin.search_services(&search).await?;
    let (count, now) = (admin.count_services().await?, state.services.now()?);
    let page = ServicePageResponse::new(found, &search, count, now);
    response::json_from(&page)
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
    let actor = actor(&request)?;
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
        .delete_service(&id, &actor(&request)?)
        .await?;
    Ok(response::ok())
}
