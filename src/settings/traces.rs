//! Tracing, configured by the standard variables of OpenTelemetry, `OTEL_...`.
//!
//! Such variables are often set for a whole cluster, for programs in many languages. Therefore an
//! unsupported value is not an error, unlike in the program's own settings: a warning is logged and the
//! default is used. The specification requires the same for invalid values, ignores the case of choices,
//! and treats an empty variable as unset.

use std::{fmt, fs, time::Duration};

pub use self::ignored::IgnoredVariable;
use self::lists::{parse_key_values, parse_list};
use super::environment::Environment;

mod ignored;
mod lists;

const ENDPOINT: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
];
const PROTOCOL: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
];
const COMPRESSION: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
    "OTEL_EXPORTER_OTLP_COMPRESSION",
];
const TIMEOUT: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
];
const CERTIFICATE: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
];
const CLIENT_CERTIFICATE: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
];
const HEADERS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_EXPORTER_OTLP_HEADERS",
];
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";
const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
/// The path of traces below `OTEL_EXPORTER_OTLP_ENDPOINT`.
const PATH: &str = "v1/traces";
/// Maximum length of a value in a warning.
const MAX_WARNING_VALUE_CHARS: usize = 80;

/// Sampling and export of traces.
#[derive(Clone)]
pub struct Traces {
    /// The complete URL that traces are sent to.
    pub endpoint: String,
    /// Additional request headers; the values may be secret.
    pub headers: Vec<(String, String)>,
    /// Timeout of one export request; never zero.
    pub timeout: Duration,
    /// Trusted certificates, in PEM, in addition to those of the system.
    pub authorities: Option<String>,
    /// The sampler.
    pub sampling: Sampling,
    /// Whether the trace context of incoming requests is used and sent to backends.
    pub propagates: bool,
    /// Maximum number of spans in the queue, at least 1.
    pub max_queue_size: usize,
    /// Maximum number of spans of one export, at least 1.
    pub max_batch_size: usize,
    /// Maximum time until a span is exported; never zero.
    pub schedule_delay: Duration,
    /// The resource attributes, including `service.name` if it is set.
    pub attributes: Vec<(String, String)>,
}

/// Endpoint and headers may contain a password.
impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut output = f.debug_struct("Traces");
        output.field("sampling", &self.sampling);
        output.field("attributes", &self.attributes);
        output.finish_non_exhaustive()
    }
}

/// The sampling decision of requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Sampled fraction of requests without a parent, or of all: 0 to 1.
    pub ratio: f64,
    /// Whether a request with a parent has the sampling decision of its parent.
    pub parent_based: bool,
}

/// Reads the variables: `None` if tracing is disabled, and the ignored variables.
pub(super) fn from_environment(
    environment: &Environment,
) -> (Option<Traces>, Vec<IgnoredVariable>) {
    let mut from = Variables {
        environment,
        ignored: Vec::new(),
    };
    let traces = from.traces();
    (traces, from.ignored)
}

struct Variables<'a> {
    environment: &'a Environment,
    ignored: Vec<IgnoredVariable>,
}

/// The name of a variable and its value, which is not empty.
type Variable<'a> = (&'static str, &'a str);

impl<'a> Variables<'a> {
    fn traces(&mut self) -> Option<Traces> {
        if self.is_disabled() || !self.is_exported() {
            return None;
        }
        let endpoint = self.endpoint()?;
        self.check_transport();
        Some(Traces {
            endpoint,
            headers: self.headers(),
            timeout: Duration::from_millis(self.number(
                TIMEOUT,
                1..=60_000,
                10_000,
                "expected milliseconds from 1 to 60000; 10000 is used",
            )),
            authorities: self.ca_certificates(),
            sampling: self.sampling(),
            propagates: self.propagation_enabled(),
            max_queue_size: self.size(
                "OTEL_BSP_MAX_QUEUE_SIZE",
                2_048,
                "expected an integer from 1 to 65536; 2048 is used",
            ),
            max_batch_size: self.size(
                "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
                512,
                "expected an integer from 1 to 65536; 512 is used",
            ),
            schedule_delay: Duration::from_millis(self.number(
                ["OTEL_BSP_SCHEDULE_DELAY"; 2],
                1..=3_600_000,
                5_000,
                "expected milliseconds from 1 to 3600000; 5000 is used",
            )),
            attributes: self.attributes(),
        })
    }

