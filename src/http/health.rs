//! Whether the process is up, and whether it should be sent requests.

use actix_web::{HttpResponse, http::StatusCode, web};

use super::{Api, reply};

/// `GET /livez`: the process is up, whatever the store does.
pub(super) async fn live() -> HttpResponse {
    reply::ok()
}

/// `GET /readyz`: requests are welcome.
pub(super) async fn ready(api: web::Data<Api>) -> HttpResponse {
    if is_ready(&api).await {
        return reply::ok();
    }
    let text = "not ready: the store does not answer, or the service is stopping";
    reply::text(StatusCode::SERVICE_UNAVAILABLE, text)
}

/// The store answers, it is known what operators made, and nobody has asked the process to stop.
pub(super) async fn is_ready(api: &Api) -> bool {
    let answers = !api.readiness.is_draining() && api.services.ping().await.is_ok();
    answers && api.services.is_whole()
}
