//! The trace context in headers and in the log.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use reqwest::{Client, Method};

use super::{PARENT, TRACE, request_in_trace, spans_of_kind, start_traced};
use crate::support::{
    CatalogFile,
    backends::{Backend, MockResponse, http_service, unreachable_url},
    collector::{Collector, hex},
    eventually,
};

const CREATE: &str = "/genesys/1/service/web";

#[tokio::test]
async fn b3_headers_are_continued_and_passed_on() {
    for (propagator, names) in [
        ("b3", &["b3"][..]),
        ("b3multi", &["x-b3-traceid", "x-b3-spanid", "x-b3-sampled"]),
    ] {
        let headers = |parent: &str, sampled: &str| match propagator {
            "b3" => vec![format!("{TRACE}-{parent}-{sampled}")],
            _ => [TRACE, parent, sampled].map(str::to_owned).to_vec(),
        };
        let collector = Collector::new().await;
        let backend = Backend::new(|_| MockResponse::ok("{}")).await;
        let catalog = CatalogFile::new(&http_service(&format!("{}/start", backend.url())));
        let settings = [("catalog.file", catalog.path())];
        let variables = [("OTEL_PROPAGATORS", propagator)];
        let mut program = start_traced(&settings, &collector.url(), &variables);
        let url = format!("http://{}{CREATE}", program.address().await);
        for sampled in ["0", "1"] {
            let mut request = Client::new().post(&url);
            for (name, value) in names.iter().zip(headers(PARENT, sampled)) {
                request = request.header(*name, value);
            }
            // Not one of the propagators.
            let request =
                request.header("traceparent", format!("00-{}-{PARENT}-01", "1".repeat(32)));
            assert_eq!(request.send().await.unwrap().status(), 200);
            let received = backend.last_request();
            let parent = if sampled == "1" {
                let spans = eventually("the spans arrive", async || {
                    let spans = collector.spans();
                    (!spans_of_kind(&spans, SpanKind::Server).is_empty()).then_some(spans)
                })
                .await;
                let [server] = spans_of_kind(&spans, SpanKind::Server)[..] else {
                    panic!("{spans:#?}");
                };
                assert_eq!(hex(&server.trace_id), TRACE);
                assert_eq!(hex(&server.parent_span_id), PARENT);
                let call = spans.iter().find(|span| span.name == "POST").unwrap();
                hex(&call.span_id)
            } else {
                PARENT.to_owned()
            };
            for (name, value) in names.iter().zip(headers(&parent, sampled)) {
                assert_eq!(received.header(name), value, "{name}");
            }
            assert_eq!(received.header("traceparent"), "");
        }
    }
}

#[tokio::test]
async fn log_events_of_a_sampled_request_have_its_trace_id() {
    let collector = Collector::new().await;
    let backend = format!("{}/start", unreachable_url());
    let catalog = CatalogFile::new(&http_service(&backend));
    let settings = [
        ("catalog.file", catalog.path()),
        ("backend.circuit_breaker_failures", "1"),
    ];
    let mut program = start_traced(&settings, &collector.url(), &[]);
    let address = program.address().await;
    let status = request_in_trace(address, Method::POST, CREATE, "01").await;
    assert_eq!(status, 502);
    for message in [
        "circuit breaker opened: backend does not respond",
        "request",
    ] {
        let line = program.wait_for_log_event(message, |_| true).await;
        assert_eq!(line["trace_id"], TRACE, "{line:#}");
    }
    let line = program.log_events("tracing enabled").pop().unwrap();
    assert!(line.get("trace_id").is_none(), "{line:#}");
}
