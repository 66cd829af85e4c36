//! *Services*: those that live, by their ends.

use actix_web::{HttpRequest, web::Data};
use askama::Template;

use super::{Frame, Page, done, figures, gate::Visitor, see, shown, url};
use crate::{
    http::{Api, ApiError, admin, body},
    service::Pairs,
    store::{ListedService, Moment, ServiceId},
};

mod data;
pub(super) mod downloads;
pub(super) mod one;

/// Where the list is; one service is below it.
const PLACE: &str = "/genesys/1/admin/ui/live";
/// Services that a search shows.
const MOST_FOUND: usize = 50;
/// What may have been done on the way here.
const DONE: [(&str, &str); 1] = [(
    "deleted",
    "The service is deleted. What it held is given back within seconds.",
)];

#[derive(Template)]
#[template(path = "live.html")]
struct Live {
    frame: Frame,
    done: &'static str,
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

impl Live {
    async fn of(
        api: &Api,
        visitor: &Visitor,
        request: &HttpRequest,
        query: &Pairs,
    ) -> Result<Self, ApiError> {
        let (after, limit) = (admin::place(query)?, admin::page_size(query)?);
        let office = admin::admin(api)?;
        let page = office.list_live(after.as_ref(), limit).await?;
        let (entries, now) = (page.entries.into_iter(), api.services.now()?);
        Ok(Self {
            frame: Frame::of(visitor, "live", "Services"),
            done: done(query, &DONE),
            count: office.count_live().await?,
            services: entries.map(|entry| with_left(entry, now)).collect(),
            limit,
            is_first: after.is_none(),
            next: page.next.as_ref().map(admin::told),
            example: api.services.example(&origin(request), !api.keys.is_empty()),
            search: None,
        })
    }
}

/// `GET /genesys/1/admin/ui/live`; with `?id=` the way to one.
pub(super) async fn list(api: Data<Api>, visitor: Visitor, request: HttpRequest) -> Page {
    let query = body::query(&api, &request)?;
    match query.text("id").map(str::trim).filter(|id| !id.is_empty()) {
        Some(id) => find(&api, &visitor, id).await,
        None => shown(&Live::of(&api, &visitor, &request, &query).await?),
    }
}

/// Scheme, host and port that the reader uses.
fn origin(request: &HttpRequest) -> String {
    let connection = request.connection_info();
    format!("{}://{}", connection.scheme(), connection.host())
}

fn with_left(listed: ListedService, now: Moment) -> (ListedService, String) {
    let left = listed.end.since(now);
    (listed, figures::span(left))
}

/// The page of one service.
fn place_of(id: &ServiceId) -> String {
    url(&["live", id.as_str()])
}

/// The service of that id or, as the log has only the first characters of one, those whose ids begin so.
async fn find(api: &Api, visitor: &Visitor, text: &str) -> Page {
    let text = text.trim_end_matches(['.', '\u{2026}']);
    let id = ServiceId::from(text.to_owned());
    let error = match api.services.describe(&id).await {
        Ok(_) => return Ok(see(&place_of(&id))),
        Err(error) => ApiError::from(error),
    };
    if !matches!(error, ApiError::ServiceNotFound(_)) {
        return Err(error.into());
    }
    let found = admin::admin(api)?.find_live(text, MOST_FOUND).await?;
    match found.services.as_slice() {
        [] => return one::none_found(visitor, &id, found.complete),
        [one] if found.complete => return Ok(see(&place_of(&one.id))),
        _ => {}
    }
    let (entries, now) = (
        found.services.into_iter(),
        api.services.now().map_err(ApiError::from)?,
    );
    shown(&Live {
        frame: Frame::of(visitor, "live", "Services"),
        done: "",
        count: 0,
        services: entries.map(|entry| with_left(entry, now)).collect(),
        limit: MOST_FOUND,
        is_first: true,
        next: None,
        example: None,
        search: Some((text.to_owned(), found.complete)),
    })
}
