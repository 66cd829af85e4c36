//! Where traces go, and of which requests: the standard variables of OpenTelemetry, `OTEL_...`.
//!
//! Those that this program decides by are read here, like every other setting, and refused at start where
//! they are wrong. What concerns only the exporter and what traces are marked with (headers, attributes of
//! the resource, the rhythm of exports) is read by OpenTelemetry's SDK itself, which knows no other way.

use std::{fs, time::Duration};

use super::{
    environment::Environment,
    error::{Origin, SettingsError},
};

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
/// Where an `OTEL_EXPORTER_OTLP_ENDPOINT` takes traces.
const PATH: &str = "v1/traces";

/// What is to be traced, and who collects it.
#[derive(Clone, Debug)]
pub struct Traces {
    /// The whole URL that traces are sent to.
    pub endpoint: String,
    /// How long one attempt to send may take; never zero.
    pub timeout: Duration,
    /// Certificates, in PEM, that are trusted beside those of the system.
    pub authorities: Option<String>,
    /// Which requests are traced.
    pub sampling: Sampling,
    /// Spans that may wait to be sent, at least 1.
    pub queue: usize,
    /// Whether the environment says what the service is called.
    pub is_named: bool,
}

/// Which requests are traced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Of those that are part of no trace, or of all: 0 to 1.
    pub ratio: f64,
    /// Whether one that is part of a trace is traced if, and only if, whoever sent it traces it.
    pub follows: bool,
}

/// What the variables say; `None` where nobody is to be told.
pub(super) fn read(environment: &Environment) -> Result<Option<Traces>, SettingsError> {
    let from = Variables(environment);
    let off = from.get("OTEL_SDK_DISABLED");
    if off.is_some_and(|(_, value)| value.eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    match from.get("OTEL_TRACES_EXPORTER") {
        None | Some((_, "otlp")) => {}
        Some((_, "none")) => return Ok(None),
        Some((name, _)) => return Err(wrong(name, "expected otlp or none")),
    }
    let Some(endpoint) = from.endpoint()? else {
        return Ok(None);
    };
    if let Some((name, protocol)) = from.first(PROTOCOL)
        && protocol != "http/protobuf"
    {
        let expected = "expected http/protobuf, which collectors listen for on port 4318; nothing \
                        else is spoken here";
        return Err(wrong(name, expected));
    }
    if let Some((name, compression)) = from.first(COMPRESSION)
        && compression != "none"
    {
        return Err(wrong(name, "expected none; nothing is compressed here"));
    }
    Ok(Some(Traces {
        endpoint,
        timeout: Duration::from_millis(from.number(TIMEOUT, 10_000, 60_000)?),
        authorities: from.authorities()?,
        sampling: from.sampling()?,
        queue: usize::try_from(from.number(["OTEL_BSP_MAX_QUEUE_SIZE"; 2], 2_048, 65_536)?)
            .unwrap_or(usize::MAX),
        is_named: from.is_named(),
    }))
}

struct Variables<'a>(&'a Environment);

/// A variable and its value, which is not empty.
type Variable<'a> = (&'static str, &'a str);

impl<'a> Variables<'a> {
    /// One that is empty is as good as none.
    fn get(&self, name: &'static str) -> Option<Variable<'a>> {
        let value = self.0.get(name)?.trim();
        (!value.is_empty()).then_some((name, value))
    }

    fn first(&self, names: [&'static str; 2]) -> Option<Variable<'a>> {
        names.into_iter().find_map(|name| self.get(name))
    }

    fn endpoint(&self) -> Result<Option<String>, SettingsError> {
        let Some((name, url)) = self.first(ENDPOINT) else {
            return Ok(None);
        };
        let uri: Option<hyper::Uri> = url.parse().ok();
        let scheme = uri.as_ref().and_then(hyper::Uri::scheme_str);
        if !matches!(scheme, Some("http" | "https")) {
            let expected = "expected a URL that begins with http:// or https://";
            return Err(wrong(name, expected));
        }
        let whole = name == ENDPOINT[0];
        Ok(Some(if whole {
            url.to_owned()
        } else {
            format!("{}/{PATH}", url.trim_end_matches('/'))
        }))
    }

    fn number(
        &self,
        names: [&'static str; 2],
        default: u64,
        most: u64,
    ) -> Result<u64, SettingsError> {
        let Some((name, text)) = self.first(names) else {
            return Ok(default);
        };
        let number = text.parse().ok().filter(|n| (1..=most).contains(n));
        let expected = format!("expected a whole number from 1 to {most}");
        number.ok_or_else(|| wrong(name, &expected))
    }

    fn authorities(&self) -> Result<Option<String>, SettingsError> {
        let Some((name, path)) = self.first(CERTIFICATE) else {
            return Ok(None);
        };
        let text = fs::read_to_string(path).ok();
        let text = text.filter(|text| text.contains("-----BEGIN CERTIFICATE-----"));
        let expected = "expected a file with certificates in PEM that can be read";
        text.map(Some).ok_or_else(|| wrong(name, expected))
    }

    fn sampling(&self) -> Result<Sampling, SettingsError> {
        let named = self.get("OTEL_TRACES_SAMPLER");
        let (name, sampler) = named.unwrap_or(("", "parentbased_always_on"));
        let (follows, root) = match sampler.strip_prefix("parentbased_") {
            Some(root) => (true, root),
            None => (false, sampler),
        };
        let ratio = match root {
            "always_on" => 1.0,
            "always_off" => 0.0,
            "traceidratio" => self.ratio()?,
            _ => {
                let expected = "expected always_on, always_off or traceidratio, each with or without \
                                parentbased_ before it";
                return Err(wrong(name, expected));
            }
        };
        Ok(Sampling { ratio, follows })
    }

    fn ratio(&self) -> Result<f64, SettingsError> {
        let Some((name, text)) = self.get("OTEL_TRACES_SAMPLER_ARG") else {
            return Ok(1.0);
        };
        let ratio = text.parse().ok();
        let ratio = ratio.filter(|ratio| (0.0..=1.0).contains(ratio));
        ratio.ok_or_else(|| wrong(name, "expected a number from 0 to 1"))
    }

    fn is_named(&self) -> bool {
        let attributes = self.get("OTEL_RESOURCE_ATTRIBUTES");
        let mut attributes = attributes.into_iter().flat_map(|(_, text)| text.split(','));
        self.get("OTEL_SERVICE_NAME").is_some()
            || attributes.any(|pair| pair.trim_start().starts_with("service.name="))
    }
}

fn wrong(name: &str, expected: &str) -> SettingsError {
    SettingsError::Invalid {
        setting: name.to_owned(),
        origin: Origin::Variable(name.to_owned()),
        expected: expected.to_owned(),
    }
}
