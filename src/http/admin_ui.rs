//! The pages of the administration: what the admin API can do, for people.
//!
//! They are rendered here, from templates that are compiled in, and work without script but for what is
//! live. [`routes`] is the whole list; one file for each page. Everything but the sign-in and the assets
//! stands behind [`gate::pass`]. A form shows the token of its visit ([`form::Form`]), so that no page of
//! another site can send it. Whatever is shown was written by strangers: templates escape it, and the
//! `Content-Security-Policy` lets nothing run that is not an asset of ours.

use std::{fmt, sync::LazyLock};

use actix_web::{
    HttpResponse, ResponseError,
    body::BoxBody,
    dev::ResourceDef,
    http::{
        Method, StatusCode,
        header::{ALLOW, CONTENT_RANGE, CONTENT_TYPE, LOCATION, RETRY_AFTER},
    },
    web::{get, post},
};
use askama::Template;
use percent_encoding::utf8_percent_encode;

use super::{ApiError, Endpoint, health, path, response, route};
use crate::{
    model::readiness::Status,
    service::{FormData, StoreOutage},
    settings::VERSION,
};

mod api;
mod assets;
mod audit_log;
mod catalog_entries;
mod catalog_entry_form;
mod form;
mod form_values;
mod format;
mod groups;
mod import_export;
mod openapi_view;
mod overview;
mod restore;
mod services;
pub(super) mod session_middleware;
mod sign_in;
mod try_it;

pub(super) use self::overview::OverviewCache;

use self::session_middleware::SignedIn;

/// Where the pages are; no cookie of ours goes anywhere else.
const HOME: &str = "/genesys/1/admin/ui";

/// The menu: section, the path behind [`HOME`], and name.
const MENU: &[(&str, &str, &str)] = &[
    ("overview", "", "Overview"),
    ("services", "/services", "Configured services"),
    ("groups", "/groups", "Resource groups"),
    ("live", "/active-services", "Services"),
    ("try", "/try", "Try it"),
    ("api", "/api", "API"),
    ("history", "/audit-log", "History"),
];

/// What anybody may see.
pub(super) fn public_routes() -> [Endpoint; 5] {
    [
        route("/genesys/1/admin").get(redirect_home),
        route("/genesys/1/admin/").get(redirect_home),
        route("/genesys/1/admin/ui/").get(redirect_home),
        route("/genesys/1/admin/ui/sign-in")
            .get(sign_in::show_sign_in)
            .method(Method::POST, post().to(sign_in::sign_in)),
        route("/genesys/1/admin/ui/assets/{name}").get(assets::get_asset),
    ]
}

/// What a page of those who are signed in asks by itself.
pub(super) fn stream_routes() -> [Endpoint; 1] {
    [route("/genesys/1/admin/ui/overview/events")
        .method(Method::GET, get().to(overview::stream_overview))]
}

/// What is for those who are signed in.
pub(super) fn routes() -> [Endpoint; 22] {
    [
        route("/genesys/1/admin/ui").get(overview::show_overview),
        entry_list_endpoint("/genesys/1/admin/ui/services"),
        entry_endpoint("/genesys/1/admin/ui/services/{name}"),
        delete_entry_endpoint("/genesys/1/admin/ui/services/{name}/delete"),
        new_entry_endpoint("/genesys/1/admin/ui/new/services"),
        entry_list_endpoint("/genesys/1/admin/ui/groups"),
        entry_endpoint("/genesys/1/admin/ui/groups/{name}"),
        delete_entry_endpoint("/genesys/1/admin/ui/groups/{name}/delete"),
        new_entry_endpoint("/genesys/1/admin/ui/new/groups"),
        route("/genesys/1/admin/ui/groups/{name}/release")
            .method(Method::POST, post().to(groups::release_number)),
        route("/genesys/1/admin/ui/catalog")
            .get(import_export::show_import_export)
            .method(Method::POST, post().to(import_export::import_catalog)),
        route("/genesys/1/admin/ui/catalog/export").get(import_export::export_catalog),
        route("/genesys/1/admin/ui/catalog/restore")
            .method(Method::POST, post().to(restore::restore_catalog)),
        route("/genesys/1/admin/ui/try").get(try_it::show_try_it),
        route("/genesys/1/admin/ui/api").get(api::show_api_docs),
        route("/genesys/1/admin/ui/active-services").get(services::list_services),
        route("/genesys/1/admin/ui/active-services/{id}")
            .get(services::detail::show_service)
            .method(Method::POST, post().to(services::detail::update_service)),
        route("/genesys/1/admin/ui/active-services/{id}/values/{key}")
            .get(services::downloads::download_string),
        route("/genesys/1/admin/ui/active-services/{id}/binaries/{key}")
            .get(services::downloads::download_binary),
        route("/genesys/1/admin/ui/audit-log").get(audit_log::show_audit_log),
        route("/genesys/1/admin/ui/sign-out").method(Method::POST, post().to(sign_in::sign_out)),
        route("/genesys/1/admin/ui/{nowhere:.*}"),
    ]
}

fn entry_list_endpoint(path: &'static str) -> Endpoint {
    route(path).get(catalog_entries::list_entries)
}

fn entry_endpoint(path: &'static str) -> Endpoint {
    route(path)
        .get(catalog_entries::show_entry)
        .method(Method::POST, post().to(catalog_entries::save_entry))
}

