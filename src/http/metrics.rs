//! Metrics.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header::CONTENT_TYPE},
    web,
};

use super::{AppState, health, response};
use crate::telemetry::metrics;

/// `GET /metrics`
pub(super) async fn get_metrics(state: web::Data<AppState>) -> HttpResponse {
    let readiness = health::readiness_within_timeout(&state).await;
    response::with_default_headers(StatusCode::OK)
        .insert_header((CONTENT_TYPE, metrics::CONTENT_TYPE))
        .body(metrics::encode(&readiness, state.services.memory()))
}
