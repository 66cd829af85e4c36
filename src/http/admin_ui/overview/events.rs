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

use super::OverviewData;
use crate::http::{
    ApiError, AppState, admin_api,
    admin_ui::{PageResult, event_stream::session_expired_event, session_cookie::session_token},
    event_stream::{event_stream_response, html_event},
};

/// Interval of the live updates.
const UPDATE_INTERVAL: Duration = Duration::from_secs(2);
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
    let token = session_token(&request).unwrap_or_default();
    Ok(event_stream_response().streaming(overview_events(state, token, permit)))
}

/// The last event, shared by all streams of a worker.
#[derive(Default)]
pub(in crate::http) struct OverviewCache(Mutex<Option<(Instant, Bytes)>>);

impl OverviewCache {
    /// The event for the current state, at most half an interval old.
    async fn latest_event(&self, state: &AppState) -> Bytes {
        let mut last = self.0.lock().await;
        if let Some((at, event)) = &*last
            && at.elapsed() < UPDATE_INTERVAL / 2
        {
            return event.clone();
        }
        let data = OverviewData::load(state).await;
        let event = html_event("message", &data.render().unwrap_or_default());
        *last = Some((Instant::now(), event.clone()));
        event
    }
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
    token: String,
    permit: StreamPermit,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(Some((state, token, permit, 0)), async |next| {
        let (state, token, permit, updates) = next?;
        time::sleep(UPDATE_INTERVAL).await;
        if updates == MAX_UPDATES || state.readiness.is_draining() {
            return None;
        }
        if is_session_expired(&state, &token).await {
            return Some((Ok(session_expired_event()), None));
        }
        let event = state.overview_cache.latest_event(&state).await;
        Some((Ok(event), Some((state, token, permit, updates + 1))))
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