    /// A variable; an empty one counts as unset.
    fn get(&self, name: &'static str) -> Option<Variable<'a>> {
        let value = self.environment.get(name)?.trim();
        (!value.is_empty()).then_some((name, value))
    }

    fn first_set(&self, names: [&'static str; 2]) -> Option<Variable<'a>> {
        names.into_iter().find_map(|name| self.get(name))
    }

    fn ignore(&mut self, (variable, value): Variable<'_>, reason: &'static str) {
        self.ignored.push(IgnoredVariable {
            variable,
            value: Some(value.chars().take(MAX_WARNING_VALUE_CHARS).collect()),
            reason,
        });
    }

    fn ignore_secret(&mut self, variable: &'static str, reason: &'static str) {
        self.ignored.push(IgnoredVariable {
            variable,
            value: None,
            reason,
        });
    }

    fn is_disabled(&mut self) -> bool {
        let Some(variable) = self.get("OTEL_SDK_DISABLED") else {
            return false;
        };
        let disabled = variable.1.eq_ignore_ascii_case("true");
        if !disabled && !variable.1.eq_ignore_ascii_case("false") {
            self.ignore(variable, "expected true or false; false is used");
        }
        disabled
    }

    fn is_exported(&mut self) -> bool {
        let Some(variable) = self.get("OTEL_TRACES_EXPORTER") else {
            return true;
        };
        let exporters = parse_list(variable.1);
        let has_otlp = exporters.iter().any(|exporter| exporter == "otlp");
        if exporters == ["none"] || exporters == ["otlp"] {
            return has_otlp;
        }
        self.ignore(
            variable,
            if has_otlp {
                "only otlp and none are supported; otlp alone is used"
            } else {
                "only otlp and none are supported; tracing is disabled"
            },
        );
        has_otlp
    }

    fn endpoint(&mut self) -> Option<String> {
        let (name, url) = self.first_set(ENDPOINT)?;
        let uri: Option<hyper::Uri> = url.parse().ok();
        let scheme = uri.as_ref().and_then(hyper::Uri::scheme_str);
        if !matches!(scheme, Some("http" | "https")) {
            let reason = "expected a URL that begins with http:// or https:// (its value is not shown); \
                          tracing is disabled";
            self.ignore_secret(name, reason);
            return None;
        }
        let is_complete = name == ENDPOINT[0];
        Some(if is_complete {
            url.to_owned()
        } else {
            format!("{}/{PATH}", url.trim_end_matches('/'))
        })
    }

    fn check_transport(&mut self) {
        if let Some(protocol) = self.first_set(PROTOCOL)
            && !protocol.1.eq_ignore_ascii_case("http/protobuf")
        {
            let reason = "only http/protobuf is supported and used; collectors accept it on port 4318, not on \
                          4317";
            self.ignore(protocol, reason);
        }
        if let Some(compression) = self.first_set(COMPRESSION)
            && !compression.1.eq_ignore_ascii_case("none")
        {
            self.ignore(compression, "only none is supported and used");
        }
        if let Some(certificate) = self.first_set(CLIENT_CERTIFICATE) {
            self.ignore(certificate, "not supported; no client certificate is used");
        }
    }

    fn headers(&mut self) -> Vec<(String, String)> {
        let Some((name, text)) = self.first_set(HEADERS) else {
            return Vec::new();
        };
        let headers = parse_key_values(text).filter(|headers| {
            headers.iter().all(|(name, value)| {
                name.parse::<hyper::header::HeaderName>().is_ok()
                    && value.parse::<hyper::header::HeaderValue>().is_ok()
            })
        });
        if headers.is_none() {
            let reason = "expected name=value,name=value, the values percent-encoded (its value is not \
                          shown); no headers are sent";
            self.ignore_secret(name, reason);
        }
        headers.unwrap_or_default()
    }

    fn number(
        &mut self,
        names: [&'static str; 2],
        allowed: std::ops::RangeInclusive<u64>,
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

    fn size(&mut self, name: &'static str, default: u64, reason: &'static str) -> usize {
        let size = self.number([name; 2], 1..=65_536, default, reason);
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

    fn sampling(&mut self) -> Sampling {
        let default = Sampling {
            ratio: 1.0,
            parent_based: true,
        };
        let Some(variable) = self.get("OTEL_TRACES_SAMPLER") else {
            return default;
        };
        let sampler = variable.1.to_ascii_lowercase();
        let (parent_based, root) = match sampler.strip_prefix("parentbased_") {
            Some(root) => (true, root),
            None => (false, &*sampler),
        };
        let ratio = match root {
            "always_on" => 1.0,
            "always_off" => 0.0,
            "traceidratio" => self.ratio(),
            _ => {
                let reason = "expected always_on, always_off or traceidratio, each with or without \
                              parentbased_ before it; parentbased_always_on is used";
                self.ignore(variable, reason);
                return default;
            }
        };
        Sampling {
            ratio,
            parent_based,
        }
    }

    fn ratio(&mut self) -> f64 {
        let Some(variable) = self.get("OTEL_TRACES_SAMPLER_ARG") else {
            return 1.0;
        };
        let ratio = variable.1.parse().ok();
        let ratio = ratio.filter(|ratio| (0.0..=1.0).contains(ratio));
        ratio.unwrap_or_else(|| {
            self.ignore(variable, "expected a number from 0 to 1; 1 is used");
            1.0
        })
    }

    fn propagation_enabled(&mut self) -> bool {
        let Some(variable) = self.get("OTEL_PROPAGATORS") else {
            return true;
        };
        let propagators = parse_list(variable.1);
        if propagators == ["none"] {
            return false;
        }
        // Baggage is accepted because the default value contains it; it has no effect.
        let is_supported = |name: &String| matches!(name.as_str(), "tracecontext" | "baggage");
        if !propagators.iter().any(|name| name == "tracecontext")
            || !propagators.iter().all(is_supported)
        {
            let reason = "only tracecontext and none are supported; tracecontext is used";
            self.ignore(variable, reason);
        }
        true
    }

    /// `OTEL_SERVICE_NAME` takes precedence over `service.name` in `OTEL_RESOURCE_ATTRIBUTES`.
    fn attributes(&mut self) -> Vec<(String, String)> {
        let mut attributes = Vec::new();
        if let Some(variable) = self.get(ATTRIBUTES) {
            attributes = parse_key_values(variable.1).unwrap_or_else(|| {
                let reason = "expected name=value,name=value, percent-encoded; none of it is used";
                self.ignore(variable, reason);
                Vec::new()
            });
        }
        if let Some((_, name)) = self.get(SERVICE_NAME) {
            attributes.retain(|(key, _)| key != "service.name");
            attributes.push(("service.name".to_owned(), name.to_owned()));
        }
        attributes
    }
}