fn delete_entry_endpoint(path: &'static str) -> Endpoint {
    route(path).method(Method::POST, post().to(catalog_entries::delete_entry))
}

fn new_entry_endpoint(path: &'static str) -> Endpoint {
    route(path)
        .get(catalog_entries::show_new_entry)
        .method(Method::POST, post().to(catalog_entries::create_entry))
}

/// What is around every page.
struct Layout {
    title: String,
    /// The page's place in the menu.
    section: &'static str,
    version: &'static str,
    /// Who is signed in, and what forms show; nobody on the way in.
    user_name: Option<String>,
    form_token: String,
    /// The store does not answer.
    outage: Option<StoreOutage>,
    /// The response of `/readyz` meanwhile.
    readyz: Option<Readyz>,
}

/// A response of `/readyz`, as the pages show it.
struct Readyz {
    code: u16,
    is_ready: bool,
    reasons: String,
}

impl From<&Status> for Readyz {
    fn from(status: &Status) -> Self {
        Self {
            code: health::response_code(status).as_u16(),
            is_ready: status.is_ready(),
            reasons: status.describe(),
        }
    }
}

impl Layout {
    fn new(visitor: &SignedIn, section: &'static str, title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            section,
            version: VERSION,
            user_name: Some(visitor.operator.clone()),
            form_token: visitor.form_token.clone(),
            outage: visitor.outage.clone(),
            readyz: visitor.readiness().map(Readyz::from),
        }
    }

    /// For who is not signed in.
    fn signed_out(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            section: "",
            version: VERSION,
            user_name: None,
            form_token: String::new(),
            outage: None,
            readyz: None,
        }
    }
}

/// What a handler of a page gives.
type PageResult = Result<HttpResponse, PageError>;

/// What is shown in place of a page.
#[derive(Debug)]
pub(super) struct PageError(ApiError);

impl<E: Into<ApiError>> From<E> for PageError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl PageError {
    /// What it is called where requests are told of.
    pub(super) fn exception(&self) -> &'static str {
        self.0.exception()
    }

    fn title(&self) -> &'static str {
        self.status_code().canonical_reason().unwrap_or("Error")
    }

    fn page(&self, frame: Layout) -> ErrorPage {
        ErrorPage {
            layout: frame,
            status: self.status_code(),
            message: self.0.to_string(),
        }
    }
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    layout: Layout,
    status: StatusCode,
    message: String,
}

impl ResponseError for PageError {
    fn status_code(&self) -> StatusCode {
        self.0.status_code()
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let status = self.status_code();
        let page = self.page(Layout::signed_out(self.title()));
        let told = self.0.error_response();
        let Ok(mut answer) = render(status, &page) else {
            return told;
        };
        copy_error_headers(&mut answer, &told);
        answer
    }
}

/// Takes over what the headers of an error say.
fn copy_error_headers(page: &mut HttpResponse, error: &HttpResponse) {
    for name in [ALLOW, CONTENT_RANGE, RETRY_AFTER] {
        if let Some(value) = error.headers().get(&name) {
            page.headers_mut().insert(name, value.clone());
        }
    }
}

/// A page.
fn render(status: StatusCode, page: &impl Template) -> PageResult {
    let text = page.render().map_err(|error| {
        // Into memory, of values that are there: if it fails, it is a fault of ours.
        tracing::error!(%error, "a page could not be rendered");
        ApiError::Internal
    })?;
    Ok(response::with_default_headers(status)
        .insert_header((CONTENT_TYPE, "text/html;charset=utf-8"))
        .body(text))
}

/// The page with status 200.
fn ok_page(page: &impl Template) -> PageResult {
    render(StatusCode::OK, page)
}

/// Has the browser get that page.
fn redirect_see_other(place: &str) -> HttpResponse {
    response::without_body(StatusCode::SEE_OTHER)
        .insert_header((LOCATION, place))
        .finish()
}

/// Whether there is a page at that path that one can be led to.
fn is_navigable(path: &str) -> bool {
    let mut pages = PAGE_ROUTES.iter();
    let page = pages.find(|(place, _)| place.is_match(path));
    page.is_some_and(|(_, shown)| *shown)
}

/// The places of [`routes`], and whether they answer to GET. Once and for all: a pattern is dear to make, and what it
/// has of names is never given back.
static PAGE_ROUTES: LazyLock<Vec<(ResourceDef, bool)>> = LazyLock::new(|| {
    let shown = |page: &Endpoint| page.allowed_methods.contains(&Method::GET);
    let place = |page: Endpoint| (ResourceDef::new(page.name), shown(&page));
    routes().into_iter().map(place).collect()
});

/// The page at these places below [`HOME`].
fn page_url(places: &[&str]) -> String {
    let places = places
        .iter()
        .map(|place| format!("/{}", percent_encode(place)));
    places.fold(HOME.to_owned(), |url, place| url + &place)
}

/// A text as it stands in a URL.
fn percent_encode(text: &str) -> String {
    utf8_percent_encode(text, path::UNRESERVED).to_string()
}

/// What was done on the way to this page, in words of ours: an address says which of them, and no others.
fn flash_message(query: &FormData, words: &[(&str, &'static str)]) -> &'static str {
    let said = query.text("done");
    let mut known = words.iter().filter(|(word, _)| Some(*word) == said);
    known.next().map_or("", |(_, words)| words)
}

/// `GET /genesys/1/admin`
async fn redirect_home() -> HttpResponse {
    redirect_see_other(HOME)
}
