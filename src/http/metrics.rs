//! What is counted, for whoever collects it.

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

/// How long the store may take to say that it is there: metrics are wanted most when it is not.
const READINESS_TIMEOUT: Duration = Duration::from_secs(1);

/// `GET /metrics`
pub(super) async fn get_metrics(api: web::Data<AppState>) -> HttpResponse {
    let checked = timeout(
        READINESS_TIMEOUT,
        api.services.check_readiness(&api.readiness),
    )
    .await;
    let readiness = checked.unwrap_or_else(|_elapsed| {
        let silent = Finding::new(Reason::StoreUnreachable, "no answer in time");
        api.readiness.assess(vec![silent])
    });
    response::with_default_headers(StatusCode::OK)
        .insert_header((CONTENT_TYPE, metrics::CONTENT_TYPE))
        .body(metrics::encode(&readiness))
}
