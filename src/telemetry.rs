//! Telemetry: the log, metrics and traces of the process.
//!
//! All layers may use this module; it uses no layer, only `settings`, `model`, `memory_budget` and
//! `http_client`.

use tracing::{info, warn};

use self::log::{LogGuard, TelemetryError};
use crate::settings::Settings;

mod connection_errors;
pub mod log;
pub mod metrics;
pub mod traces;

/// Starts the log.
///
/// # Errors
///
/// [`TelemetryError::AlreadyStarted`] the second time, without any effect.
pub fn start_log(settings: &Settings) -> Result<LogGuard, TelemetryError> {
    log::start(&settings.log, None)
}

/// Starts the log and, if it is enabled, tracing. The variables of tracing are often set for a whole cluster, so an
/// invalid one is logged and does not prevent the start of the service.
///
/// # Errors
///
/// [`TelemetryError::AlreadyStarted`] the second time.
pub fn start_log_and_traces(settings: &Settings) -> Result<LogGuard, TelemetryError> {
    traces::set_propagators(&settings.propagators);
    let (spans, error) = match settings.traces.as_ref().map(traces::start) {
        Some(Ok(spans)) => (Some(spans), None),
        Some(Err(error)) => (None, Some(error)),
        None => (None, None),
    };
    let is_enabled = spans.is_some();
    let log = log::start(&settings.log, spans)?;
    for ignored in &settings.ignored_variables {
        let (variable, value) = (ignored.variable, ignored.value.as_deref());
        warn!(
            variable,
            value,
            reason = ignored.reason,
            "environment variable ignored"
        );
    }
    if let Some(error) = error {
        warn!(error, "tracing disabled");
    }
    if is_enabled {
        info!("tracing enabled");
    }
    Ok(log)
}
