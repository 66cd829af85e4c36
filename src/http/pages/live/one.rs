//! One of the *Services*: what it is and holds; its end is moved, it is deleted, its numbers are given back.

use actix_web::{
    HttpRequest, ResponseError,
    http::StatusCode,
    web::{Data, Payload},
};
use askama::Template;

use super::{
    PLACE,
    data::{DataPage, Held},
    downloads, place_of,
};
use crate::{
    http::{
        Api, ApiError, admin, body,
        pages::{Frame, Page, done, figures, form::Form, gate::Visitor, rendered, see, shown},
        path,
    },
    service::{Entry, LiveService, Operator, Pairs},
    store::{Moment, ServiceId},
};

/// What may have been done on the way here.
const DONE: [(&str, &str); 2] = [
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
#[template(path = "live_one.html")]
struct One {
    frame: Frame,
    done: &'static str,
    problem: String,
    now: Moment,
    id: ServiceId,
    live: LiveService,
    data: DataPage,
    /// What was last sent for the end.
    ttl: String,
    /// Seconds that a service lives at most.
    longest: u64,
}

#[derive(Template)]
#[template(path = "live_none.html")]
struct NoneLives<'a> {
    frame: Frame,
    id: &'a ServiceId,
    /// Whether all services were searched for one whose id begins so.
    complete: bool,
}

impl One {
    /// # Errors
    /// [`ApiError::ServiceNotFound`]; what the store says.
    async fn of(
        api: &Api,
        visitor: &Visitor,
        id: ServiceId,
        query: &Pairs,
    ) -> Result<Self, ApiError> {
        let live = admin::admin(api)?.look_up(&id).await?;
        let data = DataPage::of(api, &id, &live.told, query).await?;
        Ok(Self {
            frame: Frame::of(visitor, "live", format!("Service {id}")),
            done: "",
            problem: String::new(),
            now: api.services.now()?,
            data,
            ttl: String::new(),
            longest: api.limits.life.as_secs(),
            id,
            live,
        })
    }

    fn place(&self) -> String {
        place_of(&self.id)
    }

    fn way_to(&self, kind: &str, key: &str) -> String {
        downloads::way_to(&self.place(), kind, key)
    }

    fn left(&self) -> String {
        figures::span(self.live.told.end.since(self.now))
    }
}

/// `GET /genesys/1/admin/ui/live/{id}`
pub(in crate::http::pages) async fn show(
    api: Data<Api>,
    visitor: Visitor,
    request: HttpRequest,
) -> Page {
    let id = ServiceId::from(path::page_name(&request)?);
    let query = body::query(&api, &request)?;
    match One::of(&api, &visitor, id.clone(), &query).await {
        Err(error) => missing(&visitor, &id, error),
        Ok(mut page) => {
            page.done = done(&query, &DONE);
            shown(&page)
        }
    }
}

/// `POST /genesys/1/admin/ui/live/{id}`: what the field `act` says.
pub(in crate::http::pages) async fn act(
    api: Data<Api>,
    visitor: Visitor,
    request: HttpRequest,
    payload: Payload,
) -> Page {
    let form = Form::read(&api, &visitor, &request, payload).await?;
    let id = ServiceId::from(path::page_name(&request)?);
    let by = visitor.operator(&api, &request);
    match acted(&api, &id, &form, &by).await {
        Ok(place) => Ok(see(&place)),
        Err(error) => refused(&api, &visitor, id, &form, &error).await,
    }
}

/// Does what a form asks for; gives where that is told.
async fn acted(api: &Api, id: &ServiceId, form: &Form, by: &Operator) -> Result<String, ApiError> {
    let admin = admin::admin(api)?;
    match form.text("act") {
        "extend" => {
            let ttl = Entry::Text(form.text("ttl").trim().to_owned());
            let mut pairs = Pairs::default();
            pairs.insert("ttl".to_owned(), ttl);
            admin.extend(id, &pairs, by).await?;
            Ok(format!("{}?done=extended", place_of(id)))
        }
        "release" => {
            let (group, booking) = (form.text("group"), form.text("booking"));
            admin.release(group, booking, by).await?;
            Ok(format!("{}?done=released", place_of(id)))
        }
        "delete" => {
            admin.end(id, by).await?;
            Ok(format!("{PLACE}?done=deleted"))
        }
        _ => Err(ApiError::InvalidParameter(
            "the form does not say what is to be done; nothing was changed".to_owned(),
        )),
    }
}

/// The page once more, with what was wrong.
async fn refused(
    api: &Api,
    visitor: &Visitor,
    id: ServiceId,
    form: &Form,
    error: &ApiError,
) -> Page {
    match One::of(api, visitor, id.clone(), &Pairs::default()).await {
        Err(error) => missing(visitor, &id, error),
        Ok(mut page) => {
            page.problem = error.to_string();
            form.text("ttl").clone_into(&mut page.ttl);
            rendered(error.status_code(), &page)
        }
    }
}

/// What is shown where a service could not be: that there is none, or else what was wrong.
pub(super) fn missing(visitor: &Visitor, id: &ServiceId, error: ApiError) -> Page {
    if !matches!(error, ApiError::ServiceNotFound(_)) {
        return Err(error.into());
    }
    none_found(visitor, id, true)
}

/// What is shown where no service lives by an id, nor by one that begins so, as far as was searched.
pub(super) fn none_found(visitor: &Visitor, id: &ServiceId, complete: bool) -> Page {
    let frame = Frame::of(visitor, "live", "No such service");
    let page = NoneLives {
        frame,
        id,
        complete,
    };
    rendered(StatusCode::NOT_FOUND, &page)
}
