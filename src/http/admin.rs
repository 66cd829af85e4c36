//! What load balancers of the original ask.

use actix_web::{HttpResponse, http::StatusCode, web};

use super::{Api, health, reply};

/// `GET /genesys/1/admin/node/status`
pub(super) async fn node_status(api: web::Data<Api>) -> HttpResponse {
    if health::is_ready(&api).await {
        reply::text(StatusCode::OK, "ONLINE")
    } else {
        reply::text(StatusCode::SERVICE_UNAVAILABLE, "OFFLINE")
    }
}
