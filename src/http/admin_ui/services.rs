//! *Active services*, sorted by expiration time.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use askama::Template;

use self::not_found::{SERVICES_PATH, service_not_found_page, service_url};
use super::{
    Layout, PageResult, flash_message, format,
    list_query::{ListQuery, ListSpec, Pager, format_total},
    ok_page, redirect_see_other,
    signed_in::SignedIn,
};
use crate::{
    http::{
        ApiError, AppState,
        admin_api::{self, active_services::parse_search},
        body,
    },
    model::{ListedService, STORAGE_AREA, ServiceId, Timestamp},
    service::{Admin, FormData, MAX_SEARCHED, ServiceSearch, ServiceSearchResult},
};

pub(super) mod bulk;
pub(super) mod detail;
pub(super) mod downloads;
pub(super) mod not_found;
mod storage;

static SPEC: ListSpec = ListSpec {
    path: SERVICES_PATH,
    filters: &["id", "service", "gms_user", "number", "expires_before"],
    columns: &["expires_at"],
    is_descending: false,
};
/// The text of the filter `service` for storage areas.
const STORAGE_AREA_LABEL: &str = "Storage area";
/// Characters of a time in a field of a form: without fractions of a second and the zone.
const FIELD_TIME_CHARS: usize = 19;

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
    list: ListQuery,
    pager: Pager,
    /// Approximate number of active services.
    count: u64,
    /// Each with its time remaining.
    services: Vec<(ListedService, String)>,
    /// The choices of the filter by configured service.
    definitions: Vec<String>,
    /// The filter by expiration time, for its field.
    expires_before: String,
    /// The number of services that the search read.
    searched: usize,
    /// Whether the number has more bookings than were read.
    has_unread_bookings: bool,
    /// A cURL command that creates a service, if a definition allows it.
    example: Option<String>,
}

impl ServicesPage {
    /// The page of the services that a search found.
    async fn load(
        state: &AppState,
        session: &SignedIn,
        request: &HttpRequest,
        list: ListQuery,
        search: &ServiceSearch,
        found: ServiceSearchResult,
    ) -> Result<Self, ApiError> {
        let admin = admin_api::admin_service(state)?;
        let (count, now) = (admin.count_services().await?, state.services.now()?);
        let page = found.page;
        let next = page.next.as_ref().map(admin_api::format_cursor);
        let total = (!list.is_filtered()).then(|| format!("about {}", format::format_count(count)));
        let (services, total) = (page.services.into_iter(), total.as_deref());
        Ok(Self {
            layout: Layout::new(session, "active-services", "Active services"),
            flash: flash_message(&body::parse_query(state, request)?, &FLASH_MESSAGES),
            pager: list.cursor_pager(services.len(), next.as_deref(), total, !search.is_list()),
            count,
            services: services
                .map(|entry| with_time_remaining(entry, now))
                .collect(),
            definitions: definitions(admin),
            expires_before: expires_before(&list, search),
            searched: page.searched,
            has_unread_bookings: found.has_unread_bookings,
            example: example_command(state, request),
            list,
        })
    }

    /// Whether there is no active service.
    fn is_empty(&self) -> bool {
        self.services.is_empty()
            && !self.list.is_filtered()
            && self.pager.first.is_none()
            && self.pager.next.is_none()
    }

    fn count_text(&self) -> String {
        format::format_count(self.count)
    }

    fn searched_text(&self) -> String {
        format_total(self.searched)
    }

    fn max_bookings_text() -> String {
        format_total(MAX_SEARCHED)
    }

    fn is_soonest_first(&self) -> bool {
        !self.list.order().1
    }
}

/// `GET /genesys/1/admin/ui/active-services`; `?id=` searches by id, custom id or prefix of them.
pub(super) async fn list_services(
    state: Data<AppState>,
    session: SignedIn,
    request: HttpRequest,
) -> PageResult {
    let query = body::parse_query(&state, &request)?;
    let list = ListQuery::parse(&SPEC, &query)?;
    let id = list.only_filter("id").map(trim_ellipsis).map(str::to_owned);
    let id = id.map(ServiceId::from);
    if let Some(redirect) = redirect_to_service(&state, id.as_ref()).await? {
        return Ok(redirect);
    }
    let (admin, search) = (admin_api::admin_service(&state)?, search(&list, &query)?);
    let found = admin.search_services(&search).await?;
    let id = id.filter(|_| search.range.after.is_none() && found.is_complete());
    match (id, found.page.services.as_slice()) {
        (Some(id), []) => service_not_found_page(&session, &id),
        (Some(_), [one]) => Ok(redirect_see_other(&service_url(&one.id))),
        _ => ok_page(&ServicesPage::load(&state, &session, &request, list, &search, found).await?),
    }
}

/// The redirect to the page of a service, if it exists.
async fn redirect_to_service(
    state: &AppState,
    id: Option<&ServiceId>,
) -> Result<Option<HttpResponse>, ApiError> {
    let Some(id) = id else {
        return Ok(None);
    };
    match state.services.describe(id).await.map_err(ApiError::from) {
        Ok(_) => Ok(Some(redirect_see_other(&service_url(id)))),
        Err(ApiError::ServiceNotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The search of the filters of the page. They are those of the admin API, except for the beginning of an id, which can be
/// longer.
fn search(list: &ListQuery, query: &FormData) -> Result<ServiceSearch, ApiError> {
    let mut search = parse_search(&list.without_empty_filters(query))?;
    let id = trim_ellipsis(list.filter("id"));
    search.filter.id_prefix = Some(id.to_owned()).filter(|id| !id.is_empty());
    if search.filter.definition.as_deref() == Some(STORAGE_AREA_LABEL) {
        search.filter.definition = Some(STORAGE_AREA.to_owned());
    }
    Ok(search)
}

/// The log contains only the first characters of ids, and an ellipsis.
fn trim_ellipsis(id: &str) -> &str {
    id.trim_end_matches(['.', '\u{2026}'])
}

/// The filter by expiration time in the format of its field.
fn expires_before(list: &ListQuery, search: &ServiceSearch) -> String {
    let typed = list.filter("expires_before");
    let time = search.range.expires_before.map(|time| time.to_string());
    let time = time.filter(|_| typed.len() > FIELD_TIME_CHARS);
    let time = time
        .as_deref()
        .and_then(|time| time.get(..FIELD_TIME_CHARS));
    time.unwrap_or(typed).to_owned()
}

fn definitions(admin: &Admin) -> Vec<String> {
    let mut names = admin.service_names();
    names.push(STORAGE_AREA_LABEL.to_owned());
    names
}

/// A command that creates a service, with scheme, host and port of the request.
fn example_command(state: &AppState, request: &HttpRequest) -> Option<String> {
    let connection = request.connection_info();
    let origin = format!("{}://{}", connection.scheme(), connection.host());
    let requires_api_key = !state.api_keys.is_empty();
    state.services.example_command(&origin, requires_api_key)
}

fn with_time_remaining(listed: ListedService, now: Timestamp) -> (ListedService, String) {
    let remaining = listed.end.since(now);
    (listed, format::format_duration(remaining))
}
