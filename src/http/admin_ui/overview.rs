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

use super::{Layout, PageResult, ok_page, session_middleware::SignedIn, sign_in};
use crate::{
    http::{ApiError, AppState, admin_api, response},
    service::{LostEntries, MostUsedGroups, Overview, Replica, StoreOutage},
    store::Timestamp,
};

/// Groups that are told of: the fullest. There is a page for all of them.
const MAX_GROUPS: usize = 12;
/// How often the page is told anew.
const UPDATE_INTERVAL: Duration = Duration::from_secs(2);
/// After how many times the browser has to ask again, so that it finds its way to other replicas.
const MAX_UPDATES: usize = 60;
/// Pages that one process tells at a time.
const MAX_STREAMS: usize = 64;

static OPEN_STREAMS: AtomicUsize = AtomicUsize::new(0);

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    layout: Layout,
    lost: LostEntries,
    data: OverviewData,
}

/// What changes, as it is now.
#[derive(Template)]
#[template(path = "overview_data.html")]
struct OverviewData {
    updated_at: Timestamp,
    services: u64,
    /// How long the store took to answer.
    store_latency: Duration,
    replicas: Vec<Replica>,
    groups: MostUsedGroups,
    problem: Option<String>,
    /// The store does not answer, and the figures are those of `at`.
    outage: Option<StoreOutage>,
    /// Whether there are figures.
    has_figures: bool,
    /// This replica, as it is now.
    own_replica: Option<Replica>,
}

impl OverviewData {
    async fn load(api: &AppState) -> Self {
        match Self::try_load(api).await {
            Ok(now) => now,
            Err(error) => Self {
                updated_at: Timestamp::default(),
                services: 0,
                store_latency: Duration::ZERO,
                replicas: Vec::new(),
                groups: MostUsedGroups::default(),
                problem: Some(error.to_string()),
                outage: None,
                has_figures: false,
                own_replica: None,
            },
        }
    }

    async fn try_load(api: &AppState) -> Result<Self, ApiError> {
        let Overview {
            stats: figures,
            outage: away,
            own_replica: own,
        } = admin_api::admin_service(api)?.overview(MAX_GROUPS).await?;
        let figures = figures.as_deref();
        Ok(Self {
            updated_at: figures.map_or_else(Timestamp::default, |figures| figures.at),
            services: figures.map_or(0, |figures| figures.services),
            store_latency: figures.map_or(Duration::ZERO, |figures| figures.latency),
            replicas: figures.map_or_else(Vec::new, |figures| figures.replicas.clone()),
            groups: figures.map_or_else(MostUsedGroups::default, |figures| figures.groups.clone()),
            problem: None,
            has_figures: figures.is_some(),
            outage: away,
            own_replica: own,
        })
    }

    /// Over all replicas; `None` where one does not tell.
    fn sum(&self, of: impl Fn(&Replica) -> Option<f64>) -> Option<String> {
        let sum: Option<f64> = self.replicas.iter().map(of).sum();
        sum.map(|sum| format!("{sum:.1}"))
    }

    fn requests_per_second(&self) -> Option<String> {
        self.sum(|replica| replica.stats.requests_per_second)
    }

    fn errors_per_second(&self) -> Option<String> {
        self.sum(|replica| replica.stats.failures_per_second)
    }

    fn has_more_groups(&self) -> bool {
        self.groups.usage.len() < self.groups.total_groups
    }

    fn cleanup_leader(&self) -> Option<&Replica> {
        self.replicas.iter().find(|replica| replica.stats.cleans_up)
    }

    fn store_latency(&self) -> String {
        format!("{:.1} ms", self.store_latency.as_secs_f64() * 1e3)
    }

    fn cleanup_lag(&self) -> Option<String> {
        let lag = self.cleanup_leader()?.stats.cleanup_lag_seconds?;
        Some(format!("{lag:.1} s"))
    }
}

