//! Checks of the variables that select an implementation, and of those that only the SDK reads.

use super::{
    lists::{parse_key_values, parse_list},
    variables::Variables,
};

const PROTOCOL: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
];
const COMPRESSION: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
    "OTEL_EXPORTER_OTLP_COMPRESSION",
];
const CLIENT_CERTIFICATE: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
];
const HEADERS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_EXPORTER_OTLP_HEADERS",
];
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const SAMPLER_ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";
const SAMPLERS: [&str; 6] = [
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
];
const SPAN_LIMITS: [&str; 3] = [
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_EVENT_COUNT_LIMIT",
    "OTEL_SPAN_LINK_COUNT_LIMIT",
];

impl Variables<'_> {
    pub(super) fn is_disabled(&mut self) -> bool {
        let Some(variable) = self.get("OTEL_SDK_DISABLED") else {
            return false;
        };
        let disabled = variable.1.eq_ignore_ascii_case("true");
        if !disabled && !variable.1.eq_ignore_ascii_case("false") {
            self.ignore(variable, "expected true or false; false is used");
        }
        disabled
    }

    pub(super) fn is_exported(&mut self) -> bool {
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

    pub(super) fn check_exporter(&mut self) {
        if let Some(protocol) = self.first_set(PROTOCOL)
            && !protocol.1.eq_ignore_ascii_case("http/protobuf")
        {
            let reason = "only http/protobuf is supported and used; collectors accept it on port 4318, not on \
                          4317";
            self.ignore(protocol, reason);
        }
        for name in COMPRESSION {
            if let Some(compression) = self.get_unchanged(name)
                && !["none", "gzip"].contains(&compression.1.to_ascii_lowercase().as_str())
            {
                let reason = "expected gzip or none; the value is ignored";
                self.ignore(compression, reason);
            }
        }
        if let Some(certificate) = self.first_set(CLIENT_CERTIFICATE) {
            self.ignore(certificate, "not supported; no client certificate is used");
        }
        if let Some((name, headers)) = self.first_set(HEADERS)
            && !are_headers(headers)
        {
            let reason = "expected name=value,name=value, the values percent-encoded (its value is not \
                          shown); invalid headers are not sent";
            self.ignore_secret(name, reason);
        }
    }

    pub(super) fn check_sampler(&mut self) {
        let Some(sampler) = self.get_unchanged(SAMPLER) else {
            return;
        };
        if !SAMPLERS.contains(&sampler.1) {
            let reason = "expected always_on, always_off or traceidratio, each with or without \
                          parentbased_ before it, in lower case; parentbased_always_on is used";
            self.ignore(sampler, reason);
        } else if sampler.1.ends_with("traceidratio")
            && let Some(argument) = self.get_unchanged(SAMPLER_ARGUMENT)
        {
            let ratio = argument.1.parse().unwrap_or(f64::INFINITY);
            if !(0.0..=1.0).contains(&ratio) {
                let reason = if ratio > 1.0 {
                    "expected a number from 0 to 1; 1 is used"
                } else {
                    "expected a number from 0 to 1; 0 is used"
                };
                self.ignore(argument, reason);
            }
        }
    }

    pub(super) fn check_span_limits(&mut self) {
        for name in SPAN_LIMITS {
            if let Some(limit) = self.get_unchanged(name)
                && limit.1.parse::<u32>().is_err()
            {
                self.ignore(limit, "expected an integer; 128 is used");
            }
        }
    }
}

fn are_headers(text: &str) -> bool {
    let headers = parse_key_values(text);
    headers.is_some_and(|headers| {
        headers.iter().all(|(name, value)| {
            name.parse::<reqwest::header::HeaderName>().is_ok()
                && value.parse::<reqwest::header::HeaderValue>().is_ok()
        })
    })
}
