//! `GET /`: redirects to the console, or names the path of the OpenAPI document.

use actix_web::{HttpResponse, http::StatusCode, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    admin_ui,
    openapi::{self, Document},
    response,
};

/// The name of the API and the path of its description
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RootResponse {
    #[schema(example = "Switchboard API")]
    title: &'static str,
    /// The path of the OpenAPI document
    #[schema(example = "/openapi.json")]
    openapi: &'static str,
}

/// `GET /`: redirects to the console if the listener serves it. Other listeners return where the API is described.
#[utoipa::path(
    get,
    path = "/",
    operation_id = "getRoot",
    tag = "health",
    summary = "Console, or path of the description",
    description = "Listeners with the console redirect to it. The others return the path of the OpenAPI document.",
    responses(
        (status = 200, description = "The listener has no console", body = inline(RootResponse)),
        (status = 303, description = "The listener has the console",
            headers(("Location" = String, description = "The path of the console"))),
    ),
)]
pub(super) async fn get_root(document: Data<Document>) -> HttpResponse {
    if document.has_console() {
        return admin_ui::redirect_home().await;
    }
    response::with_default_headers(StatusCode::OK).json(RootResponse {
        title: openapi::TITLE,
        openapi: "/openapi.json",
    })
}
