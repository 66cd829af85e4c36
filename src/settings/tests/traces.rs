//! The standard variables of OpenTelemetry.

use super::*;

const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");

fn read(variables: &[(&str, &str)]) -> Result<Option<Traces>, SettingsError> {
    Settings::load(None, variables.iter().copied()).map(|settings| settings.traces)
}

#[test]
fn tracing_is_disabled_without_an_exporter() {
    for variables in [
        &[][..],
        &[("OTEL_TRACES_SAMPLER", "always_on")],
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")],
        &[ENDPOINT, ("OTEL_SDK_DISABLED", "TRUE")],
        &[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")],
    ] {
        assert!(read(variables).unwrap().is_none(), "{variables:?}");
    }
}

#[test]
fn the_endpoint_is_the_general_one_or_the_one_for_traces() {
    let traces_endpoint = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://x.example/in");
    for (variables, expected) in [
        (&[ENDPOINT][..], "http://collector:4318/v1/traces"),
        (&[ENDPOINT, traces_endpoint], "https://x.example/in"),
        (&[traces_endpoint], "https://x.example/in"),
    ] {
        assert_eq!(read(variables).unwrap().unwrap().endpoint, expected);
    }
}

#[test]
fn propagators_are_those_of_the_specification() {
    use Propagator::{B3, B3Multi, Baggage, TraceContext};
    for (value, expected) in [
        ("", &[TraceContext, Baggage][..]),
        ("none", &[]),
        ("b3", &[B3]),
        ("B3Multi, tracecontext,b3multi", &[B3Multi, TraceContext]),
    ] {
        // They do not depend on the exporter.
        let settings = Settings::load(None, [("OTEL_PROPAGATORS", value)]).unwrap();
        assert_eq!(settings.propagators, expected, "{value}");
        assert_eq!(settings.ignored_variables, [], "{value}");
    }
}

/// The ignored ones of these variables, with an endpoint set, and the resulting settings.
fn ignored(variables: &[(&str, &str)]) -> (Vec<IgnoredVariable>, Traces) {
    let all = [&[ENDPOINT][..], variables].concat();
    let settings = Settings::load(None, all.iter().copied()).unwrap();
    (settings.ignored_variables, settings.traces.unwrap())
}

#[test]
fn unsupported_values_are_reported_and_the_default_is_used() {
    let default = read(&[ENDPOINT]).unwrap().unwrap();
    for (variable, value, expected) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "port 4318"),
        (
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
            "http/json",
            "port 4318",
        ),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "deflate", "is ignored"),
        (
            "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
            "zstd",
            "is ignored",
        ),
        (
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
            "/x.pem",
            "no client",
        ),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0", "10000 is used"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "10000 is used"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere.pem", "PEM"),
        ("OTEL_TRACES_EXPORTER", "otlp,console", "otlp alone is used"),
        ("OTEL_TRACES_EXPORTER", "otlp,none", "otlp alone is used"),
        (
            "OTEL_TRACES_SAMPLER",
            "jaeger_remote",
            "parentbased_always_on is used",
        ),
        (
            "OTEL_TRACES_SAMPLER",
            "parentbased_xray",
            "parentbased_always_on is used",
        ),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many", "2048 is used"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "-1", "512 is used"),
        ("OTEL_BSP_SCHEDULE_DELAY", "1.5", "5000 is used"),
        ("OTEL_PROPAGATORS", "xray", "tracecontext,baggage is used"),
        (
            "OTEL_PROPAGATORS",
            "tracecontext,jaeger,baggage",
            "only these are used",
        ),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "-1", "128 is used"),
        (
            "OTEL_TRACES_SAMPLER",
            "ALWAYS_OFF",
            "parentbased_always_on is used",
        ),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=b,c", "none of it is used"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=b,=c", "none of it is used"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=%ff", "none of it is used"),
        ("OTEL_SDK_DISABLED", "yes", "false is used"),
    ] {
        let (ignored, traces) = ignored(&[(variable, value)]);
        let [warning] = ignored.as_slice() else {
            panic!("{variable}={value}: {ignored:?}");
        };
        assert_eq!(warning.variable, variable);
        let message = warning.to_string();
        assert!(
            message.starts_with(&format!("{variable}={value:?}: ")),
            "{message}"
        );
        assert!(message.contains(expected), "{message}");
        let compared = |traces: &Traces| {
            let times = (
                traces.timeout,
                traces.schedule_delay,
                traces.max_queue_size,
                traces.max_batch_size,
            );
            (times, traces.attributes.clone())
        };
        assert_eq!(compared(&traces), compared(&default), "{variable}={value}");
    }
    for (ratio, expected) in [
        ("1.5", "1 is used"),
        ("half", "1 is used"),
        ("-0.5", "0 is used"),
        ("NaN", "0 is used"),
    ] {
        let variables = [
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", ratio),
        ];
        let warning = ignored(&variables).0.remove(0);
        assert_eq!(warning.variable, "OTEL_TRACES_SAMPLER_ARG");
        assert!(warning.reason.ends_with(expected), "{warning}");
    }
}

