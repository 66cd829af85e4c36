//! `/genesys/1/admin/groups/{group}/quarantine`: numbers that operators have excluded from bookings.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::{actor, admin_service, format_cursor, page_size, parse_cursor};
use crate::{
    http::{
        ApiError, AppState, body,
        openapi::{
            errors::{
                AdminErrors, GroupNotFound, InvalidParameter, NumberNotFound, QueryErrors,
                StoreFull,
            },
            parameters::{GroupPath, PageQuery},
        },
        path, response,
    },
    model::QuarantinedNumber,
};

/// An access number that is not booked
#[derive(Serialize, ToSchema)]
#[schema(as = QuarantinedNumber)]
#[serde(deny_unknown_fields)]
struct QuarantinedNumberResponse {
    number: String,
    /// When the quarantine began
    #[schema(format = DateTime)]
    since: String,
    /// The user name of the operator
    by: String,
}

/// Quarantined numbers of a resource group
#[derive(Serialize, ToSchema)]
#[schema(as = QuarantinedNumbers)]
#[serde(deny_unknown_fields)]
struct QuarantinePageResponse {
    group: String,
    numbers: Vec<QuarantinedNumberResponse>,
    /// Cursor of the next page, for `after`; null on the last page
    #[schema(required)]
    next: Option<String>,
}

/// A number in the path.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only described")]
pub(in crate::http) struct NumberPath {
    /// An access number of the group, in any notation
    #[param(min_length = 1, max_length = 64, example = "+1 800 555 0201")]
    number: String,
}

impl From<QuarantinedNumber> for QuarantinedNumberResponse {
    fn from(listed: QuarantinedNumber) -> Self {
        Self {
            number: listed.number,
            since: listed.quarantine.since.to_string(),
            by: listed.quarantine.by,
        }
    }
}

/// `GET /genesys/1/admin/groups/{group}/quarantine`
#[utoipa::path(
    get,
    path = "/genesys/1/admin/groups/{group}/quarantine",
    operation_id = "listQuarantinedNumbers",
    tag = "resource groups",
    summary = "List the quarantined numbers of a resource group",
    description = "In the order of their quarantine.",
    params(GroupPath, PageQuery),
    responses(
        (status = 200, description = "A page of numbers", body = QuarantinePageResponse),
        AdminErrors, QueryErrors, GroupNotFound,
    ),
    security(("admin" = [])),
)]
pub(in crate::http) async fn list_quarantined_numbers(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let group = path::admin_name(&request)?;
    let query = body::parse_query(&state, &request)?;
    let (after, limit) = (parse_cursor(&query)?, page_size(&query)?);
    let page = admin_service(&state)?
        .quarantined_numbers(&group, after.as_ref(), limit)
        .await?;
    let numbers = page.entries.into_iter();
    response::json_from(&QuarantinePageResponse {
        group,
        numbers: numbers.map(QuarantinedNumberResponse::from).collect(),
        next: page.next.as_ref().map(format_cursor),
    })
}

/// `PUT /genesys/1/admin/groups/{group}/quarantine/{number}`
#[utoipa::path(
    put,
    path = "/genesys/1/admin/groups/{group}/quarantine/{number}",
    operation_id = "quarantineNumber",
    tag = "resource groups",
    summary = "Quarantine a number",
    description = "From now on the number is not booked. Its bookings remain and can be matched; their release does not \
                   make it free. The quarantine survives restarts and changes of the group, until the number is removed \
                   from it. If the number is quarantined already, nothing changes.",
    params(GroupPath, NumberPath),
    responses(
        (status = 200, description = "The number is quarantined", body = inline(response::OkText), content_type = "text/plain"),
        AdminErrors, InvalidParameter, GroupNotFound, NumberNotFound, StoreFull,
    ),
    security(("admin" = [])),
)]
pub(in crate::http) async fn quarantine_number(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (group, number) = (path::admin_name(&request)?, path::group_item(&request)?);
    let actor = actor(&request)?;
    let admin = admin_service(&state)?;
    admin.quarantine_number(&group, &number, &actor).await?;
    Ok(response::ok())
}

/// `DELETE /genesys/1/admin/groups/{group}/quarantine/{number}`
#[utoipa::path(
    delete,
    path = "/genesys/1/admin/groups/{group}/quarantine/{number}",
    operation_id = "endQuarantine",
    tag = "resource groups",
    summary = "End the quarantine of a number",
    description = "The number can be booked again; in an exclusive group, after the release of its booking.",
    params(GroupPath, NumberPath),
    responses(
        (status = 200, description = "The quarantine has ended", body = inline(response::OkText), content_type = "text/plain"),
        AdminErrors, InvalidParameter, GroupNotFound, NumberNotFound, StoreFull,
    ),
    security(("admin" = [])),
)]
pub(in crate::http) async fn end_quarantine(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (group, number) = (path::admin_name(&request)?, path::group_item(&request)?);
    let actor = actor(&request)?;
    let admin = admin_service(&state)?;
    admin.end_quarantine(&group, &number, &actor).await?;
    Ok(response::ok())
}
