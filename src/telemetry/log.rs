//! The log, on standard error.
//!
//! A separate thread writes lines in batches. If its buffer is full, lines are dropped and counted; no
//! request waits.

use std::{
    fmt,
    io::{self, BufWriter, IsTerminal},
    sync::OnceLock,
};

use tracing::subscriber::{self, SetGlobalDefaultError};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{self, FilterExt, filter_fn},
    fmt::{
        format::{self, Format},
        layer,
    },
    layer::SubscriberExt,
};

use self::trace_ids::{FieldsWithTraceId, JsonWithTraceId};
use super::{connection_errors::WithoutConnectionErrors, traces::SpanLayer};
use crate::settings::{Log, LogFormat};

mod trace_ids;

/// An error while starting the log.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `log.level` is not a filter. Impossible for loaded settings, which are validated.
    #[error("log.level cannot be used: {0}")]
    Level(#[from] filter::ParseError),

    /// The process already has a log.
    #[error("the log is already started: {0}")]
    AlreadyStarted(#[from] SetGlobalDefaultError),
}

/// Maximum number of buffered lines, a few MiB.
const MAX_BUFFERED_LINES: usize = 8_192;
/// Size of the write buffer.
const WRITE_BUFFER_BYTES: usize = 64 * 1024;

static DROPPED_LINES: OnceLock<ErrorCounter> = OnceLock::new();

/// A running log. Dropping it writes the buffered lines, with a timeout of one second; later lines are
/// lost.
#[must_use = "the log stops when the guard is dropped"]
pub struct LogGuard(WorkerGuard);

impl fmt::Debug for LogGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of lines that were dropped because the buffer was full.
pub(super) fn dropped_lines() -> usize {
    DROPPED_LINES.get().map_or(0, ErrorCounter::dropped_lines)
}

/// Starts the log of the process. `spans` exports spans.
///
/// # Errors
///
/// [`TelemetryError::AlreadyStarted`] the second time, without any effect; tests may ignore it.
pub(super) fn start(log: &Log, spans: Option<SpanLayer>) -> Result<LogGuard, TelemetryError> {
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(MAX_BUFFERED_LINES)
        .thread_name("log")
        .finish(BufWriter::with_capacity(WRITE_BUFFER_BYTES, io::stderr()));
    let counter = writer.error_counter();
    let filter = EnvFilter::builder()
        .parse(&log.level)?
        // Spans are not part of the log.
        .and(filter_fn(|metadata| !metadata.is_span()));
    let lines = WithoutConnectionErrors(line_layer(log.format, writer)).with_filter(filter);
    // Each layer has a filter: a layer without one would disable the caching of disabled events.
    let layers: Vec<_> = spans.into_iter().chain([lines.boxed()]).collect();
    subscriber::set_global_default(Registry::default().with(layers))?;
    drop(DROPPED_LINES.set(counter));
    Ok(LogGuard(guard))
}

/// The layer that writes events as lines.
fn line_layer(format: LogFormat, writer: NonBlocking) -> SpanLayer {
    let is_terminal = io::stderr().is_terminal();
    let lines = layer()
        .with_writer(writer)
        // `eprintln!` would print them, and it panics if standard error is closed, the most likely
        // such error.
        .log_internal_errors(false);
    match resolve_format(format, is_terminal) {
        // Fields next to `level` and `message`, as log collectors expect them.
        LogFormat::Json => {
            let json = Format::default()
                .json()
                .flatten_event(true)
                .with_span_list(false)
                .with_current_span(false);
            lines
                .fmt_fields(format::JsonFields::new())
                .event_format(JsonWithTraceId(json))
                .boxed()
        }
        // Keep the default for colors on a terminal, because NO_COLOR may disable them.
        _ if is_terminal => lines.fmt_fields(FieldsWithTraceId::default()).boxed(),
        _ => lines
            .fmt_fields(FieldsWithTraceId::default())
            .with_ansi(false)
            .boxed(),
    }
}

/// Resolves `auto`.
fn resolve_format(format: LogFormat, is_terminal: bool) -> LogFormat {
    match format {
        LogFormat::Auto if is_terminal => LogFormat::Pretty,
        LogFormat::Auto => LogFormat::Json,
        LogFormat::Pretty | LogFormat::Json => format,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn starting_twice_is_an_error() {
        let log = Settings::defaults().unwrap().log;
        // Another test of this process may have started it already.
        let _ = start(&log, None);
        assert!(matches!(
            start(&log, None),
            Err(TelemetryError::AlreadyStarted(_))
        ));
    }

    #[test]
    fn an_invalid_level_is_an_error() {
        let mut log = Settings::defaults().unwrap().log;
        log.level = "info,switchboard=loud".to_owned();
        assert!(matches!(start(&log, None), Err(TelemetryError::Level(_))));
    }

    #[test]
    fn the_default_format_is_pretty_on_a_terminal_only() {
        assert_eq!(resolve_format(LogFormat::Auto, true), LogFormat::Pretty);
        assert_eq!(resolve_format(LogFormat::Auto, false), LogFormat::Json);
        assert_eq!(resolve_format(LogFormat::Pretty, false), LogFormat::Pretty);
        assert_eq!(resolve_format(LogFormat::Json, true), LogFormat::Json);
    }
}
