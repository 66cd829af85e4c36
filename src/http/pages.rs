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

use super::{ApiError, Endpoint, at, health, path, reply};
use crate::{
    model::readiness::Status,
    service::{Pairs, StoreAway},
    settings::VERSION,
};

mod api;
mod assets;
mod catalog;
mod described;
mod entries;
mod entry_form;
mod figures;
mod filled;
mod form;
pub(super) mod gate;
mod groups;
mod history;
mod live;
mod overview;
mod restore;
mod sign_in;
mod try_it;

pub(super) use self::overview::Board;

use self::gate::Visitor;

/// Where the pages are; no cookie of ours goes anywhere else.
const HOME: &str = "/genesys/1/admin/ui";

/// The menu: section, the path behind [`HOME`], and name.
const MENU: &[(&str, &str, &str)] = &[
    ("overview", "", "Overview"),
    ("services", "/services", "Configured services"),
    ("groups", "/groups", "Resource groups"),
    ("live", "/live", "Services"),
    ("try", "/try", "Try it"),
    ("api", "/api", "API"),
    ("history", "/history", "History"),
];

/// What anybody may see.
pub(super) fn open_routes() -> [Endpoint; 5] {
    [
        at("/genesys/1/admin").shows(home),
        at("/genesys/1/admin/").shows(home),
        at("/genesys/1/admin/ui/").shows(home),
        at("/genesys/1/admin/ui/sign-in")
            .shows(sign_in::ask)
            .on(Method::POST, post().to(sign_in::begin)),
        at("/genesys/1/admin/ui/assets/{name}").shows(assets::tell),
    ]
}

/// What a page of those who are signed in asks by itself.
pub(super) fn streams() -> [Endpoint; 1] {
    [at("/genesys/1/admin/ui/live-overview").on(Method::GET, get().to(overview::stream))]
}

/// What is for those who are signed in.
pub(super) fn routes() -> [Endpoint; 22] {
    [
        at("/genesys/1/admin/ui").shows(overview::show),
        all_entries("/genesys/1/admin/ui/services"),
        entry("/genesys/1/admin/ui/services/{name}"),
        removal("/genesys/1/admin/ui/services/{name}/delete"),
        new_entry("/genesys/1/admin/ui/new/services"),
        all_entries("/genesys/1/admin/ui/groups"),
        entry("/genesys/1/admin/ui/groups/{name}"),
        removal("/genesys/1/admin/ui/groups/{name}/delete"),
        new_entry("/genesys/1/admin/ui/new/groups"),
        at("/genesys/1/admin/ui/groups/{name}/release")
            .on(Method::POST, post().to(groups::release)),
        at("/genesys/1/admin/ui/catalog")
            .shows(catalog::show)
            .on(Method::POST, post().to(catalog::import)),
        at("/genesys/1/admin/ui/catalog/export").shows(catalog::export),
        at("/genesys/1/admin/ui/catalog/restore").on(Method::POST, post().to(restore::restore)),
        at("/genesys/1/admin/ui/try").shows(try_it::show),
        at("/genesys/1/admin/ui/api").shows(api::show),
        at("/genesys/1/admin/ui/live").shows(live::list),
        at("/genesys/1/admin/ui/live/{id}")
            .shows(live::one::show)
            .on(Method::POST, post().to(live::one::act)),
        at("/genesys/1/admin/ui/live/{id}/values/{key}").shows(live::downloads::value),
        at("/genesys/1/admin/ui/live/{id}/binaries/{key}").shows(live::downloads::binary),
        at("/genesys/1/admin/ui/history").shows(history::list),
        at("/genesys/1/admin/ui/sign-out").on(Method::POST, post().to(sign_in::end)),
        at("/genesys/1/admin/ui/{nowhere:.*}"),
    ]
}

fn all_entries(path: &'static str) -> Endpoint {
    at(path).shows(entries::list)
}

fn entry(path: &'static str) -> Endpoint {
    at(path)
        .shows(entries::look_at)
        .on(Method::POST, post().to(entries::save))
}

fn removal(path: &'static str) -> Endpoint {
    at(path).on(Method::POST, post().to(entries::delete))
}

fn new_entry(path: &'static str) -> Endpoint {
    at(path)
        .shows(entries::begin)
        .on(Method::POST, post().to(entries::create))
}

