//! Errors of connections that clients cause.
//!
//! actix-http logs an ERROR for each request that it cannot parse and for each connection that breaks, so a client could
//! write any amount to the log. This layer drops these events. The server counts rejected requests and logs them
//! itself (`src/app/rejected_requests.rs`). See `docs/upstream/actix-http-parser-errors.md`.

use std::fmt;

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Layer};

/// The module of actix-http that logs the error that ended a connection.
const TARGET: &str = "actix_http::h1::dispatcher";
/// All other errors of that module are faults of the web server.
const CLIENT_ERRORS: [&str; 2] = [
    "stream error: request parse error: ",
    "stream error: I/O error: ",
];

/// Passes events to a layer, except those of malformed requests and broken connections. Spans are not passed.
pub(super) struct WithoutConnectionErrors<L>(pub(super) L);

impl<S: Subscriber, L: Layer<S>> Layer<S> for WithoutConnectionErrors<L> {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if !is_client_error(event) {
            self.0.on_event(event, context);
        }
    }
}

fn is_client_error(event: &Event<'_>) -> bool {
    let metadata = event.metadata();
    if *metadata.level() != Level::ERROR || metadata.target() != TARGET {
        return false;
    }
    let mut message = Message::default();
    event.record(&mut message);
    CLIENT_ERRORS
        .iter()
        .any(|error| message.0.starts_with(error))
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

    use tracing::{error, info, subscriber::with_default};
    use tracing_subscriber::{layer::SubscriberExt, registry};

    use super::*;

    /// Counts the events that pass the filter, in place of the log.
    struct Lines(Arc<AtomicUsize>);

    impl<S: Subscriber> Layer<S> for Lines {
        fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn errors_of_clients_are_dropped() {
        let lines = Arc::default();
        let layers = registry().with(WithoutConnectionErrors(Lines(Arc::clone(&lines))));
        with_default(layers, || {
            for _ in 0..1000 {
                error!(target: TARGET, "stream error: {}", "request parse error: invalid Header provided");
                error!(target: TARGET, "stream error: {}", "I/O error: connection reset");
            }
        });
        assert_eq!(lines.load(Relaxed), 0);
    }

    #[test]
    fn other_events_are_logged() {
        let lines = Arc::default();
        let layers = registry().with(WithoutConnectionErrors(Lines(Arc::clone(&lines))));
        with_default(layers, || {
            error!(target: TARGET, "stream error: {}", "internal error");
            error!(target: TARGET, "Internal server error: unexpected eof");
            error!("stream error: request parse error: of another module");
            info!(target: TARGET, "stream error: request parse error: not an error");
        });
        assert_eq!(lines.load(Relaxed), 4);
    }
}
