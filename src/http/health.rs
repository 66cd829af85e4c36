//! Health probes.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, rt::time::timeout, web};
use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{ObjectBuilder, Type},
};

use super::{AppState, accept, response};
use crate::model::readiness::{Finding, READY, Reason, Status};

/// The time limit of the readiness check in responses that must be available while the store is not.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// The readiness; a store that does not respond within [`CHECK_TIMEOUT`] is unreachable.
pub(super) async fn readiness_within_timeout(state: &AppState) -> Status {
    let checked = timeout(
        CHECK_TIMEOUT,
        state.services.check_readiness(&state.readiness),
    )
    .await;
    checked.unwrap_or_else(|_elapsed| {
        let finding = Finding::new(Reason::StoreUnreachable, "no response in time");
        state.readiness.assess(vec![finding])
    })
}

/// `GET /livez`: 200 while the process runs, regardless of the store.
#[utoipa::path(
    get,
    path = "/livez",
    operation_id = "getLiveness",
    tag = "health",
    summary = "Liveness probe",
    description = "The state of the store does not matter.",
    responses((
        status = 200,
        description = "The process runs; the state of the store does not matter",
        body = inline(response::OkText),
        content_type = "text/plain",
    )),
)]
pub(super) async fn get_liveness() -> HttpResponse {
    response::ok()
}

/// `GET /readyz`: whether the replica can serve requests, and the reasons if it cannot or only with restrictions.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "getReadiness",
    tag = "health",
    summary = "Readiness probe",
    description = "Plain text, or JSON with `Accept: application/json`. The status is 200 while the replica serves \
                   requests, also with restrictions (degraded); the response then has the reason.",
    responses(
        (status = 200, description = "Ready", content(
            (String = "text/plain"), (ReadinessResponse = "application/json"),
        )),
        (status = 503, description = "Not ready", content(
            (String = "text/plain"), (ReadinessResponse = "application/json"),
        )),
    ),
)]
pub(super) async fn get_readiness(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> HttpResponse {
    let status = state.services.check_readiness(&state.readiness).await;
    let code = response_code(&status);
    let offered = ["text/plain", "application/json"];
    if accept::preferred_type(request.headers(), &offered) == "application/json" {
        return response::with_default_headers(code).json(ReadinessResponse::from(&status));
    }
    let text = match (status.is_ready(), status.main_reason()) {
        (true, None) => return response::ok(),
        (true, Some(_)) => format!("OK, degraded: {}", status.describe()),
        (false, _) => format!("not ready: {}", status.describe()),
    };
    response::text(code, text)
}

/// The status code of `/readyz`.
pub(super) fn response_code(status: &Status) -> StatusCode {
    if status.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

/// The readiness of a replica
#[derive(Serialize, ToSchema)]
#[schema(as = Readiness)]
#[serde(deny_unknown_fields)]
struct ReadinessResponse<'a> {
    #[schema(schema_with = status_schema)]
    status: &'static str,
    ready: bool,
    #[schema(schema_with = main_reason_schema)]
    reason: &'static str,
    message: &'a str,
    /// The time since which the main reason applies
    #[schema(format = DateTime)]
    since: String,
    reasons: Vec<ReadinessReason<'a>>,
}

/// A reason why a replica is not ready or degraded
#[derive(Serialize, ToSchema)]
#[schema(as = ReadinessFinding)]
#[serde(deny_unknown_fields)]
struct ReadinessReason<'a> {
    #[schema(schema_with = reason_schema)]
    reason: &'static str,
    /// Whether it makes the replica not ready
    blocking: bool,
    message: &'a str,
    #[schema(format = DateTime)]
    since: String,
}

fn status_schema() -> ObjectBuilder {
    let values = Some([READY, "degraded", "not_ready"]);
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(values)
        .description(Some("`degraded`: ready with restrictions"))
}

fn main_reason_schema() -> ObjectBuilder {
    reason_schema().description(Some("The most severe reason, or `ready`"))
}

fn reason_schema() -> ObjectBuilder {
    let reasons = Reason::ALL.iter().map(|reason| reason.name());
    let values = Some([READY].into_iter().chain(reasons));
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(values)
}

impl<'a> From<&'a Status> for ReadinessResponse<'a> {
    fn from(status: &'a Status) -> Self {
        let reasons = status
            .findings
            .iter()
            .map(|(finding, since)| ReadinessReason {
                reason: finding.reason.name(),
                blocking: finding.reason.is_blocking(),
                message: &finding.message,
                since: format!("{since:.3}"),
            });
        let main = status.findings.first();
        Self {
            status: match (status.is_ready(), main) {
                (true, None) => READY,
                (true, Some(_)) => "degraded",
                (false, _) => "not_ready",
            },
            ready: status.is_ready(),
            reason: status.main_reason().map_or(READY, Reason::name),
            message: main.map_or("requests are served", |(finding, _)| &finding.message),
            since: format!("{:.3}", status.since),
            reasons: reasons.collect(),
        }
    }
}
