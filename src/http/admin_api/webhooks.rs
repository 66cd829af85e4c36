//! `/genesys/1/admin/webhooks`: webhooks, their dead letters, and requests about them.

use actix_web::{HttpRequest, HttpResponse, web};

use self::responses::{
    DeadLetterPageResponse, DeleteEventsResponse, ResendResponse, ResumeResponse, TestResponse,
    WebhookListResponse,
};
use super::{actor, admin_service, page_size, parse_cursor};
use crate::{
    http::{
        ApiError, AppState, body,
        openapi::{
            errors::{
                AdminErrors, BodyErrors, InvalidParameter, QueryErrors, StoreFull, WebhookNotFound,
            },
            fields::{self, ResendFields},
            parameters::PageQuery,
        },
        path, response,
    },
    model::{
        Timestamp,
        webhook::{EventId, Resend},
    },
    service::FormData,
};

mod responses;

/// The webhook in the path.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only described")]
pub(in crate::http) struct WebhookPath {
    /// The `endpoint` of the list, percent-encoded as one path segment, such as `services%2Fshop`.
    #[param(min_length = 1, example = "services/shop")]
    endpoint: String,
}

/// `GET /genesys/1/admin/webhooks`
#[utoipa::path(
    get,
    path = "/genesys/1/admin/webhooks",
    operation_id = "listWebhooks",
    tag = "webhooks",
    summary = "List webhooks and their state",
    description = "The webhooks of configured services and of resource groups, those of deleted entries of which \
                   services may be active, and others that are not in the catalog any more but have events.",
    responses(
        (status = 200, description = "All webhooks", body = WebhookListResponse),
        AdminErrors,
    ),
    security(("admin" = [])),
)]
pub(in crate::http) async fn list_webhooks(
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let webhooks = admin_service(&state)?.list_webhooks().await?;
    response::json_from(&WebhookListResponse::from(webhooks))
}

/// `GET /genesys/1/admin/webhooks/{endpoint}/dead-letters`
#[utoipa::path(
    get,
    path = "/genesys/1/admin/webhooks/{endpoint}/dead-letters",
    operation_id = "listDeadLetters",
    tag = "webhooks",
    summary = "List the dead letters of a webhook",
    description = "Events whose delivery has failed for about three days, or that exceeded `webhooks.max_pending`; the \
                   oldest first.",
    params(WebhookPath, PageQuery),
    responses(
        (status = 200, description = "A page of dead letters", body = DeadLetterPageResponse),
        AdminErrors, QueryErrors, WebhookNotFound,
    ),
    security(("admin" = [])),
)]
pub(in crate::http) async fn list_dead_letters(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let endpoint = path::admin_name(&request)?;
    let query = body::parse_query(&state, &request)?;
    let (after, limit) = (parse_cursor(&query)?, page_size(&query)?);
    let admin = admin_service(&state)?;
    let page = admin.dead_letters(&endpoint, after.as_ref(), limit).await?;
    response::json_from(&DeadLetterPageResponse::from(page))
}

/// `POST /genesys/1/admin/webhooks/{endpoint}/resend`
#[utoipa::path(
    post,
    path = "/genesys/1/admin/webhooks/{endpoint}/resend",
    operation_id = "resendDeadLetters",
    tag = "webhooks",
    summary = "Send dead letters again",
    description = "Either the one with the id `event`, or all that became dead letters at or after the time `since`.",
    params(WebhookPath, ResendFields),
    request_body(content = inline(ResendFields), content_type = fields::CONTENT_TYPES),
    responses(
        (status = 200, description = "The number of dead letters that are sent again", body = ResendResponse),
        AdminErrors, BodyErrors, InvalidParameter, WebhookNotFound, StoreFull,
    ),
    security(("admin" = [])),
)]
pub(in crate::http) async fn resend_dead_letters(
    state: web::Data<AppState>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let endpoint = path::admin_name(&request)?;
    let form = body::read_fields(&state, &request, payload).await?;
    let (which, actor) = (parse_resend(&form)?, actor(&request)?);
    let admin = admin_service(&state)?;
    let resent = admin.resend_dead_letters(&endpoint, which, &actor).await?;
    response::json_from(&ResendResponse { resent })
}

