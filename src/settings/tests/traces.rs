//! The standard variables of OpenTelemetry.

use super::*;

const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");

fn read(variables: &[(&str, &str)]) -> Result<Option<Traces>, SettingsError> {
    Settings::load(None, variables.iter().copied()).map(|settings| settings.traces)
}

#[test]
fn nothing_is_traced_unless_somebody_collects_it() {
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
fn the_endpoint_is_one_for_all_or_one_for_traces() {
    let of_traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://x.example/in");
    for (variables, expected) in [
        (&[ENDPOINT][..], "http://collector:4318/v1/traces"),
        (&[ENDPOINT, of_traces], "https://x.example/in"),
        (&[of_traces], "https://x.example/in"),
    ] {
        assert_eq!(read(variables).unwrap().unwrap().endpoint, expected);
    }
}

#[test]
fn samplers_are_those_of_the_specification() {
    for (sampler, argument, ratio, follows) in [
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
        assert_eq!(traces.sampling, Sampling { ratio, follows }, "{sampler}");
    }
}

#[test]
fn what_is_wrong_is_refused_and_names_the_variable() {
    for (name, value, expected) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "port 4318"),
        (
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
            "http/json",
            "port 4318",
        ),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", "expected none"),
        (
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "collector:4318",
            "http://",
        ),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0", "from 1 to 60000"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere.pem", "PEM"),
        ("OTEL_TRACES_EXPORTER", "zipkin", "otlp or none"),
        ("OTEL_TRACES_SAMPLER", "sometimes", "parentbased_"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many", "from 1 to 65536"),
    ] {
        let error = read(&[ENDPOINT, (name, value)]).unwrap_err().to_string();
        let begins = format!("setting `{name}` (environment variable {name}): expected ");
        assert!(
            error.starts_with(&begins) && error.contains(expected),
            "{error}"
        );
    }
    let variables = [
        ENDPOINT,
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
    ];
    let error = read(&variables).unwrap_err().to_string();
    assert!(error.contains("OTEL_TRACES_SAMPLER_ARG"), "{error}");
}

#[test]
fn the_service_has_a_name_unless_it_is_given_one() {
    for (variable, is_named) in [
        (("OTEL_RESOURCE_ATTRIBUTES", "a=b"), false),
        (("OTEL_RESOURCE_ATTRIBUTES", "a=b, service.name=c"), true),
        (("OTEL_SERVICE_NAME", "c"), true),
    ] {
        let traces = read(&[ENDPOINT, variable]).unwrap().unwrap();
        assert_eq!(traces.is_named, is_named, "{variable:?}");
    }
}
