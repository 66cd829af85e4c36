//! What the program tells about itself: `[log]` and `[metrics]`.

use std::time::Duration;

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use super::{error::SettingsError, load::millis, provenance::Layers};

/// `[log]`
#[derive(Clone, Debug)]
pub struct Log {
    /// Directives that `tracing_subscriber::EnvFilter` is known to accept.
    pub level: String,
    /// How a line looks.
    pub format: LogFormat,
    /// Which requests get one.
    pub requests: LoggedRequests,
    /// What takes longer is slow; never zero.
    pub slow_threshold: Duration,
}

/// `log.format`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// `Pretty` on a terminal, `Json` everywhere else.
    Auto,
    /// A line for people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// `log.requests`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoggedRequests {
    /// None.
    None,
    /// Those that failed for a reason that is not the client's, and slow ones.
    Failed,
    /// All.
    All,
}

/// `[metrics]`
#[derive(Clone, Copy, Debug)]
pub struct Metrics {
    /// Whether anything is counted, and told.
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
    // `EnvFilter` takes no spaces beside the commas; people do.
    let directives: Vec<_> = level
        .split(',')
        .map(str::trim)
        .filter(|directive| !directive.is_empty())
        .collect();
    let level = directives.join(",");
    let right = !directives.is_empty()
        && directives.iter().copied().all(has_level)
        && EnvFilter::builder().parse(&level).is_ok();
    if right {
        return Ok(level);
    }
    let expected = "expected error, warn, info, debug, trace or off, and after commas \
                    target=level, such as info,switchboard=debug";
    Err(from.invalid("log.level", expected))
}

/// `EnvFilter` reads a lone word that is no level as a target of which everything is logged, so that
/// `inof` would silence all else. Such a word is refused.
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