/// `DELETE /genesys/1/admin/webhooks/{endpoint}/events`
#[utoipa::path(
    delete,
    path = "/genesys/1/admin/webhooks/{endpoint}/events",
    operation_id = "deleteWebhookEvents",
    tag = "webhooks",
    summary = "Delete the events of a webhook",
    description = "Deletes the pending events and the dead letters, such as those of a webhook that is not in the catalog \
                   any more. They are not delivered.",
    params(WebhookPath),
    responses(
        (status = 200, description = "The number of deleted events", body = DeleteEventsResponse),
        AdminErrors, WebhookNotFound, StoreFull,
    ),
    security(("admin" = [])),
)]
pub(in crate::http) async fn delete_events(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let endpoint = path::admin_name(&request)?;
    let (admin, actor) = (admin_service(&state)?, actor(&request)?);
    let deleted = admin.delete_webhook_events(&endpoint, &actor).await?;
    response::json_from(&DeleteEventsResponse { deleted })
}

/// `POST /genesys/1/admin/webhooks/{endpoint}/resume`
#[utoipa::path(
    post,
    path = "/genesys/1/admin/webhooks/{endpoint}/resume",
    operation_id = "resumeWebhook",
    tag = "webhooks",
    summary = "Resume a stopped webhook",
    description = "A response with the status 410 stops a webhook. Its events remain pending until it is resumed.",
    params(WebhookPath),
    responses(
        (status = 200, description = "The webhook is not stopped", body = ResumeResponse),
        AdminErrors, InvalidParameter, WebhookNotFound, StoreFull,
    ),
    security(("admin" = [])),
)]
pub(in crate::http) async fn resume_webhook(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let endpoint = path::admin_name(&request)?;
    let (admin, actor) = (admin_service(&state)?, actor(&request)?);
    let was_stopped = admin.resume_webhook(&endpoint, &actor).await?;
    response::json_from(&ResumeResponse { was_stopped })
}

/// `POST /genesys/1/admin/webhooks/{endpoint}/test`
#[utoipa::path(
    post,
    path = "/genesys/1/admin/webhooks/{endpoint}/test",
    operation_id = "sendTestEvent",
    tag = "webhooks",
    summary = "Send a test event",
    description = "Adds an event of the type `webhook.test`, which is delivered like any other, within a second if the \
                   webhook is not stopped. The list of webhooks has the result.",
    params(WebhookPath),
    responses(
        (status = 200, description = "The event is pending", body = TestResponse),
        AdminErrors, InvalidParameter, WebhookNotFound, StoreFull,
    ),
    security(("admin" = [])),
)]
pub(in crate::http) async fn send_test_event(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let endpoint = path::admin_name(&request)?;
    let (admin, actor) = (admin_service(&state)?, actor(&request)?);
    let id = admin.send_test_event(&endpoint, &actor).await?;
    response::json_from(&TestResponse {
        event: id.to_string(),
    })
}

/// The fields `event` and `since`, of which one is required.
fn parse_resend(form: &FormData) -> Result<Resend, ApiError> {
    let invalid = |message: String| ApiError::InvalidParameter(message);
    match (form.text("event"), form.text("since")) {
        (Some(id), None) if !id.is_empty() => Ok(Resend::One(EventId::from(id.to_owned()))),
        (None, Some(time)) => Timestamp::parse(time)
            .map(Resend::Since)
            .ok_or_else(|| invalid(format!("since is {time:?}; expected a time in ISO 8601"))),
        _ => Err(invalid(
            "expected either event, the id of a dead letter, or since, a time in ISO 8601"
                .to_owned(),
        )),
    }
}
