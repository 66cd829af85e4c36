//! *Overview*: replicas, store, rates, fill of the resource groups and clean-up, at a glance and live.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header::CONTENT_TYPE},
    web::{Bytes, Data},
};
use askama::Template;
use futures_util::{Stream, stream};
use tokio::{sync::Mutex, time};

use super::{Frame, Page, gate::Visitor, shown, sign_in};
use crate::{
    http::{Api, ApiError, admin, reply},
    service::{Fullest, LostEntries, Overview, Replica, StoreAway},
    store::Moment,
};

/// Groups that are told of: the fullest. There is a page for all of them.
const GROUPS: usize = 12;
/// How often the page is told anew.
const EVERY: Duration = Duration::from_secs(2);
/// After how many times the browser has to ask again, so that it finds its way to other replicas.
const TIMES: usize = 60;
/// Pages that one process tells at a time.
const STREAMS: usize = 64;

static OPEN: AtomicUsize = AtomicUsize::new(0);

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    lost: LostEntries,
    now: Now,
}

/// What changes, as it is now.
#[derive(Template)]
#[template(path = "overview_now.html")]
struct Now {
    at: Moment,
    services: u64,
    /// How long the store took to answer.
    store: Duration,
    replicas: Vec<Replica>,
    groups: Fullest,
    problem: Option<String>,
    /// The store does not answer, and the figures are those of `at`.
    away: Option<StoreAway>,
    /// Whether there are figures.
    is_known: bool,
    /// This replica, as it is now.
    own: Option<Replica>,
}

impl Now {
    async fn of(api: &Api) -> Self {
        match Self::asked(api).await {
            Ok(now) => now,
            Err(error) => Self {
                at: Moment::default(),
                services: 0,
                store: Duration::ZERO,
                replicas: Vec::new(),
                groups: Fullest::default(),
                problem: Some(error.to_string()),
                away: None,
                is_known: false,
                own: None,
            },
        }
    }

    async fn asked(api: &Api) -> Result<Self, ApiError> {
        let Overview { figures, away, own } = admin::admin(api)?.overview(GROUPS).await?;
        let figures = figures.as_deref();
        Ok(Self {
            at: figures.map_or_else(Moment::default, |figures| figures.at),
            services: figures.map_or(0, |figures| figures.services),
            store: figures.map_or(Duration::ZERO, |figures| figures.latency),
            replicas: figures.map_or_else(Vec::new, |figures| figures.replicas.clone()),
            groups: figures.map_or_else(Fullest::default, |figures| figures.groups.clone()),
            problem: None,
            is_known: figures.is_some(),
            away,
            own,
        })
    }

    /// Over all replicas; `None` where one does not tell.
    fn sum(&self, of: impl Fn(&Replica) -> Option<f64>) -> Option<String> {
        let sum: Option<f64> = self.replicas.iter().map(of).sum();
        sum.map(|sum| format!("{sum:.1}"))
    }

    fn requests(&self) -> Option<String> {
        self.sum(|replica| replica.pulse.requests_per_second)
    }

    fn failures(&self) -> Option<String> {
        self.sum(|replica| replica.pulse.failures_per_second)
    }

    fn are_more(&self) -> bool {
        self.groups.fills.len() < self.groups.of
    }

    fn cleaner(&self) -> Option<&Replica> {
        self.replicas.iter().find(|replica| replica.pulse.cleans_up)
    }

    fn store(&self) -> String {
        format!("{:.1} ms", self.store.as_secs_f64() * 1e3)
    }

    fn lag(&self) -> Option<String> {
        let lag = self.cleaner()?.pulse.cleanup_lag_seconds?;
        Some(format!("{lag:.1} s"))
    }
}

/// `GET /genesys/1/admin/ui`
pub(super) async fn show(api: Data<Api>, visitor: Visitor) -> Page {
    shown(&OverviewPage {
        frame: Frame::of(&visitor, "overview", "Overview"),
        lost: admin::admin(&api)?.lost(),
        now: Now::of(&api).await,
    })
}

/// What an open page is told when its visit is over.
#[derive(Template)]
#[template(path = "visit_over.html")]
struct Over;

/// `GET /genesys/1/admin/ui/live-overview`: the same again and again, as server-sent events.
pub(super) async fn stream(api: Data<Api>, request: HttpRequest) -> Page {
    let place = Place::take().ok_or(ApiError::TooManyRequests {
        message: format!("{STREAMS} pages are live already; this one is as of when it was opened"),
        retry_after: 60,
    })?;
    let token = sign_in::token(&request).unwrap_or_default();
    Ok(telling().streaming(events(api, token, place)))
}

/// The answer to a page that is open and whose visit is over.
pub(super) fn over() -> HttpResponse {
    telling().body(last_event())
}

fn telling() -> HttpResponseBuilder {
    let mut answer = reply::with_headers(StatusCode::OK);
    answer
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        // A proxy is to pass each event on as it comes.
        .insert_header(("x-accel-buffering", "no"));
    answer
}

/// What live pages were told last: it is found out once for all that one worker has, however many they are.
#[derive(Default)]
pub(in crate::http) struct Board(Mutex<Option<(Instant, Bytes)>>);

impl Board {
    /// How everything is, as an event; some moments old at most.
    async fn told(&self, api: &Api) -> Bytes {
        let mut last = self.0.lock().await;
        if let Some((at, event)) = &*last
            && at.elapsed() < EVERY / 2
        {
            return event.clone();
        }
        let now = Now::of(api).await;
        let event = event("message", &now.render().unwrap_or_default());
        *last = Some((Instant::now(), event.clone()));
        event
    }
}

/// One page that is live.
struct Place;

impl Place {
    fn take() -> Option<Self> {
        let place = Self;
        (OPEN.fetch_add(1, Relaxed) < STREAMS).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Relaxed);
    }
}

/// It ends with the visit, when the process is to stop, or after a while: a browser then asks again, wherever it can.
fn events(
    api: Data<Api>,
    token: String,
    place: Place,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(Some((api, token, place, 0)), async |state| {
        let (api, token, place, told) = state?;
        time::sleep(EVERY).await;
        if told == TIMES || api.readiness.is_draining() {
            return None;
        }
        if is_over(&api, &token).await {
            return Some((Ok(last_event()), None));
        }
        let event = api.board.told(&api).await;
        Some((Ok(event), Some((api, token, place, told + 1))))
    })
}

/// Whether the visit is known to be over: while the store is away, that is what the page tells.
async fn is_over(api: &Api, token: &str) -> bool {
    let Ok(admin) = admin::admin(api) else {
        return true;
    };
    matches!(admin.look_at_visit(token).await, Ok(None))
}

fn last_event() -> Bytes {
    event("over", &Over.render().unwrap_or_default())
}

fn event(name: &str, html: &str) -> Bytes {
    let mut event = format!("event: {name}\n");
    for line in html.lines().filter(|line| !line.trim().is_empty()) {
        event.push_str("data: ");
        event.push_str(line);
        event.push('\n');
    }
    event.push('\n');
    Bytes::from(event)
}
