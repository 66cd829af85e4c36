//! *Services*: those that live, by their ends.

use actix_web::{HttpRequest, web::Data};
use askama::Template;

use super::{
    Layout, PageResult, flash_message, format, ok_page, page_url, redirect_see_other,
    session_middleware::SignedIn,
};
use crate::{
    http::{ApiError, AppState, admin_api, body},
    service::FormData,
    store::{ListedService, ServiceId, Timestamp},
};

pub(super) mod detail;
pub(super) mod downloads;
mod storage;

/// Where the list is; one service is below it.
const SERVICES_PATH: &str = "/genesys/1/admin/ui/active-services";
/// Services that a search shows.
const MAX_SEARCH_RESULTS: usize = 50;
/// What may have been done on the way here.
const FLASH_MESSAGES: [(&str, &str); 1] = [(
    "deleted",
    "The service is deleted. What it held is given back within seconds.",
)];

#[derive(Template)]
#[template(path = "services.html")]
struct ServicesPage {
    layout: Layout,
    flash: &'static str,
    /// How many live in all, about.
    count: u64,
    /// With the time that is left to each.
    services: Vec<(ListedService, String)>,
    /// Entries on a page.
    limit: usize,
    /// Whether there is none before.
    is_first: bool,
    next: Option<String>,
    /// A command that creates a service, if there is one.
    example: Option<String>,
    /// The beginning of an id that was searched for, and whether these are all.
    search: Option<(String, bool)>,
}

impl ServicesPage {
    async fn load(
        api: &AppState,
        visitor: &SignedIn,
        request: &HttpRequest,
        query: &FormData,
    ) -> Result<Self, ApiError> {
        let (after, limit) = (
            admin_api::parse_cursor(query)?,
            admin_api::page_size(query)?,
        );
        let office = admin_api::admin_service(api)?;
        let page = office.list_services(after.as_ref(), limit).await?;
        let (entries, now) = (page.entries.into_iter(), api.services.now()?);
        Ok(Self {
            layout: Layout::new(visitor, "live", "Services"),
            flash: flash_message(query, &FLASH_MESSAGES),
            count: office.count_services().await?,
            services: entries.map(|entry| with_time_left(entry, now)).collect(),
            limit,
            is_first: after.is_none(),
            next: page.next.as_ref().map(admin_api::format_cursor),
            example: api
                .services
                .example_command(&request_origin(request), !api.api_keys.is_empty()),
            search: None,
        })
    }
}

/// `GET /genesys/1/admin/ui/active-services`; with `?id=` the way to one.
pub(super) async fn list_services(
    api: Data<AppState>,
    visitor: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let query = body::parse_query(&api, &request)?;
    match query.text("id").map(str::trim).filter(|id| !id.is_empty()) {
        Some(id) => find_service(&api, &visitor, id).await,
        None => ok_page(&ServicesPage::load(&api, &visitor, &request, &query).await?),
    }
}

/// Scheme, host and port that the reader uses.
fn request_origin(request: &HttpRequest) -> String {
    let connection = request.connection_info();
    format!("{}://{}", connection.scheme(), connection.host())
}

fn with_time_left(listed: ListedService, now: Timestamp) -> (ListedService, String) {
    let left = listed.end.since(now);
    (listed, format::format_duration(left))
}

/// The page of one service.
fn service_url(id: &ServiceId) -> String {
    page_url(&["live", id.as_str()])
}

/// The service of that id or, as the log has only the first characters of one, those whose ids begin so.
async fn find_service(api: &AppState, visitor: &SignedIn, text: &str) -> PageResult {
    let text = text.trim_end_matches(['.', '\u{2026}']);
    let id = ServiceId::from(text.to_owned());
    let error = match api.services.describe(&id).await {
        Ok(_) => return Ok(redirect_see_other(&service_url(&id))),
        Err(error) => ApiError::from(error),
    };
    if !matches!(error, ApiError::ServiceNotFound(_)) {
        return Err(error.into());
    }
    let found = admin_api::admin_service(api)?
        .find_services(text, MAX_SEARCH_RESULTS)
        .await?;
    match found.services.as_slice() {
        [] => return detail::service_not_found_page(visitor, &id, found.complete),
        [one] if found.complete => return Ok(redirect_see_other(&service_url(&one.id))),
        _ => {}
    }
    let (entries, now) = (
        found.services.into_iter(),
        api.services.now().map_err(ApiError::from)?,
    );
    ok_page(&ServicesPage {
        layout: Layout::new(visitor, "live", "Services"),
        flash: "",
        count: 0,
        services: entries.map(|entry| with_time_left(entry, now)).collect(),
        limit: MAX_SEARCH_RESULTS,
        is_first: true,
        next: None,
        example: None,
        search: Some((text.to_owned(), found.complete)),
    })
}
