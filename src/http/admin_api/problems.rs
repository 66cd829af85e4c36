//! `/genesys/1/admin/problems`: the current problems of the installation.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::admin_service;
use crate::{
    http::{ApiError, AppState, openapi::errors::AdminErrors, response},
    service::{Problem, Severity},
};

/// The number of resource groups that the Overview shows, those with the highest usage first.
pub(in crate::http) const MAX_GROUPS: usize = 12;

/// The current problems, the most severe first
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProblemList)]
#[serde(deny_unknown_fields)]
struct ProblemsResponse {
    problems: Vec<ProblemResponse>,
}

/// A problem and what to do about it
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
#[serde(deny_unknown_fields)]
struct ProblemResponse {
    #[schema(inline)]
    severity: SeverityName,
    /// The problem
    message: String,
    /// What to do
    action: String,
    /// The section of the runbook, `docs/runbook.md`
    runbook: String,
    /// Host and address of the affected replicas; empty if the problem does not belong to replicas
    replicas: Vec<String>,
}

/// `critical` if requests fail or data may be lost
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum SeverityName {
    Critical,
    Warning,
}

impl From<Problem> for ProblemResponse {
    fn from(problem: Problem) -> Self {
        Self {
            severity: match problem.severity {
                Severity::Critical => SeverityName::Critical,
                Severity::Warning => SeverityName::Warning,
            },
            message: problem.message,
            action: problem.action,
            runbook: problem.runbook.to_owned(),
            replicas: problem.replicas,
        }
    }
}

/// `GET /genesys/1/admin/problems`
#[utoipa::path(
    get,
    path = "/genesys/1/admin/problems",
    operation_id = "listProblems",
    tag = "replicas",
    summary = "List the current problems",
    description = "What the Overview of the console shows: readiness, checks of Redis, backends, webhooks, clocks, the \
                   catalog, the cleanup, and resource groups without a free number: of the first 1,000 groups, the \
                   50 most severe problems, and the number of others. While \
                   the state in Redis cannot be read, the error is the first problem, and the others are those of \
                   the replica that responds.",
    responses(
        (status = 200, description = "The current problems", body = ProblemsResponse),
        AdminErrors,
    ),
    security(("admin" = [])),
)]
pub(in crate::http) async fn list_problems(
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let admin = admin_service(&state)?;
    let overview = admin.overview(MAX_GROUPS, Duration::ZERO).await;
    let problems = overview.problems.into_iter().map(ProblemResponse::from);
    let problems = problems.collect();
    response::json_from(&ProblemsResponse { problems })
}