/// `GET /genesys/1/admin/ui`
pub(super) async fn show_overview(api: Data<AppState>, visitor: SignedIn) -> PageResult {
    ok_page(&OverviewPage {
        layout: Layout::new(&visitor, "overview", "Overview"),
        lost: admin_api::admin_service(&api)?.lost_entries(),
        data: OverviewData::load(&api).await,
    })
}

/// What an open page is told when its visit is over.
#[derive(Template)]
#[template(path = "session_expired.html")]
struct SessionExpired;

/// `GET /genesys/1/admin/ui/overview/events`: the same again and again, as server-sent events.
pub(super) async fn stream_overview(api: Data<AppState>, request: HttpRequest) -> PageResult {
    let place = StreamPermit::try_acquire().ok_or(ApiError::TooManyRequests {
        message: format!(
            "{MAX_STREAMS} pages are live already; this one is as of when it was opened"
        ),
        retry_after: 60,
    })?;
    let token = sign_in::session_token(&request).unwrap_or_default();
    Ok(event_stream_response().streaming(overview_events(api, token, place)))
}

/// The answer to a page that is open and whose visit is over.
pub(super) fn session_expired_response() -> HttpResponse {
    event_stream_response().body(session_expired_event())
}

fn event_stream_response() -> HttpResponseBuilder {
    let mut answer = response::with_default_headers(StatusCode::OK);
    answer
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        // A proxy is to pass each event on as it comes.
        .insert_header(("x-accel-buffering", "no"));
    answer
}

/// What live pages were told last: it is found out once for all that one worker has, however many they are.
#[derive(Default)]
pub(in crate::http) struct OverviewCache(Mutex<Option<(Instant, Bytes)>>);

impl OverviewCache {
    /// How everything is, as an event; some moments old at most.
    async fn latest_event(&self, api: &AppState) -> Bytes {
        let mut last = self.0.lock().await;
        if let Some((at, event)) = &*last
            && at.elapsed() < UPDATE_INTERVAL / 2
        {
            return event.clone();
        }
        let now = OverviewData::load(api).await;
        let event = format_event("message", &now.render().unwrap_or_default());
        *last = Some((Instant::now(), event.clone()));
        event
    }
}

/// One page that is live.
struct StreamPermit;

impl StreamPermit {
    fn try_acquire() -> Option<Self> {
        let place = Self;
        (OPEN_STREAMS.fetch_add(1, Relaxed) < MAX_STREAMS).then_some(place)
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        OPEN_STREAMS.fetch_sub(1, Relaxed);
    }
}

/// It ends with the visit, when the process is to stop, or after a while: a browser then asks again, wherever it can.
fn overview_events(
    api: Data<AppState>,
    token: String,
    place: StreamPermit,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(Some((api, token, place, 0)), async |state| {
        let (api, token, place, told) = state?;
        time::sleep(UPDATE_INTERVAL).await;
        if told == MAX_UPDATES || api.readiness.is_draining() {
            return None;
        }
        if is_session_expired(&api, &token).await {
            return Some((Ok(session_expired_event()), None));
        }
        let event = api.overview_cache.latest_event(&api).await;
        Some((Ok(event), Some((api, token, place, told + 1))))
    })
}

/// Whether the visit is known to be over: while the store is away, that is what the page tells.
async fn is_session_expired(api: &AppState, token: &str) -> bool {
    let Ok(admin) = admin_api::admin_service(api) else {
        return true;
    };
    matches!(admin.peek_session(token).await, Ok(None))
}

fn session_expired_event() -> Bytes {
    format_event("over", &SessionExpired.render().unwrap_or_default())
}

fn format_event(name: &str, html: &str) -> Bytes {
    let mut event = format!("event: {name}\n");
    for line in html.lines().filter(|line| !line.trim().is_empty()) {
        event.push_str("data: ");
        event.push_str(line);
        event.push('\n');
    }
    event.push('\n');
    Bytes::from(event)
}
