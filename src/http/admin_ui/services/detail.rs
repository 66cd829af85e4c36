//! One of the *Services*: what it is and holds; its end is moved, it is deleted, its numbers are given back.

use actix_web::{
    HttpRequest, ResponseError,
    http::StatusCode,
    web::{Data, Payload},
};
use askama::Template;

use super::{
    SERVICES_PATH, downloads, service_url,
    storage::{StoragePage, StoredValue},
};
use crate::{
    http::{
        ApiError, AppState, admin_api,
        admin_ui::{
            Layout, PageResult, flash_message, form::Form, format, ok_page, redirect_see_other,
            render, session_middleware::SignedIn,
        },
        body, path,
    },
    service::{ActiveService, Actor, FieldValue, FormData},
    store::{ServiceId, Timestamp},
};

/// What may have been done on the way here.
const FLASH_MESSAGES: [(&str, &str); 2] = [
    (
        "extended",
        "The end is moved; the service and all that it holds live until then.",
    ),
    (
        "released",
        "The number is given back. The service lives on without it.",
    ),
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
    /// What was last sent for the end.
    ttl: String,
    /// Seconds that a service lives at most.
    max_ttl_seconds: u64,
}

#[derive(Template)]
#[template(path = "service_not_found.html")]
struct ServiceNotFoundPage<'a> {
    layout: Layout,
    id: &'a ServiceId,
    /// Whether all services were searched for one whose id begins so.
    complete: bool,
}

impl ServiceDetail {
    /// # Errors
    /// [`ApiError::ServiceNotFound`]; what the store says.
    async fn load(
        api: &AppState,
        visitor: &SignedIn,
        id: ServiceId,
        query: &FormData,
    ) -> Result<Self, ApiError> {
        let live = admin_api::admin_service(api)?.get_service(&id).await?;
        let data = StoragePage::load(api, &id, &live.description, query).await?;
        Ok(Self {
            layout: Layout::new(visitor, "live", format!("Service {id}")),
            flash: "",
            problem: String::new(),
            now: api.services.now()?,
            storage: data,
            ttl: String::new(),
            max_ttl_seconds: api.limits.max_ttl.as_secs(),
            id,
            service: live,
        })
    }

    fn url(&self) -> String {
        service_url(&self.id)
    }

    fn download_url(&self, kind: &str, key: &str) -> String {
        downloads::download_url(&self.url(), kind, key)
    }

    fn time_left(&self) -> String {
        format::format_duration(self.service.description.end.since(self.now))
    }
}

/// `GET /genesys/1/admin/ui/active-services/{id}`
pub(in crate::http::admin_ui) async fn show_service(
    api: Data<AppState>,
    visitor: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let id = ServiceId::from(path::page_name(&request)?);
    let query = body::parse_query(&api, &request)?;
    match ServiceDetail::load(&api, &visitor, id.clone(), &query).await {
        Err(error) => service_error_page(&visitor, &id, error),
        Ok(mut page) => {
            page.flash = flash_message(&query, &FLASH_MESSAGES);
            ok_page(&page)
        }
    }
}

/// `POST /genesys/1/admin/ui/active-services/{id}`: what the field `act` says.
pub(in crate::http::admin_ui) async fn update_service(
    api: Data<AppState>,
    visitor: SignedIn,
    request: HttpRequest,
    payload: Payload,
) -> PageResult {
    let form = Form::read(&api, &visitor, &request, payload).await?;
    let id = ServiceId::from(path::page_name(&request)?);
    let by = visitor.actor(&api, &request);
    match apply_action(&api, &id, &form, &by).await {
        Ok(place) => Ok(redirect_see_other(&place)),
        Err(error) => action_failed_page(&api, &visitor, id, &form, &error).await,
    }
}

/// Does what a form asks for; gives where that is told.
async fn apply_action(
    api: &AppState,
    id: &ServiceId,
    form: &Form,
    by: &Actor,
) -> Result<String, ApiError> {
    let admin = admin_api::admin_service(api)?;
    match form.text("act") {
        "extend" => {
            let ttl = FieldValue::Text(form.text("ttl").trim().to_owned());
            let mut pairs = FormData::default();
            pairs.insert("ttl".to_owned(), ttl);
            admin.set_service_end(id, &pairs, by).await?;
            Ok(format!("{}?done=extended", service_url(id)))
        }
        "release" => {
            let (group, booking) = (form.text("group"), form.text("booking"));
            admin.release_number(group, booking, by).await?;
            Ok(format!("{}?done=released", service_url(id)))
        }
        "delete" => {
            admin.delete_service(id, by).await?;
            Ok(format!("{SERVICES_PATH}?done=deleted"))
        }
        _ => Err(ApiError::InvalidParameter(
            "the form does not say what is to be done; nothing was changed".to_owned(),
        )),
    }
}

/// The page once more, with what was wrong.
async fn action_failed_page(
    api: &AppState,
    visitor: &SignedIn,
    id: ServiceId,
    form: &Form,
    error: &ApiError,
) -> PageResult {
    match ServiceDetail::load(api, visitor, id.clone(), &FormData::default()).await {
        Err(error) => service_error_page(visitor, &id, error),
        Ok(mut page) => {
            page.problem = error.to_string();
            form.text("ttl").clone_into(&mut page.ttl);
            render(error.status_code(), &page)
        }
    }
}

/// What is shown where a service could not be: that there is none, or else what was wrong.
pub(super) fn service_error_page(
    visitor: &SignedIn,
    id: &ServiceId,
    error: ApiError,
) -> PageResult {
    if !matches!(error, ApiError::ServiceNotFound(_)) {
        return Err(error.into());
    }
    service_not_found_page(visitor, id, true)
}

/// What is shown where no service lives by an id, nor by one that begins so, as far as was searched.
pub(super) fn service_not_found_page(
    visitor: &SignedIn,
    id: &ServiceId,
    complete: bool,
) -> PageResult {
    let frame = Layout::new(visitor, "live", "No such service");
    let page = ServiceNotFoundPage {
        layout: frame,
        id,
        complete,
    };
    render(StatusCode::NOT_FOUND, &page)
}