#[test]
fn supported_values_in_any_case_and_blank_values_are_not_reported() {
    for (variable, value) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "HTTP/Protobuf"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "NONE"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", " 500 "),
        ("OTEL_TRACES_EXPORTER", "OTLP"),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "GZIP"),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_PROPAGATORS", "TraceContext, baggage"),
        ("OTEL_PROPAGATORS", "none"),
        ("OTEL_SDK_DISABLED", "False"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=b,"),
        // No effect with the default sampler.
        ("OTEL_TRACES_SAMPLER_ARG", "endpoint=http://x"),
        ("OTEL_METRICS_EXPORTER", "otlp"),
    ] {
        assert_eq!(ignored(&[(variable, value)]).0, [], "{variable}={value}");
        for blank in ["", " ", "\n"] {
            assert_eq!(ignored(&[(variable, blank)]).0, [], "{variable}={blank:?}");
        }
    }
}

#[test]
fn tracing_is_disabled_by_an_unusable_exporter_and_secrets_are_not_printed() {
    for variable in [
        ("OTEL_TRACES_EXPORTER", "console"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "us3r:pa55@collector:4317"),
        (
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "grpc://pa55@collector",
        ),
    ] {
        let all = [ENDPOINT, variable];
        let settings = Settings::load(None, all).unwrap();
        assert!(settings.traces.is_none(), "{variable:?}");
        let message = format!("{} {settings:?}", settings.ignored_variables[0]);
        assert!(message.contains("tracing is disabled"), "{message}");
        assert!(!message.contains("pa55"), "{message}");
    }
    let (warnings, _) = ignored(&[("OTEL_EXPORTER_OTLP_HEADERS", "x y=pa55")]);
    assert_eq!(warnings[0].variable, "OTEL_EXPORTER_OTLP_HEADERS");
    assert!(!format!("{warnings:?}").contains("pa55"));
    let headers = (
        "OTEL_EXPORTER_OTLP_HEADERS",
        "authorization=Basic%20pa55, x=1",
    );
    assert_eq!(ignored(&[headers]).0, []);
}

#[test]
fn attributes_are_decoded_and_the_service_name_variable_takes_precedence() {
    for (variables, expected) in [
        (&[][..], &[][..]),
        (
            &[("OTEL_RESOURCE_ATTRIBUTES", "team=a%20b, x%2Cy=%C3%BC=1")],
            &[("team", "a b"), ("x,y", "\u{fc}=1")],
        ),
        (
            &[("OTEL_RESOURCE_ATTRIBUTES", "a=b, service.name=c")],
            &[("a", "b"), ("service.name", "c")],
        ),
        (
            &[
                ("OTEL_RESOURCE_ATTRIBUTES", "service.name=c,a=b"),
                ("OTEL_SERVICE_NAME", "d"),
            ],
            &[("a", "b"), ("service.name", "d")],
        ),
    ] {
        let attributes = ignored(variables).1.attributes;
        let attributes = attributes.iter().map(|(name, value)| (&**name, &**value));
        assert_eq!(attributes.collect::<Vec<_>>(), expected, "{variables:?}");
    }
}
