//! Traces, received by a collector of the test.

use std::{collections::HashMap, net::SocketAddr};

use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use reqwest::{Client, Method};
use tokio::net::TcpListener;

use super::{create, request};
use crate::support::{
    CatalogFile, TestRedis,
    backends::{Backend, MockResponse, http_service, ors_service},
    collector::{Collector, hex, string_attributes},
    eventually,
    metrics::Metrics,
    program::Program,
    random_prefix,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// A program that exports spans at once.
fn start_traced(settings: &[(&str, &str)], collector: &str, others: &[(&str, &str)]) -> Program {
    let mut environment = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector),
        ("OTEL_BSP_SCHEDULE_DELAY", "20"),
    ];
    environment.extend_from_slice(others);
    Program::serve_with_environment(settings, &environment)
}

/// Sends a request with [`TRACE`] as its trace.
async fn request_in_trace(address: SocketAddr, method: Method, path: &str, flags: &str) -> u16 {
    let request = Client::new().request(method, format!("http://{address}{path}"));
    let request = request.header("traceparent", format!("00-{TRACE}-{PARENT}-{flags}"));
    let request = request.header("tracestate", "vendor=opaque");
    let response = request.header("gms_user", "jane").send().await.unwrap();
    response.status().as_u16()
}

fn attributes(span: &Span) -> HashMap<String, String> {
    string_attributes(&span.attributes)
}

fn spans_of_kind(spans: &[Span], kind: SpanKind) -> Vec<&Span> {
    spans
        .iter()
        .filter(|span| span.kind == kind as i32)
        .collect()
}

