//! Metrics.

use std::time::Duration;

use actix_web::{
    HttpResponse,
    http::{StatusCode, header::CONTENT_TYPE},
    rt::time::timeout,
    web,
};

use super::{AppState, response};
use crate::{
    model::readiness::{Finding, Reason},
    telemetry::metrics,
};

/// The time limit of the readiness check: metrics must be available while the store is not.
const READINESS_TIMEOUT: Duration = Duration::from_secs(1);

/// `GET /metrics`
pub(super) async fn get_metrics(state: web::Data<AppState>) -> HttpResponse {
    let readiness = timeout(
        READINESS_TIMEOUT,
        state.services.check_readiness(&state.readiness),
    )
    .await;
    let readiness = readiness.unwrap_or_else(|_elapsed| {
        let finding = Finding::new(Reason::StoreUnreachable, "no response in time");
        state.readiness.assess(vec![finding])
    });
    response::with_default_headers(StatusCode::OK)
        .insert_header((CONTENT_TYPE, metrics::CONTENT_TYPE))
        .body(metrics::encode(&readiness))
}
