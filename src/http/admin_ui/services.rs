//! *Active services*, sorted by expiration time.

use actix_web::{HttpRequest, web::Data};
use askama::Template;

use self::not_found::{service_not_found_page, service_url};
use super::{
    Layout, PageResult, flash_message, format, ok_page, redirect_see_other, signed_in::SignedIn,
};
use crate::{
    http::{ApiError, AppState, admin_api, body},
    model::{ListedService, ServiceId, Timestamp},
    service::FormData,
};

pub(super) mod detail;
pub(super) mod downloads;
mod not_found;
mod storage;

/// Maximum number of results of a search.
const MAX_SEARCH_RESULTS: usize = 50;
/// Messages after a redirect to this page.
const FLASH_MESSAGES: [(&str, &str); 2] = [
    (
        "deleted",
        "Service deleted. Its resources are released within seconds.",
    ),
    (
        "storage_area_deleted",
        "Storage area deleted. Its binaries are deleted within seconds.",
    ),
];

#[derive(Template)]
#[template(path = "services.html")]
struct ServicesPage {
    layout: Layout,
    flash: &'static str,
    /// Approximate number of active services.
    count: u64,
    /// Each with its time remaining.
    services: Vec<(ListedService, String)>,
    /// Page size.
    limit: usize,
    /// Whether this is the first page.
    is_first: bool,
    next: Option<String>,
    /// A cURL command that creates a service, if a definition allows it.
    example: Option<String>,
    /// The prefix of the search, and whether the results are complete.
    search: Option<(String, bool)>,
}

impl ServicesPage {
    async fn load(
        state: &AppState,
        session: &SignedIn,
        request: &HttpRequest,
        query: &FormData,
    ) -> Result<Self, ApiError> {
        let (after, limit) = (
            admin_api::parse_cursor(query)?,
            admin_api::page_size(query)?,
        );
        let admin = admin_api::admin_service(state)?;
        let page = admin.list_services(after.as_ref(), limit).await?;
        let (entries, now) = (page.entries.into_iter(), state.services.now()?);
        Ok(Self {
            layout: Layout::new(session, "active-services", "Active services"),
            flash: flash_message(query, &FLASH_MESSAGES),
            count: admin.count_services().await?,
            services: entries
                .map(|entry| with_time_remaining(entry, now))
                .collect(),
            limit,
            is_first: after.is_none(),
            next: page.next.as_ref().map(admin_api::format_cursor),
            example: state
                .services
                .example_command(&request_origin(request), !state.api_keys.is_empty()),
            search: None,
        })
    }
}

/// `GET /genesys/1/admin/ui/active-services`; `?id=` searches by id, custom id or prefix of them.
pub(super) async fn list_services(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let query = body::parse_query(&state, &request)?;
    match query.text("id").map(str::trim).filter(|id| !id.is_empty()) {
        Some(id) => find_service(&state, &session, id).await,
        None => ok_page(&ServicesPage::load(&state, &session, &request, &query).await?),
    }
}

/// Scheme, host and port of the request.
fn request_origin(request: &HttpRequest) -> String {
    let connection = request.connection_info();
    format!("{}://{}", connection.scheme(), connection.host())
}

fn with_time_remaining(listed: ListedService, now: Timestamp) -> (ListedService, String) {
    let remaining = listed.end.since(now);
    (listed, format::format_duration(remaining))
}

/// Finds a service by its id, or services by a prefix of their ids, because the log contains only the first characters
/// of ids, or of their custom ids.
async fn find_service(state: &AppState, session: &SignedIn, text: &str) -> PageResult {
    let text = text.trim_end_matches(['.', '\u{2026}']);
    let id = ServiceId::from(text.to_owned());
    let error = match state.services.describe(&id).await {
        Ok(_) => return Ok(redirect_see_other(&service_url(&id))),
        Err(error) => ApiError::from(error),
    };
    if !matches!(error, ApiError::ServiceNotFound(_)) {
        return Err(error.into());
    }
    let found = admin_api::admin_service(state)?
        .find_services(text, MAX_SEARCH_RESULTS)
        .await?;
    match found.services.as_slice() {
        [] => return service_not_found_page(session, &id, found.complete),
        [one] if found.complete => return Ok(redirect_see_other(&service_url(&one.id))),
        _ => {}
    }
    let (entries, now) = (
        found.services.into_iter(),
        state.services.now().map_err(ApiError::from)?,
    );
    ok_page(&ServicesPage {
        layout: Layout::new(session, "active-services", "Active services"),
        flash: "",
        count: 0,
        services: entries
            .map(|entry| with_time_remaining(entry, now))
            .collect(),
        limit: MAX_SEARCH_RESULTS,
        is_first: true,
        next: None,
        example: None,
        search: Some((text.to_owned(), found.complete)),
    })
}
