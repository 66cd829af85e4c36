//! The page of an active service: metadata, storage and booked numbers; set its expiration time, delete it, release
//! numbers.

use actix_web::{
    HttpRequest, ResponseError,
    web::{Data, Payload},
};
use askama::Template;

use super::{
    downloads,
    not_found::{SERVICES_PATH, kind_label, service_not_found_page, service_url},
    storage::{StoragePage, StoredValue},
};
use crate::{
    http::{
        ApiError, AppState, admin_api,
        admin_ui::{
            Layout, PageResult, flash_message, form::Form, format, ok_page, redirect_see_other,
            render, signed_in::SignedIn,
        },
        body, path,
    },
    model::{ServiceId, Timestamp},
    service::{ActiveService, Actor, FieldValue, FormData},
};

/// Messages after a redirect to this page.
const FLASH_MESSAGES: [(&str, &str); 2] = [
    ("expiration_set", "Expiry updated"),
    ("released", "Number released. The service stays active."),
];

#[derive(Template)]
#[template(path = "service_detail.html")]
struct ServiceDetail {
    layout: Layout,
    flash: &'static str,
    problem: String,
    now: Timestamp,
    id: ServiceId,
    service: ActiveService,
    storage: StoragePage,
    /// The submitted TTL, to correct it.
    ttl: String,
    /// Maximum TTL in seconds.
    max_ttl_seconds: u64,
}

impl ServiceDetail {
    /// # Errors
    /// [`ApiError::ServiceNotFound`], errors of the store.
    async fn load(
        state: &AppState,
        session: &SignedIn,
        id: ServiceId,
        query: &FormData,
    ) -> Result<Self, ApiError> {
        let service = admin_api::admin_service(state)?.get_service(&id).await?;
        let storage = StoragePage::load(state, &id, &service.description, query).await?;
        Ok(Self {
            layout: Layout::new(session, "active-services", page_title(&id)),
            flash: "",
            problem: String::new(),
            now: state.services.now()?,
            storage,
            ttl: String::new(),
            max_ttl_seconds: state.limits.max_ttl.as_secs(),
            id,
            service,
        })
    }

    fn url(&self) -> String {
        service_url(&self.id)
    }

    /// What the page shows, at the beginning of a sentence.
    fn kind(&self) -> &'static str {
        kind_label(&self.id)
    }

    fn download_url(&self, kind: &str, key: &str) -> String {
        downloads::download_url(&self.url(), kind, key)
    }

    fn time_remaining(&self) -> String {
        format::format_duration(self.service.description.end.since(self.now))
    }
}

fn page_title(id: &ServiceId) -> String {
    format!("{} {}", kind_label(id), id.client_id())
}

/// `GET /genesys/1/admin/ui/active-services/{id}`
pub(in crate::http::admin_ui) async fn show_service(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let id = ServiceId::from(path::page_name(&request)?);
    let query = body::parse_query(&state, &request)?;
    match ServiceDetail::load(&state, &session, id.clone(), &query).await {
        Err(error) => service_error_page(&session, &id, error),
        Ok(mut page) => {
            page.flash = flash_message(&query, &FLASH_MESSAGES);
            ok_page(&page)
        }
    }
}

/// `POST /genesys/1/admin/ui/active-services/{id}`: applies the action in the field `action`.
pub(in crate::http::admin_ui) async fn update_service(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    let form = Form::read(&state, &session, &request, payload).await?;
    let id = ServiceId::from(path::page_name(&request)?);
    let actor = session.actor(&state, &request);
    match apply_action(&state, &id, &form, &actor).await {
        Ok(url) => Ok(redirect_see_other(&url)),
        Err(error) => action_failed_page(&state, &session, id, &form, &error).await,
    }
}

/// Applies the action of a form. Returns the URL to redirect to.
async fn apply_action(
    state: &AppState,
    id: &ServiceId,
    form: &Form,
    actor: &Actor,
) -> Result<String, ApiError> {
    let admin = admin_api::admin_service(state)?;
    match form.text("action") {
        "set_expiration" => {
            let ttl = FieldValue::Text(form.text("ttl").trim().to_owned());
            let mut fields = FormData::default();
            fields.insert("ttl".to_owned(), ttl);
            admin.set_service_end(id, &fields, actor).await?;
            Ok(format!("{}?message=expiration_set", service_url(id)))
        }
        "release" => {
            let (group, booking) = (form.text("group"), form.text("booking"));
            admin.release_number(group, booking, actor).await?;
            Ok(format!("{}?message=released", service_url(id)))
        }
        "delete" => {
            admin.delete_service(id, actor).await?;
            let message = if id.is_storage_area() {
                "storage_area_deleted"
            } else {
                "deleted"
            };
            Ok(format!("{SERVICES_PATH}?message={message}"))
        }
        _ => Err(ApiError::InvalidParameter(
            "the field \"action\" is missing or unknown; no changes were made".to_owned(),
        )),
    }
}

/// The page with the error of an action.
async fn action_failed_page(
    state: &AppState,
    session: &SignedIn,
    id: ServiceId,
    form: &Form,
    error: &ApiError,
) -> PageResult {
    match ServiceDetail::load(state, session, id.clone(), &FormData::default()).await {
        Err(error) => service_error_page(session, &id, error),
        Ok(mut page) => {
            page.problem = error.to_string();
            form.text("ttl").clone_into(&mut page.ttl);
            render(error.status_code(), &page)
        }
    }
}

/// The page for a service that cannot be shown.
pub(super) fn service_error_page(
    session: &SignedIn,
    id: &ServiceId,
    error: ApiError,
) -> PageResult {
    if !matches!(error, ApiError::ServiceNotFound(_)) {
        return Err(error.into());
    }
    service_not_found_page(session, id)
}
