//! What is counted, for whoever collects it.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header::CONTENT_TYPE},
    web,
};

use super::{Api, health, reply};
use crate::telemetry::metrics;

/// `GET /metrics`
pub(super) async fn tell(api: web::Data<Api>) -> HttpResponse {
    let readiness = health::readiness_in_time(&api).await;
    reply::with_headers(StatusCode::OK)
        .insert_header((CONTENT_TYPE, metrics::CONTENT_TYPE))
        .body(metrics::text(&readiness, api.services.memory()))
}
