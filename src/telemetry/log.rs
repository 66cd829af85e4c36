//! The log, on standard error.
//!
//! Lines are written by a thread of their own, many at a time. Where they come faster than anybody reads
//! them, those beyond a bound are lost and counted, and no request waits.

use std::{
    fmt,
    io::{self, BufWriter, IsTerminal},
    sync::OnceLock,
};

use tracing::subscriber::{self, SetGlobalDefaultError};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{EnvFilter, filter, layer::SubscriberExt};

use super::connection_errors::ConnectionErrors;
use crate::settings::{Log, LogFormat};

/// Why the log could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `log.level` is no filter. Cannot happen with settings that were loaded.
    #[error("log.level cannot be used: {0}")]
    Level(#[from] filter::ParseError),

    /// Somebody in this process listens already, and goes on to.
    #[error("the log has been started before: {0}")]
    AlreadyStarted(#[from] SetGlobalDefaultError),
}

/// Lines that may wait to be written: a few MiB at most.
const MAX_BUFFERED_LINES: usize = 8_192;
/// Bytes that are written in one go.
const WRITE_BUFFER_BYTES: usize = 64 * 1024;

static DROPPED_LINES: OnceLock<ErrorCounter> = OnceLock::new();

/// The log while it is written. Dropped, what waits is written, for no longer than a second; what is logged
/// later is lost.
#[must_use = "lines are written for as long as it is there"]
pub struct LogGuard(WorkerGuard);

impl fmt::Debug for LogGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Lines that came faster than anybody read them.
pub(super) fn dropped_lines() -> usize {
    DROPPED_LINES.get().map_or(0, ErrorCounter::dropped_lines)
}

/// Starts the log, once for the whole process.
///
/// # Errors
///
/// [`TelemetryError::Started`] the second time, which changes nothing: tests may ignore it.
pub fn start(log: &Log) -> Result<LogGuard, TelemetryError> {
    let terminal = io::stderr().is_terminal();
    let (writer, written) = NonBlockingBuilder::default()
        .buffered_lines_limit(MAX_BUFFERED_LINES)
        .thread_name("log")
        .finish(BufWriter::with_capacity(WRITE_BUFFER_BYTES, io::stderr()));
    let counter = writer.error_counter();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::builder().parse(&log.level)?)
        .with_writer(writer)
        // They would be told by `eprintln!`, which panics when standard error is gone; and that it is
        // gone is the most likely such error.
        .log_internal_errors(false);

    match resolve_format(log.format, terminal) {
        LogFormat::Json => subscriber::set_global_default(
            // Our fields stand beside `level` and `message`, where log collectors look for them.
            lines
                .json()
                .flatten_event(true)
                .with_span_list(false)
                .finish()
                .with(ConnectionErrors),
        )?,
        // Colours are left as they are on a terminal, because NO_COLOR may have switched them off.
        _ if terminal => {
            subscriber::set_global_default(lines.finish().with(ConnectionErrors))?;
        }
        _ => {
            subscriber::set_global_default(lines.with_ansi(false).finish().with(ConnectionErrors))?;
        }
    }
    drop(DROPPED_LINES.set(counter));
    Ok(LogGuard(written))
}

/// `format`, decided where it is left open.
fn resolve_format(format: LogFormat, terminal: bool) -> LogFormat {
    match format {
        LogFormat::Auto if terminal => LogFormat::Pretty,
        LogFormat::Auto => LogFormat::Json,
        decided => decided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn starting_twice_is_an_error_and_no_panic() {
        let log = Settings::defaults().unwrap().log;
        // Another test of this process may have been first.
        let _ = start(&log);
        assert!(matches!(
            start(&log),
            Err(TelemetryError::AlreadyStarted(_))
        ));
    }

    #[test]
    fn a_level_that_is_none_is_an_error() {
        let mut log = Settings::defaults().unwrap().log;
        log.level = "info,switchboard=loud".to_owned();
        assert!(matches!(start(&log), Err(TelemetryError::Level(_))));
    }

    #[test]
    fn only_a_terminal_gets_lines_for_people_unless_they_are_asked_for() {
        assert_eq!(resolve_format(LogFormat::Auto, true), LogFormat::Pretty);
        assert_eq!(resolve_format(LogFormat::Auto, false), LogFormat::Json);
        assert_eq!(resolve_format(LogFormat::Pretty, false), LogFormat::Pretty);
        assert_eq!(resolve_format(LogFormat::Json, true), LogFormat::Json);
    }
}
