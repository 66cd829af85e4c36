//! `/genesys/1/admin/match-explanation` and `/genesys/1/admin/failed-matches`: why calls match bookings or not.

use actix_web::{HttpRequest, HttpResponse, web};

use self::responses::{FailedMatchPageResponse, MatchExplanationResponse};
use super::{admin_service, audit_log::parse_cursor, page_size};
use crate::http::{
    ApiError, AppState, body,
    openapi::{
        errors::{AdminErrors, BodyErrors, InvalidParameter, QueryErrors},
        fields::{self, MatchFields},
        parameters::AuditLogQuery,
    },
    response,
};

mod responses;

/// `POST /genesys/1/admin/match-explanation`
#[utoipa::path(
    post,
    path = "/genesys/1/admin/match-explanation",
    operation_id = "explainMatch",
    tag = "matches",
    summary = "Explain a match",
    description = "Compares a call with the bookings of its number, as `match-interaction` does with the same \
                   parameters, and says which of them it would match, and why each of the others does not fit. Nothing is \
                   matched, released or counted. If so many calls to the number failed that `match-interaction` rejects \
                   all of them, it says so, and until when. Callers are masked; access codes and user data are not returned.",
    params(MatchFields),
    request_body(content = inline(MatchFields), content_type = fields::CONTENT_TYPES),
    responses(
        (status = 200, description = "The explanation", body = MatchExplanationResponse),
        AdminErrors, BodyErrors, InvalidParameter,
    ),
    security(("admin" = [])),
)]
pub(in crate::http) async fn explain_match(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let form = body::read_fields(&state, &request, payload).await?;
    let explanation = admin_service(&state)?.explain_match(&form).await?;
    response::json_from(&MatchExplanationResponse::new(&explanation))
}

/// `GET /genesys/1/admin/failed-matches`
#[utoipa::path(
    get,
    path = "/genesys/1/admin/failed-matches",
    operation_id = "listFailedMatches",
    tag = "matches",
    summary = "List failed matches",
    description = "The last 1,000 calls that matched no booking, newest first, within a second. Of each replica at most \
                   ten a second are listed, and of the calls to a number that the limit on failed matches rejects one \
                   a second. Callers are masked.",
    params(AuditLogQuery),
    responses(
        (status = 200, description = "A page of failed matches", body = FailedMatchPageResponse),
        AdminErrors, QueryErrors,
    ),
    security(("admin" = [])),
)]
pub(in crate::http) async fn list_failed_matches(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = body::parse_query(&state, &request)?;
    let (after, limit) = (parse_cursor(&query)?, page_size(&query)?);
    let admin = admin_service(&state)?;
    let page = admin.failed_matches(after, limit).await?;
    response::json_from(&FailedMatchPageResponse::new(page))
}
