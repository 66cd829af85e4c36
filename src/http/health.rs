//! Whether the process is up, and whether it should be sent requests.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, rt::time::timeout, web};
use serde::Serialize;

use super::{AppState, accept, response};
use crate::model::readiness::{Finding, READY, Reason, Status};

/// How long the store may take to answer where readiness is only a part of a response.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// The readiness, within a second: it is wanted most when the store does not answer.
pub(super) async fn readiness_in_time(api: &AppState) -> Status {
    let checked = timeout(CHECK_TIMEOUT, api.services.check_readiness(&api.readiness)).await;
    checked.unwrap_or_else(|_elapsed| {
        let silent = Finding::new(Reason::StoreUnreachable, "no answer in time");
        api.readiness.assess(vec![silent])
    })
}

/// `GET /livez`: the process is up, whatever the store does.
pub(super) async fn get_liveness() -> HttpResponse {
    response::ok()
}

/// `GET /readyz`: whether requests are welcome, and what restricts them or keeps them out.
pub(super) async fn get_readiness(api: web::Data<AppState>, request: HttpRequest) -> HttpResponse {
    let status = api.services.check_readiness(&api.readiness).await;
    let code = code_of(&status);
    let kinds = ["text/plain", "application/json"];
    if accept::preferred_type(request.headers(), &kinds) == "application/json" {
        return response::with_default_headers(code).json(ReadinessResponse::from(&status));
    }
    let text = match (status.is_ready(), status.main_reason()) {
        (true, None) => return response::ok(),
        (true, Some(_)) => format!("OK, restricted: {}", status.describe()),
        (false, _) => format!("not ready: {}", status.describe()),
    };
    response::text(code, text)
}

/// The status code of `/readyz`.
pub(super) fn code_of(status: &Status) -> StatusCode {
    if status.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

/// The readiness as JSON.
#[derive(Serialize)]
struct ReadinessResponse<'a> {
    /// `ready`, `degraded` (ready with restrictions) or `not_ready`.
    status: &'static str,
    ready: bool,
    /// The most severe reason, or `ready`.
    reason: &'static str,
    message: &'a str,
    /// Since when the main reason applies.
    since: String,
    reasons: Vec<ReadinessReason<'a>>,
}

#[derive(Serialize)]
struct ReadinessReason<'a> {
    reason: &'static str,
    /// Whether it keeps requests out.
    blocking: bool,
    message: &'a str,
    since: String,
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
