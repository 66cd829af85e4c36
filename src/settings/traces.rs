//! Tracing, configured by the standard variables of OpenTelemetry, `OTEL_...`.
//!
//! The SDK reads most of them itself: sampler, limits of spans, headers and compression of the exporter. The variables
//! in this file are those that it does not read, does not decode, or accepts without a bound. All are checked
//! (`traces/checks.rs`), because the SDK ignores an invalid value silently.
//!
//! Such variables are often set for a whole cluster, for programs in many languages. Therefore an unsupported value is
//! not an error, unlike in the program's own settings: a warning is logged and the default is used. The specification
//! requires the same for invalid values, and treats an empty variable as unset.

use std::{fmt, fs, ops::RangeInclusive, time::Duration};

use reqwest::Url;

pub use self::{ignored::IgnoredVariable, propagators::Propagator};
use self::{lists::parse_key_values, variables::Variables};
use super::environment::Environment;

mod checks;
mod ignored;
mod lists;
mod propagators;
mod variables;

const ENDPOINT: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
];
const TIMEOUT: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
];
const CERTIFICATE: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
];
/// The path of traces below `OTEL_EXPORTER_OTLP_ENDPOINT`.
const PATH: &str = "v1/traces";
const MAX_QUEUE_SIZE: u64 = 65_536;
const QUEUE_SIZE_REASON: &str = "expected an integer from 1 to 65536; 2048 is used";
const BATCH_SIZE_REASON: &str = "expected an integer from 1 to 65536; 512 is used";
const DELAY_REASON: &str = "expected milliseconds from 1 to 3600000; 5000 is used";
const TIMEOUT_REASON: &str = "expected milliseconds from 1 to 60000; 10000 is used";

/// The export of traces.
#[derive(Clone)]
pub struct Traces {
    /// The complete URL that traces are sent to.
    pub endpoint: String,
    /// Timeout of one export request; never zero.
    pub timeout: Duration,
    /// Trusted certificates, in PEM, in addition to those of the system.
    pub authorities: Option<String>,
    /// Maximum number of spans in the queue, at least 1.
    pub max_queue_size: usize,
    /// Maximum number of spans of one export, at least 1.
    pub max_batch_size: usize,
    /// Maximum time until a span is exported; never zero.
    pub schedule_delay: Duration,
    /// The resource attributes, including `service.name` if it is set.
    pub attributes: Vec<(String, String)>,
}

/// The endpoint may contain a password.
impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut output = f.debug_struct("Traces");
        output.field("attributes", &self.attributes);
        output.finish_non_exhaustive()
    }
}

/// Reads the variables: `None` if tracing is disabled, the propagators, and the ignored variables.
pub(super) fn from_environment(
    environment: &Environment,
) -> (Option<Traces>, Vec<Propagator>, Vec<IgnoredVariable>) {
    let mut variables = Variables::new(environment);
    let propagators = variables.propagators();
    let traces = variables.traces();
    (traces, propagators, variables.ignored)
}

impl Variables<'_> {
    fn traces(&mut self) -> Option<Traces> {
        if self.is_disabled() || !self.is_exported() {
            return None;
        }
        let endpoint = self.endpoint()?;
        self.check_exporter();
        self.check_sampler();
        self.check_span_limits();
        Some(Traces {
            endpoint,
            timeout: self.milliseconds(TIMEOUT, 1..=60_000, 10_000, TIMEOUT_REASON),
            authorities: self.ca_certificates(),
            max_queue_size: self.size("OTEL_BSP_MAX_QUEUE_SIZE", 2_048, QUEUE_SIZE_REASON),
            max_batch_size: self.size("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512, BATCH_SIZE_REASON),
            schedule_delay: self.milliseconds(
                ["OTEL_BSP_SCHEDULE_DELAY"; 2],
                1..=3_600_000,
                5_000,
                DELAY_REASON,
            ),
            attributes: self.attributes(),
        })
    }

    fn endpoint(&mut self) -> Option<String> {
        let (name, url) = self.first_set(ENDPOINT)?;
        let is_http = url.starts_with("http://") || url.starts_with("https://");
        let parsed = Url::parse(url).ok().filter(|_| is_http);
        let Some(parsed) = parsed else {
            let reason = "expected a URL that begins with http:// or https:// (its value is not shown); \
                          tracing is disabled";
            self.ignore_secret(name, reason);
            return None;
        };
        // The encoded form: the exporter accepts ASCII only.
        let url = String::from(parsed);
        let is_complete = name == ENDPOINT[0];
        Some(if is_complete {
            url
        } else {
            format!("{}/{PATH}", url.trim_end_matches('/'))
        })
    }

    /// A number within bounds. The SDK would accept a queue that does not fit into memory, and a delay of zero.
    fn number(
        &mut self,
        names: [&'static str; 2],
        allowed: RangeInclusive<u64>,
        default: u64,
        reason: &'static str,
    ) -> u64 {
        let Some(variable) = self.first_set(names) else {
            return default;
        };
        let number = variable.1.parse().ok().filter(|n| allowed.contains(n));
        number.unwrap_or_else(|| {
            self.ignore(variable, reason);
            default
        })
    }

    fn milliseconds(
        &mut self,
        names: [&'static str; 2],
        allowed: RangeInclusive<u64>,
        default: u64,
        reason: &'static str,
    ) -> Duration {
        Duration::from_millis(self.number(names, allowed, default, reason))
    }

    fn size(&mut self, name: &'static str, default: u64, reason: &'static str) -> usize {
        let size = self.number([name; 2], 1..=MAX_QUEUE_SIZE, default, reason);
        usize::try_from(size).unwrap_or(usize::MAX)
    }

    fn ca_certificates(&mut self) -> Option<String> {
        let variable = self.first_set(CERTIFICATE)?;
        let text = fs::read_to_string(variable.1).ok();
        let text = text.filter(|text| text.contains("-----BEGIN CERTIFICATE-----"));
        if text.is_none() {
            let reason = "expected a readable file with PEM certificates; only the certificates that the \
                          system trusts are used";
            self.ignore(variable, reason);
        }
        text
    }

    /// `OTEL_SERVICE_NAME` takes precedence over `service.name` in `OTEL_RESOURCE_ATTRIBUTES`. The SDK does not decode
    /// values.
    fn attributes(&mut self) -> Vec<(String, String)> {
        let mut attributes = Vec::new();
        if let Some(variable) = self.get("OTEL_RESOURCE_ATTRIBUTES") {
            attributes = parse_key_values(variable.1).unwrap_or_else(|| {
                let reason = "expected name=value,name=value, percent-encoded; none of it is used";
                self.ignore(variable, reason);
                Vec::new()
            });
        }
        if let Some((_, name)) = self.get("OTEL_SERVICE_NAME") {
            attributes.retain(|(key, _)| key != "service.name");
            attributes.push(("service.name".to_owned(), name.to_owned()));
        }
        attributes
    }
}
