//! Requests that the HTTP parser refuses, before any route sees them.
//!
//! actix-http answers them with a bare 400 or 431 and logs each as an ERROR, and has no hook for either. This layer
//! takes its event for the log as the notification: it counts the request by status, and logs one line a minute
//! instead, for a client can send as many as it likes. See `docs/upstream/actix-http-parser-errors.md`.

use std::{
    fmt,
    sync::Mutex,
    time::{Duration, Instant},
};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    info,
};
use tracing_subscriber::layer::{Context, Layer};

use super::metrics;

/// Where actix-http says that a connection ends for what came over it.
const TARGET: &str = "actix_http::h1::dispatcher";
const STREAM_ERROR: &str = "stream error: ";
const PARSE_ERROR: &str = "request parse error: ";
const TOO_LARGE: &str = "message head is too large";
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Counts refused requests, and keeps their events from the log.
#[derive(Default)]
pub(super) struct RefusedRequests(Mutex<Unlogged>);

#[derive(Default)]
struct Unlogged {
    logged_at: Option<Instant>,
    requests: u64,
}

impl<S: Subscriber> Layer<S> for RefusedRequests {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if *metadata.level() != Level::ERROR || metadata.target() != TARGET {
            return true;
        }
        let mut message = Message::default();
        event.record(&mut message);
        let Some(reason) = message.0.strip_prefix(STREAM_ERROR) else {
            return true;
        };
        // A connection that breaks is nothing to tell of; all else there is a fault of the web server.
        if reason.starts_with("I/O error: ") {
            return false;
        }
        let Some(reason) = reason.strip_prefix(PARSE_ERROR) else {
            return true;
        };
        let status = if reason == TOO_LARGE { 431 } else { 400 };
        metrics::count_refused_request(status);
        self.log(status, reason);
        false
    }
}

impl RefusedRequests {
    fn log(&self, status: u16, reason: &str) {
        let Ok(mut unlogged) = self.0.lock() else {
            return;
        };
        unlogged.requests += 1;
        if unlogged
            .logged_at
            .is_some_and(|at| at.elapsed() < LOG_INTERVAL)
        {
            return;
        }
        let requests = unlogged.requests;
        *unlogged = Unlogged {
            logged_at: Some(Instant::now()),
            requests: 0,
        };
        drop(unlogged);
        info!(status, reason, requests, "malformed requests refused");
    }
}

/// The message of an event.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    };

    use tracing::{error, subscriber::with_default};
    use tracing_subscriber::{layer::SubscriberExt, registry};

    use super::*;

    /// Counts what gets to it, for the log.
    struct Lines(Arc<AtomicUsize>);

    impl<S: Subscriber> Layer<S> for Lines {
        fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn a_minute_of_malformed_requests_is_one_line() {
        let lines = Arc::default();
        let layers = registry()
            .with(Lines(Arc::clone(&lines)))
            .with(RefusedRequests::default());
        with_default(layers, || {
            for _ in 0..1000 {
                error!(target: TARGET, "stream error: {}", "request parse error: invalid Header provided");
                error!(target: TARGET, "stream error: {}", "I/O error: connection reset");
            }
        });
        // Inside a subscriber of the thread its own line is not seen; globally it is.
        assert!(lines.load(Relaxed) <= 1);
    }

    #[test]
    fn other_events_get_to_the_log() {
        let lines = Arc::default();
        let layers = registry()
            .with(Lines(Arc::clone(&lines)))
            .with(RefusedRequests::default());
        with_default(layers, || {
            error!(target: TARGET, "stream error: {}", "internal error");
            error!(target: TARGET, "Internal server error: unexpected eof");
            error!("stream error: request parse error: of somebody else");
            info!(target: TARGET, "stream error: request parse error: no error");
        });
        assert_eq!(lines.load(Relaxed), 4);
    }
}
