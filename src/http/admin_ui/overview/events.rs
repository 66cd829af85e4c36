//! The live updates of the page, as server-sent events.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

use actix_web::{
    HttpRequest,
    web::{Bytes, Data},
};
use askama::Template;
use futures_util::{Stream, stream};
use tokio::{sync::Mutex, time};

use super::{Details, OverviewData, Summary, charts::Charts};
use crate::{
    http::{
        ApiError, AppState,
        admin_api::{self, statistics::parse_range},
        admin_ui::{
            PageResult, event_stream::session_expired_event, session_cookie::session_token,
        },
        body,
        event_stream::{event_stream_response, html_event},
    },
    model::statistics::{SAMPLE_INTERVAL, StatisticsRange},
};

/// Interval of the live updates.
const UPDATE_INTERVAL: Duration = Duration::from_secs(2);
/// Interval of the updates of the charts, which change once per interval of the statistics.
const CHARTS_INTERVAL: Duration = SAMPLE_INTERVAL;
/// Interval at which live updates read the times of failed bookings, which are one command for each resource group.
const FAILED_BOOKINGS_INTERVAL: Duration = Duration::from_secs(5);
/// Updates of a stream before the browser has to reconnect, which lets load balancers choose another replica.
const MAX_UPDATES: usize = 60;
/// Concurrent streams of a process.
const MAX_STREAMS: usize = 64;

static OPEN_STREAMS: AtomicUsize = AtomicUsize::new(0);

/// `GET /genesys/1/admin/ui/overview/events`: the live part of the page as server-sent events.
pub(in crate::http::admin_ui) async fn stream_overview(
    state: Data<AppState>,
    request: HttpRequest,
) -> PageResult {
    let permit = StreamPermit::try_acquire().ok_or(ApiError::TooManyRequests {
        message: format!(
            "too many live pages, {MAX_STREAMS} are allowed; this page is not updated"
        ),
        retry_after: 60,
    })?;
    let viewer = Viewer {
        token: session_token(&request).unwrap_or_default(),
        range: parse_range(&body::parse_query(&state, &request)?)?,
        charts_at: Instant::now(),
        updates: 0,
        _permit: permit,
    };
    Ok(event_stream_response().streaming(overview_events(state, viewer)))
}

/// A browser that receives a stream.
struct Viewer {
    token: String,
    range: StatisticsRange,
    /// When it received the charts last.
    charts_at: Instant,
    /// The number of updates.
    updates: usize,
    _permit: StreamPermit,
}

/// The last events of a kind, shared by all streams of a worker.
#[derive(Default)]
struct CachedEvents(Mutex<Option<(Instant, Bytes)>>);

impl CachedEvents {
    /// The events, loaded again if they are older than `max_age`.
    async fn latest(&self, max_age: Duration, load: impl Future<Output = Bytes>) -> Bytes {
        let mut last = self.0.lock().await;
        if let Some((at, events)) = &*last
            && at.elapsed() < max_age
        {
            return events.clone();
        }
        let events = load.await;
        *last = Some((Instant::now(), events.clone()));
        events
    }
}

/// The last events, shared by all streams of a worker.
#[derive(Default)]
pub(in crate::http) struct OverviewCache {
    data: CachedEvents,
    hour: CachedEvents,
    day: CachedEvents,
}

impl OverviewCache {
    /// The events for the current state.
    async fn latest_events(&self, state: &AppState, viewer: &mut Viewer) -> Bytes {
        let data = self
            .data
            .latest(UPDATE_INTERVAL / 2, load_data(state))
            .await;
        if viewer.charts_at.elapsed() < CHARTS_INTERVAL {
            return data;
        }
        viewer.charts_at = Instant::now();
        let charts = match viewer.range {
            StatisticsRange::Hour => &self.hour,
            StatisticsRange::Day => &self.day,
        };
        let charts = charts.latest(CHARTS_INTERVAL, load_charts(state, viewer.range));
        Bytes::from([data, charts.await].concat())
    }
}

async fn load_data(state: &AppState) -> Bytes {
    let data = &OverviewData::load(state, FAILED_BOOKINGS_INTERVAL).await;
    let summary = Summary { data }.render().unwrap_or_default();
    let details = Details { data }.render().unwrap_or_default();
    let events = [
        html_event("message", &summary),
        html_event("details", &details),
    ];
    Bytes::from(events.concat())
}

async fn load_charts(state: &AppState, range: StatisticsRange) -> Bytes {
    let charts = Charts::load(state, range).await;
    html_event("charts", &charts.render().unwrap_or_default())
}

/// The right to one of the [`MAX_STREAMS`] streams.
struct StreamPermit;

impl StreamPermit {
    fn try_acquire() -> Option<Self> {
        let permit = Self;
        (OPEN_STREAMS.fetch_add(1, Relaxed) < MAX_STREAMS).then_some(permit)
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        OPEN_STREAMS.fetch_sub(1, Relaxed);
    }
}

/// The stream ends when the session expires, when the process drains, or after [`MAX_UPDATES`]. Browsers then reconnect.
fn overview_events(
    state: Data<AppState>,
    viewer: Viewer,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(Some((state, viewer)), async |next| {
        let (state, mut viewer) = next?;
        time::sleep(UPDATE_INTERVAL).await;
        if viewer.updates == MAX_UPDATES || state.readiness.is_draining() {
            return None;
        }
        if is_session_expired(&state, &viewer.token).await {
            return Some((Ok(session_expired_event()), None));
        }
        viewer.updates += 1;
        let events = state
            .overview_cache
            .latest_events(&state, &mut viewer)
            .await;
        Some((Ok(events), Some((state, viewer))))
    })
}

/// Whether the session has expired. While the store is unavailable it counts as active, so that the page shows the
/// outage.
async fn is_session_expired(state: &AppState, token: &str) -> bool {
    let Ok(admin) = admin_api::admin_service(state) else {
        return true;
    };
    matches!(admin.peek_session(token).await, Ok(None))
}
