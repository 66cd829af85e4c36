//! Log and metrics: `[log]` and `[metrics]`.

use std::time::Duration;

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use super::{error::SettingsError, load::millis, provenance::Layers};

/// `[log]`
#[derive(Clone, Debug)]
pub struct Log {
    /// Directives, validated by `tracing_subscriber::EnvFilter`.
    pub level: String,
    /// The format of a log line.
    pub format: LogFormat,
    /// The requests that are logged.
    pub requests: LoggedRequests,
    /// Requests that take longer are slow; never zero.
    pub slow_threshold: Duration,
}

/// `log.format`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// `Pretty` on a terminal, `Json` everywhere else.
    Auto,
    /// Human-readable lines.
    Pretty,
    /// One JSON object per line.
    Json,
}

/// `log.requests`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoggedRequests {
    /// None.
    None,
    /// Slow requests, and those that failed for a reason other than the client.
    Failed,
    /// All.
    All,
}

/// `[metrics]`
#[derive(Clone, Copy, Debug)]
pub struct Metrics {
    /// Whether metrics are recorded and served.
    pub enabled: bool,
}

pub(super) fn log(from: &Layers) -> Result<Log, SettingsError> {
    Ok(Log {
        level: level(from)?,
        format: log_format(from)?,
        requests: logged_requests(from)?,
        slow_threshold: millis(from, "log.slow_request_ms")?,
    })
}

pub(super) fn metrics(from: &Layers) -> Result<Metrics, SettingsError> {
    Ok(Metrics {
        enabled: from.boolean("metrics.enabled")?,
    })
}

fn level(from: &Layers) -> Result<String, SettingsError> {
    let level = from.text("log.level")?;
    // `EnvFilter` rejects spaces next to commas.
    let directives: Vec<_> = level
        .split(',')
        .map(str::trim)
        .filter(|directive| !directive.is_empty())
        .collect();
    let level = directives.join(",");
    let is_valid = !directives.is_empty()
        && directives.iter().copied().all(has_level)
        && EnvFilter::builder().parse(&level).is_ok();
    if is_valid {
        return Ok(level);
    }
    let expected = "expected error, warn, info, debug, trace or off, optionally followed by \
                    comma-separated target=level, such as info,switchboard=debug";
    Err(from.invalid("log.level", expected))
}

/// `EnvFilter` parses a single word that is not a level as a target with all levels, so that `inof`
/// would disable all other targets. Such a word is invalid.
fn has_level(directive: &str) -> bool {
    directive.contains(['=', '[', ']', '{', '}']) || directive.parse::<LevelFilter>().is_ok()
}

fn log_format(from: &Layers) -> Result<LogFormat, SettingsError> {
    match from.trimmed_text("log.format")?.as_str() {
        "auto" => Ok(LogFormat::Auto),
        "pretty" => Ok(LogFormat::Pretty),
        "json" => Ok(LogFormat::Json),
        _ => Err(from.invalid("log.format", "expected \"auto\", \"pretty\" or \"json\"")),
    }
}

fn logged_requests(from: &Layers) -> Result<LoggedRequests, SettingsError> {
    match from.trimmed_text("log.requests")?.as_str() {
        "failed" => Ok(LoggedRequests::Failed),
        "all" => Ok(LoggedRequests::All),
        "none" => Ok(LoggedRequests::None),
        _ => Err(from.invalid("log.requests", "expected \"failed\", \"all\" or \"none\"")),
    }
}