#[tokio::test]
async fn a_sampled_request_continues_its_trace_with_a_span_per_store_operation() {
    let collector = Collector::new().await;
    let redis = TestRedis::shared();
    let (url, prefix) = (redis.url(), random_prefix());
    let settings = [("redis.url", url.as_str()), ("redis.prefix", &prefix)];
    // Requests without a parent are not sampled.
    let sampler = [("OTEL_TRACES_SAMPLER", "parentbased_always_off")];
    let mut program = start_traced(&settings, &collector.url(), &sampler);
    let address = program.address().await;
    let service = create(address, "store", "s3cret-name=s3cret-value").await;
    let path = format!("{service}/storage/s3cret-name");
    assert_eq!(
        request_in_trace(address, Method::GET, &path, "00").await,
        200
    );
    assert_eq!(
        request_in_trace(address, Method::GET, &path, "01").await,
        200
    );
    let spans = collector.wait_for_spans(2).await;

    let [server] = spans_of_kind(&spans, SpanKind::Server)[..] else {
        panic!("{spans:#?}");
    };
    assert_eq!(hex(&server.trace_id), TRACE);
    assert_eq!(hex(&server.parent_span_id), PARENT);
    assert_eq!(server.trace_state, "vendor=opaque");
    let route = "/genesys/1/service/{id}/storage/{key}";
    assert_eq!(server.name, format!("GET {route}"));
    assert!(server.end_time_unix_nano > server.start_time_unix_nano);
    let expected = [
        ("http.request.method", "GET"),
        ("http.route", route),
        ("http.response.status_code", "200"),
        ("url.path", route),
        ("url.scheme", "http"),
        ("network.protocol.version", "1.1"),
        ("enduser.id", "jane"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(attributes(server), HashMap::from(expected));

    let [store] = spans_of_kind(&spans, SpanKind::Client)[..] else {
        panic!("{spans:#?}");
    };
    assert_eq!(hex(&store.trace_id), TRACE);
    assert_eq!(store.parent_span_id, server.span_id);
    assert_eq!(store.name, "read");
    let store_attributes = attributes(store);
    assert_eq!(store_attributes["db.system.name"], "redis");
    assert_eq!(store_attributes["db.operation.name"], "read");

    let resource = collector.resource();
    assert_eq!(resource["service.name"], "switchboard");
    assert_eq!(resource["service.version"], env!("CARGO_PKG_VERSION"));
    let bytes = String::from_utf8_lossy(&collector.bytes()).into_owned();
    let id = service.rsplit('/').next().unwrap();
    for secret in ["s3cret", id] {
        assert!(!bytes.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn a_backend_request_is_part_of_the_trace_and_its_span_is_the_parent_of_the_backend() {
    let collector = Collector::new().await;
    let backend = Backend::new(|received| match received.path.as_str() {
        "/start" => MockResponse::ok("{\"a\": 1}"),
        _ => MockResponse::Json(500, "{}".to_owned()),
    })
    .await;
    let services = http_service(&format!("{}/start", backend.url()))
        + &format!("\"_request.fail\" = '{}/fail?id={{id}}'\n", backend.url());
    let catalog = CatalogFile::new(&services);
    let settings = [("catalog.file", catalog.path())];
    let sampler = [("OTEL_TRACES_SAMPLER", "parentbased_always_off")];
    let mut program = start_traced(&settings, &collector.url(), &sampler);
    let address = program.address().await;
    let start = "/genesys/1/service/web";
    assert_eq!(
        request_in_trace(address, Method::POST, start, "01").await,
        200
    );
    let spans = eventually("the spans arrive", async || {
        let spans = collector.spans();
        let has_server = !spans_of_kind(&spans, SpanKind::Server).is_empty();
        has_server.then_some(spans)
    })
    .await;
    let server = spans_of_kind(&spans, SpanKind::Server)[0];
    let call = spans.iter().find(|span| span.name == "POST").unwrap();
    assert_eq!(call.parent_span_id, server.span_id);
    let call_attributes = attributes(call);
    assert_eq!(call_attributes["http.request.method"], "POST");
    assert_eq!(call_attributes["http.response.status_code"], "200");
    assert_eq!(call_attributes["server.address"], "127.0.0.1");
    assert_eq!(
        call_attributes["server.port"],
        backend.address.port().to_string()
    );
    assert_eq!(
        call_attributes["url.full"],
        format!("{}/REDACTED", backend.url())
    );
    let received = backend.last_request();
    let expected = format!("00-{TRACE}-{}-01", hex(&call.span_id));
    assert_eq!(received.header("traceparent"), expected);
    assert_eq!(received.header("tracestate"), "vendor=opaque");
    // The create continues in a task of its own, which is part of the trace too.
    let finish_create = spans.iter().find(|span| span.name == "finish_create");
    assert_eq!(finish_create.unwrap().parent_span_id, server.span_id);

    // Spans of failures have an error.
    let service = create(address, "web", "").await;
    let before = collector.spans().len();
    let fail = format!("{service}/fail");
    assert_eq!(
        request_in_trace(address, Method::POST, &fail, "01").await,
        502
    );
    let spans = collector.wait_for_spans(before + 3).await;
    let spans = &spans[before..];
    let server = spans_of_kind(spans, SpanKind::Server)[0];
    assert_eq!(attributes(server)["error.type"], "BackendUnreachable");
    let call = spans.iter().find(|span| span.name == "POST").unwrap();
    assert_eq!(attributes(call)["error.type"], "500");
    for span in [server, call] {
        assert_eq!(span.status.as_ref().unwrap().code, StatusCode::Error as i32);
    }
    // The trace context of a request that is not sampled is passed on unchanged.
    assert_eq!(
        request_in_trace(address, Method::POST, start, "00").await,
        200
    );
    let header = format!("00-{TRACE}-{PARENT}-00");
    assert_eq!(backend.last_request().header("traceparent"), header);
}

#[tokio::test]
async fn a_create_on_an_orchestration_server_is_one_trace() {
    let collector = Collector::new().await;
    let backend = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let catalog = CatalogFile::new(&ors_service(&[&backend.url()]));
    let settings = [("catalog.file", catalog.path())];
    let mut program = start_traced(&settings, &collector.url(), &[]);
    let address = program.address().await;
    create(address, "chat", "a=1").await;
    // The request; two requests to the backend; create, attach and settle.
    let spans = collector.wait_for_spans(6).await;
    let server = spans_of_kind(&spans, SpanKind::Server)[0];
    assert_eq!(server.parent_span_id, Vec::<u8>::new());
    let others: Vec<&Span> = spans.iter().filter(|span| *span != server).collect();
    for span in others {
        assert_eq!(span.trace_id, server.trace_id, "{span:#?}");
        assert_eq!(span.parent_span_id, server.span_id, "{span:#?}");
    }
}

#[tokio::test]
async fn remaining_spans_are_exported_at_shutdown() {
    let collector = Collector::new().await;
    let never = [
        ("OTEL_BSP_SCHEDULE_DELAY", "3600000"),
        ("OTEL_SERVICE_NAME", "desk"),
    ];
    let mut program = start_traced(&[], &collector.url(), &never);
    let address = program.address().await;
    for _ in 0..3 {
        assert_eq!(request(address, Method::GET, "/nowhere/at/all").await, 404);
    }
    assert_eq!(collector.spans().len(), 0);
    program.signal("TERM");
    assert_eq!(program.wait().await.code, Some(0));
    let spans = collector.spans();
    assert_eq!(spans.len(), 3);
    assert_eq!(spans[0].name, "GET");
    assert_eq!(attributes(&spans[0])["url.path"], "REDACTED");
    assert_eq!(collector.resource()["service.name"], "desk");
}

#[tokio::test]
async fn requests_do_not_wait_for_an_unavailable_collector_and_export_recovers() {
    let collector_address = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let url = format!("http://{collector_address}");
    let mut program = start_traced(&[], &url, &[("OTEL_EXPORTER_OTLP_TIMEOUT", "200")]);
    let address = program.address().await;
    eventually("spans are lost", async || {
        assert_eq!(request(address, Method::GET, "/livez").await, 200);
        let failed = "trace_spans_total{outcome=\"failed\"}";
        (Metrics::scrape(address).await.value(failed) > 0.5).then_some(())
    })
    .await;
    let collector = Collector::bind(collector_address).await;
    eventually("spans arrive again", async || {
        assert_eq!(request(address, Method::GET, "/livez").await, 200);
        (!collector.spans().is_empty()).then_some(())
    })
    .await;
    program.signal("TERM");
    let ended = program.wait().await;
    assert_eq!(ended.code, Some(0));
    // Once, for any number of failures.
    let warnings = ended.stderr.matches("span export failed").count();
    assert_eq!(warnings, 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("span export recovered"));
}

#[tokio::test]
async fn a_collector_that_never_responds_fills_only_the_queue_and_does_not_prevent_shutdown() {
    // The operating system accepts connections; no one reads from them.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let queue = [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "10"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "60000"),
    ];
    let mut program = start_traced(&[], &url, &queue);
    let address = program.address().await;
    eventually("spans are dropped", async || {
        assert_eq!(request(address, Method::GET, "/livez").await, 200);
        let dropped = "trace_spans_total{outcome=\"dropped\"}";
        (Metrics::scrape(address).await.value(dropped) > 20.0).then_some(())
    })
    .await;
    program.signal("TERM");
    let ended = program.wait().await;
    assert_eq!(ended.code, Some(0));
    assert!(
        ended.stderr.contains("export timed out"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn the_ratio_of_requests_without_a_parent_is_sampled_and_none_if_disabled() {
    let collector = Collector::new().await;
    let half = [
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.5"),
    ];
    let mut program = start_traced(&[], &collector.url(), &half);
    let address = program.address().await;
    for _ in 0..200 {
        assert_eq!(request(address, Method::GET, "/livez").await, 200);
    }
    program.signal("TERM");
    assert_eq!(program.wait().await.code, Some(0));
    let sampled = collector.spans().len();
    // Seven standard deviations.
    assert!((50..150).contains(&sampled), "{sampled}");

    let off = [("OTEL_SDK_DISABLED", "true")];
    let mut program = start_traced(&[], &collector.url(), &off);
    let address = program.address().await;
    request_in_trace(address, Method::GET, "/livez", "01").await;
    program.signal("TERM");
    assert_eq!(program.wait().await.code, Some(0));
    assert_eq!(collector.spans().len(), sampled);
}

#[tokio::test]
async fn unsupported_variables_are_logged_and_do_not_prevent_the_start() {
    let collector = Collector::new().await;
    let others = [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_TRACES_EXPORTER", "otlp,console"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ("OTEL_PROPAGATORS", "none"),
        ("OTEL_SERVICE_NAME", "desk"),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "service.name=other,service.instance.id=pod-1,team=a%20b",
        ),
    ];
    let mut program = start_traced(&[], &collector.url(), &others);
    let address = program.address().await;
    assert_eq!(
        request_in_trace(address, Method::GET, "/none", "01").await,
        404
    );
    let spans = collector.wait_for_spans(1).await;
    let [server] = spans_of_kind(&spans, SpanKind::Server)[..] else {
        panic!("{spans:#?}");
    };
    assert_ne!(hex(&server.trace_id), TRACE);
    let resource = collector.resource();
    assert_eq!(resource["service.name"], "desk");
    assert_eq!(resource["service.instance.id"], "pod-1");
    assert_eq!(resource["team"], "a b");
    assert_eq!(resource["telemetry.sdk.language"], "rust");
    let ignored = program.log_events("environment variable ignored");
    let ignored = ignored
        .iter()
        .map(|line| line["variable"].as_str().unwrap());
    assert_eq!(
        ignored.collect::<Vec<_>>(),
        [
            "OTEL_TRACES_EXPORTER",
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "OTEL_EXPORTER_OTLP_COMPRESSION",
            "OTEL_TRACES_SAMPLER",
        ]
    );
}
