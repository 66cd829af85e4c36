//! What is counted, for whoever collects it.

use std::time::Duration;

use actix_web::{
    HttpResponse,
    http::{StatusCode, header::CONTENT_TYPE},
    rt::time::timeout,
    web,
};

use super::{Api, reply};
use crate::{
    model::readiness::{Finding, Reason},
    telemetry::metrics,
};

/// How long the store may take to say that it is there: metrics are wanted most when it is not.
const PATIENCE: Duration = Duration::from_secs(1);

/// `GET /metrics`
pub(super) async fn tell(api: web::Data<Api>) -> HttpResponse {
    let checked = timeout(PATIENCE, api.services.check_readiness(&api.readiness)).await;
    let readiness = checked.unwrap_or_else(|_elapsed| {
        let silent = Finding::new(Reason::StoreUnreachable, "no answer in time");
        api.readiness.assess(vec![silent])
    });
    reply::with_headers(StatusCode::OK)
        .insert_header((CONTENT_TYPE, metrics::CONTENT_TYPE))
        .body(metrics::text(&readiness))
}
