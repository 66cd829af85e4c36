//! Metrics.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header::CONTENT_TYPE},
    web,
};

use super::{AppState, accept, health, response};
use crate::telemetry::metrics::Format;

/// `GET /metrics`
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "getMetrics",
    tag = "health",
    summary = "Prometheus metrics of this replica",
    description = "Also available while the store is unavailable.",
    responses((
        status = 200,
        description = "Metrics in the Prometheus text format, or in OpenMetrics if the request accepts it",
        content((String = "text/plain"), (String = "application/openmetrics-text")),
    )),
)]
pub(super) async fn get_metrics(state: web::Data<AppState>, request: HttpRequest) -> HttpResponse {
    // The exporter encodes the last assessment.
    health::readiness_within_timeout(&state).await;
    let accepted = accept::preferred_type(request.headers(), &Format::MEDIA_TYPES);
    let format = Format::from_media_type(accepted);
    response::with_default_headers(StatusCode::OK)
        .insert_header((CONTENT_TYPE, format.content_type()))
        .body(state.exporter.encode(format))
}
