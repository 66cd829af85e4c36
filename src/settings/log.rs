//! `[log]`: content and format of the log.

use std::time::Duration;

use serde::{Deserialize, Deserializer};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use super::values::{self, choice, millis};

/// `[log]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Directives, validated by `tracing_subscriber::EnvFilter`.
    #[serde(deserialize_with = "level")]
    pub level: String,
    /// The format of a log line.
    #[serde(deserialize_with = "choice")]
    pub format: LogFormat,
    /// The requests that are logged.
    #[serde(deserialize_with = "choice")]
    pub requests: LoggedRequests,
    /// Requests that take longer are slow; never zero.
    #[serde(rename = "slow_request_ms")]
    #[serde(deserialize_with = "millis::<1, 60_000, _>")]
    pub slow_threshold: Duration,
}

/// `log.format`
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `Pretty` on a terminal, `Json` everywhere else.
    Auto,
    /// Human-readable lines.
    Pretty,
    /// One JSON object per line.
    Json,
}

/// `log.requests`
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LoggedRequests {
    /// None.
    None,
    /// Slow requests, and those that failed for a reason other than the client.
    Failed,
    /// All.
    All,
}

fn level<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let expected = "expected error, warn, info, debug, trace or off, optionally followed by \
                    comma-separated target=level, such as info,switchboard=debug";
    values::parsed(from, expected, |text| {
        // `EnvFilter` rejects spaces next to commas.
        let directives: Vec<&str> = values::entries(text).collect();
        let level = directives.join(",");
        let is_valid = !directives.is_empty()
            && directives.into_iter().all(has_level)
            && EnvFilter::builder().parse(&level).is_ok();
        is_valid.then_some(level)
    })
}

/// `EnvFilter` parses a single word that is not a level as a target with all levels, so that `inof`
/// would disable all other targets. Such a word is invalid.
fn has_level(directive: &str) -> bool {
    directive.contains(['=', '[', ']', '{', '}']) || directive.parse::<LevelFilter>().is_ok()
}
