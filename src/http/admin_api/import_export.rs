//! `/genesys/1/admin/catalog`: export and import of the catalog as TOML.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE},
    },
    web,
};

use super::{
    actor, admin_service, catalog_responses::ImportResponses, import_report::ImportResponse,
    precondition, with_etag,
};
use crate::{
    http::{
        ApiError, AppState, body,
        openapi::{
            errors::{
                AdminErrors, CatalogErrors, InvalidBody, InvalidDefinition, TooLarge,
                UnsupportedMediaType,
            },
            fields::BinaryContent,
            parameters::{CreateOnlyHeader, IfMatchHeader},
        },
        response,
    },
    service::ImportMode,
};

const TEXT_PLAIN: &str = "text/plain;charset=utf-8";

const IMPORT_DESCRIPTION: &str = "\
    All changes are made, or none. The body may include unchanged entries of the catalog file. `dry_run=true` \
    validates the import without making it. The response lists the changes, and its `ETag` is the version that the \
    import was compared with, for the `If-Match` of the import. A dry run needs no `If-Match`.";
const BODY_DESCRIPTION: &str = "\
    A catalog file in TOML: `[services.<name>]` and `[resources.<group>]` tables of options, as \
    `application/octet-stream` or `application/toml`";
const EXAMPLE: &str = "\
[services.call-support]
_type = \"builtin\"
_service = \"request-interaction\"
_resource_group = \"support\"

[resources.support]
_allocation_strategy = \"CLUSTER\"
numbers = [\"8005550101\", \"8005550102\"]
";

/// The query parameters of an import.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only described")]
pub(in crate::http) struct DryRunQuery {
    /// Report the changes without making them
    #[param(required = false, default = false)]
    dry_run: bool,
}

/// `GET /genesys/1/admin/catalog`
#[utoipa::path(
    get,
    path = "/genesys/1/admin/catalog",
    operation_id = "exportCatalog",
    tag = "catalog",
    summary = "Export the catalog",
    description = "A catalog file in TOML, including the entries of the catalog file, as `text/plain` for `Accept: \
                   text/plain`. Secrets are replaced by `********`, which keeps the current secret in an import.",
    responses(
        (
            status = 200,
            description = "The catalog",
            content(
                (String = "application/toml", example = json!(EXAMPLE)),
                (String = "text/plain", example = json!(EXAMPLE)),
            ),
            headers(
                ("ETag" = String, description = "Version, for `If-Match`"),
                ("Content-Disposition" = String, description = "`attachment`, with a file name"),
            ),
            links(("replace" = (
                operation_id = "replaceCatalog", parameters(("header.If-Match" = "$response.header.ETag")),
            ))),
        ),
        AdminErrors,
    ),
    security(("admin" = [])),
)]
pub(in crate::http) async fn export_catalog(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (version, text) = admin_service(&state)?.export_catalog().await?;
    let mut response = with_etag(StatusCode::OK, &version);
    let disposition = "attachment; filename=\"catalog.toml\"";
    let accept = request.headers().get(ACCEPT);
    let is_text = accept.is_some_and(|accept| accept == "text/plain");
    let content_type = if is_text { TEXT_PLAIN } else { body::TOML };
    response.insert_header((CONTENT_TYPE, content_type));
    response::body_within_budget(
        response.insert_header((CONTENT_DISPOSITION, disposition)),
        text,
    )
}

/// The query parameter `dry_run`.
fn is_dry_run(state: &AppState, request: &HttpRequest) -> Result<bool, ApiError> {
    let query = body::parse_query(state, request)?;
    match query.text("dry_run") {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(ApiError::InvalidParameter(format!(
            "dry_run is {other:?}, expected true or false"
        ))),
    }
}

/// `PUT /genesys/1/admin/catalog`
#[utoipa::path(
    put,
    path = "/genesys/1/admin/catalog",
    operation_id = "replaceCatalog",
    tag = "catalog",
    summary = "Replace the catalog",
    description = format!(
        "Afterwards the catalog has the entries of the body and of the catalog file; all other stored entries are \
         deleted. {IMPORT_DESCRIPTION}"
    ),
    params(IfMatchHeader, CreateOnlyHeader, DryRunQuery),
    request_body(
        description = BODY_DESCRIPTION,
        content(
            (inline(BinaryContent) = "application/octet-stream", example = json!(EXAMPLE)),
            (inline(BinaryContent) = "application/toml", example = json!(EXAMPLE)),
        ),
    ),
    responses(
        ImportResponses, AdminErrors, CatalogErrors, InvalidDefinition, InvalidBody, TooLarge, UnsupportedMediaType,
    ),
    security(("admin" = [])),
)]
pub(in crate::http) async fn replace_catalog(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    import_catalog(&state, &request, payload, ImportMode::Replace).await
}

/// `POST /genesys/1/admin/catalog`
#[utoipa::path(
    post,
    path = "/genesys/1/admin/catalog",
    operation_id = "mergeCatalog",
    tag = "catalog",
    summary = "Merge into the catalog",
    description = format!(
        "Creates or replaces the entries of the body; all other entries stay. {IMPORT_DESCRIPTION}"
    ),
    params(IfMatchHeader, CreateOnlyHeader, DryRunQuery),
    request_body(
        description = BODY_DESCRIPTION,
        content(
            (inline(BinaryContent) = "application/octet-stream", example = json!(EXAMPLE)),
            (inline(BinaryContent) = "application/toml", example = json!(EXAMPLE)),
        ),
    ),
    responses(
        ImportResponses, AdminErrors, CatalogErrors, InvalidDefinition, InvalidBody, TooLarge, UnsupportedMediaType,
    ),
    security(("admin" = [])),
)]
pub(in crate::http) async fn merge_catalog(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    import_catalog(&state, &request, payload, ImportMode::Merge).await
}

async fn import_catalog(
    state: &AppState,
    request: &HttpRequest,
    payload: web::Payload,
    mode: ImportMode,
) -> Result<HttpResponse, ApiError> {
    let condition = precondition(request)?;
    let text = body::read_text(state, request, payload, body::TOML).await?;
    if is_dry_run(state, request)? {
        let preview = admin_service(state)?
            .preview_import(&text, mode, &condition)
            .await?;
        let mut response = with_etag(StatusCode::OK, &preview.version);
        return response::json_with(&mut response, &ImportResponse::with_changes(preview));
    }
    let actor = actor(request)?;
    let report = admin_service(state)?
        .import_catalog(&text, mode, &condition, &actor)
        .await?;
    Ok(with_etag(StatusCode::OK, &report.version.clone()).json(ImportResponse::from(report)))
}