/// What is around every page.
struct Frame {
    title: String,
    /// The page's place in the menu.
    section: &'static str,
    version: &'static str,
    /// Who is signed in, and what forms show; nobody on the way in.
    operator: Option<String>,
    form_token: String,
    /// The store does not answer.
    away: Option<StoreAway>,
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
            code: health::code_of(status).as_u16(),
            is_ready: status.is_ready(),
            reasons: status.describe(),
        }
    }
}

impl Frame {
    fn of(visitor: &Visitor, section: &'static str, title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            section,
            version: VERSION,
            operator: Some(visitor.operator.clone()),
            form_token: visitor.form_token.clone(),
            away: visitor.away.clone(),
            readyz: visitor.readiness().map(Readyz::from),
        }
    }

    /// For who is not signed in.
    fn outside(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            section: "",
            version: VERSION,
            operator: None,
            form_token: String::new(),
            away: None,
            readyz: None,
        }
    }
}

/// What a handler of a page gives.
type Page = Result<HttpResponse, PageError>;

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

    fn page(&self, frame: Frame) -> ErrorPage {
        ErrorPage {
            frame,
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
    frame: Frame,
    status: StatusCode,
    message: String,
}

impl ResponseError for PageError {
    fn status_code(&self) -> StatusCode {
        self.0.status_code()
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let status = self.status_code();
        let page = self.page(Frame::outside(self.title()));
        let told = self.0.error_response();
        let Ok(mut answer) = rendered(status, &page) else {
            return told;
        };
        explain(&mut answer, &told);
        answer
    }
}

/// Takes over what the headers of an error say.
fn explain(page: &mut HttpResponse, error: &HttpResponse) {
    for name in [ALLOW, CONTENT_RANGE, RETRY_AFTER] {
        if let Some(value) = error.headers().get(&name) {
            page.headers_mut().insert(name, value.clone());
        }
    }
}

/// A page.
fn rendered(status: StatusCode, page: &impl Template) -> Page {
    let text = page.render().map_err(|error| {
        // Into memory, of values that are there: if it fails, it is a fault of ours.
        tracing::error!(%error, "a page could not be rendered");
        ApiError::Internal
    })?;
    Ok(reply::with_headers(status)
        .insert_header((CONTENT_TYPE, "text/html;charset=utf-8"))
        .body(text))
}

/// The page with status 200.
fn shown(page: &impl Template) -> Page {
    rendered(StatusCode::OK, page)
}

/// Has the browser get that page.
fn see(place: &str) -> HttpResponse {
    reply::without_body(StatusCode::SEE_OTHER)
        .insert_header((LOCATION, place))
        .finish()
}

/// Whether there is a page at that path that one can be led to.
fn is_shown(path: &str) -> bool {
    let mut pages = PLACES.iter();
    let page = pages.find(|(place, _)| place.is_match(path));
    page.is_some_and(|(_, shown)| *shown)
}

/// The places of [`routes`], and whether they answer to GET. Once and for all: a pattern is dear to make, and what it
/// has of names is never given back.
static PLACES: LazyLock<Vec<(ResourceDef, bool)>> = LazyLock::new(|| {
    let shown = |page: &Endpoint| page.allowed.contains(&Method::GET);
    let place = |page: Endpoint| (ResourceDef::new(page.name), shown(&page));
    routes().into_iter().map(place).collect()
});

/// The page at these places below [`HOME`].
fn url(places: &[&str]) -> String {
    let places = places.iter().map(|place| format!("/{}", encoded(place)));
    places.fold(HOME.to_owned(), |url, place| url + &place)
}

/// A text as it stands in a URL.
fn encoded(text: &str) -> String {
    utf8_percent_encode(text, path::UNRESERVED).to_string()
}

/// What was done on the way to this page, in words of ours: an address says which of them, and no others.
fn done(query: &Pairs, words: &[(&str, &'static str)]) -> &'static str {
    let said = query.text("done");
    let mut known = words.iter().filter(|(word, _)| Some(*word) == said);
    known.next().map_or("", |(_, words)| words)
}

/// `GET /genesys/1/admin`
async fn home() -> HttpResponse {
    see(HOME)
}
