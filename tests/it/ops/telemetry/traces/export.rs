//! The export of spans: batches, failures of the collector, variables of the exporter.

use std::net::SocketAddr;

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use reqwest::Method;
use tokio::net::TcpListener;

use super::{TRACE, attributes, request_in_trace, spans_of_kind, start_traced};
use crate::{
    ops::telemetry::request,
    support::{
        collector::{Collector, hex},
        eventually,
        metrics::Metrics,
        ports::free_port,
    },
};

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
    let collector_address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let url = format!("http://{collector_address}");
    let mut program = start_traced(&[], &url, &[]);
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
    // Once, for any number of failures, with the reason.
    let failures: Vec<&str> = ended
        .stderr
        .lines()
        .filter(|line| line.contains("export failed"))
        .collect();
    assert_eq!(failures.len(), 1, "{}", ended.stderr);
    assert!(failures[0].contains("Connection refused"), "{failures:?}");
    assert!(!ended.stderr.contains("collector request failed"));
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
async fn unsupported_variables_are_logged_and_do_not_prevent_the_start() {
    let collector = Collector::new().await;
    let others = [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
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

#[tokio::test]
async fn the_exporter_reads_headers_and_compression() {
    let collector = Collector::new().await;
    let others = [
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "authorization=Basic%20a2V5, x-tenant=a",
        ),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
    ];
    let mut program = start_traced(&[], &collector.url(), &others);
    let address = program.address().await;
    assert_eq!(request(address, Method::GET, "/livez").await, 200);
    collector.wait_for_spans(1).await;
    let head = collector.heads().remove(0);
    for header in [
        "authorization: Basic a2V5\r\n",
        "x-tenant: a\r\n",
        "content-encoding: gzip\r\n",
    ] {
        assert!(head.contains(header), "{head}");
    }
    assert_eq!(program.log_events("environment variable ignored").len(), 0);
}
