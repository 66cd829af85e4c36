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
fn samplers_are_those_of_the_specification() {
    for (sampler, argument, ratio, parent_based) in [
        ("", "", 1.0, true),
        ("always_on", "0.5", 1.0, false),
        ("always_off", "", 0.0, false),
        ("traceidratio", "0.25", 0.25, false),
        ("traceidratio", "", 1.0, false),
        ("parentbased_always_on", "", 1.0, true),
        ("parentbased_always_off", "", 0.0, true),
        ("parentbased_traceidratio", "0.01", 0.01, true),
    ] {
        let variables = [
            ENDPOINT,
            ("OTEL_TRACES_SAMPLER", sampler),
            ("OTEL_TRACES_SAMPLER_ARG", argument),
        ];
        let traces = read(&variables).unwrap().unwrap();
        assert_eq!(
            traces.sampling,
            Sampling {
                ratio,
                parent_based
            },
            "{sampler}"
        );
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
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", "none is"),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "zstd", "none is"),
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
        ("OTEL_PROPAGATORS", "b3", "tracecontext is used"),
        (
            "OTEL_PROPAGATORS",
            "tracecontext,b3multi",
            "tracecontext is used",
        ),
        ("OTEL_PROPAGATORS", "none,b3", "tracecontext is used"),
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
            let attributes = traces.attributes.clone();
            (times, attributes, traces.sampling, traces.propagates)
        };
        assert_eq!(compared(&traces), compared(&default), "{variable}={value}");
    }
    let ratio = [
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
    ];
    let (warnings, traces) = ignored(&ratio);
    assert_eq!(warnings[0].variable, "OTEL_TRACES_SAMPLER_ARG");
    assert!((traces.sampling.ratio - 1.0).abs() < f64::EPSILON && !traces.sampling.parent_based);
}

#[test]
fn supported_values_in_any_case_and_blank_values_are_not_reported() {
    for (variable, value) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "HTTP/Protobuf"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "NONE"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", " 500 "),
        ("OTEL_TRACES_EXPORTER", "OTLP"),
        ("OTEL_TRACES_SAMPLER", "ParentBased_Always_On"),
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
    assert!(!ignored(&[("OTEL_PROPAGATORS", "none")]).1.propagates);
    assert!(ignored(&[]).1.propagates);
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
    let (warnings, traces) = ignored(&[("OTEL_EXPORTER_OTLP_HEADERS", "x y=pa55")]);
    assert!(traces.headers.is_empty() && !format!("{warnings:?}").contains("pa55"));
    let headers = (
        "OTEL_EXPORTER_OTLP_HEADERS",
        "authorization=Basic%20pa55, x=1",
    );
    let (warnings, traces) = ignored(&[headers, ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "")]);
    assert!(warnings.is_empty() && !format!("{traces:?}").contains("pa55"));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let expected = [pair("authorization", "Basic pa55"), pair("x", "1")];
    assert_eq!(traces.headers, expected);
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
