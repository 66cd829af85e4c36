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
    /// Scheme, host and port that the reader uses.
    origin: String,
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
            origin: origin(request),
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

async fn find(api: &Api, visitor: &Visitor, id: &str) -> Page {
    let id = ServiceId::from(id.to_owned());
    match api.services.describe(&id).await {
        Ok(_) => Ok(see(&place_of(&id))),
        Err(error) => one::missing(visitor, &id, error.into()),
    }
}
