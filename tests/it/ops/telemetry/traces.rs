//! Traces, received by a collector of the test.

use std::{collections::HashMap, net::SocketAddr};

use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use reqwest::{Client, Method};

use super::create;
use crate::support::{
    CatalogFile, TestRedis,
    backends::{Backend, MockResponse, http_service, ors_service},
    collector::{Collector, hex, string_attributes},
    eventually,
    program::Program,
    random_prefix,
};

mod export;
mod propagation;
mod sampling;

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
    let request = request.header("tracestate", "other=1, third=2");
    let request = request.header("baggage", "user=YWxpY2U=");
    let request = request.header("baggage", "part=100%25;p=%2C");
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
    assert_eq!(server.trace_state, "vendor=opaque,other=1,third=2");
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
        // The last spans: the others have ended before.
        let spans = collector.spans();
        let has_server = !spans_of_kind(&spans, SpanKind::Server).is_empty();
        let has_create = spans.iter().any(|span| span.name == "finish_create");
        (has_server && has_create).then_some(spans)
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
    assert_eq!(
        received.header("tracestate"),
        "vendor=opaque,other=1,third=2"
    );
    // Baggage is passed on as it was received.
    assert_eq!(
        received.header("baggage"),
        "user=YWxpY2U=,part=100%25;p=%2C"
    );
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
    let received = backend.last_request();
    assert_eq!(received.header("traceparent"), header);
    assert_eq!(
        received.header("tracestate"),
        "vendor=opaque,other=1, third=2"
    );
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
