//! `GET /`: redirects to the console, or names the path of the OpenAPI document and the settings that enable the
//! console.

use actix_web::{HttpResponse, http::StatusCode, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    admin_ui,
    hints::ADMIN_DISABLED,
    openapi::{self, Document},
    response,
};

/// The name of the API, the path of its description, and how to enable the console
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RootResponse {
    #[schema(example = "Switchboard API")]
    title: &'static str,
    /// The path of the OpenAPI document
    #[schema(example = "/openapi.json")]
    openapi: &'static str,
    /// How to enable the console. Absent on listeners without the route group `admin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "the admin API is disabled: the setting admin.password enables it")]
    console: Option<&'static str>,
}

/// `GET /`: redirects to the console if the listener serves it. Other listeners return where the API is described,
/// and which settings enable the console.
#[utoipa::path(
    get,
    path = "/",
    operation_id = "getRoot",
    tag = "health",
    summary = "Console, or path of the description",
    description = "Listeners with the console redirect to it. The others return the path of the OpenAPI document, and the \
                   settings that enable the console if the listener would serve it.",
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
        console: document.lacks_console().then_some(ADMIN_DISABLED),
    })
}
