//! Samplers.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use reqwest::Method;

use super::{TRACE, request_in_trace, spans_of_kind, start_traced};
use crate::{
    ops::telemetry::request,
    support::collector::{Collector, hex},
};

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
async fn only_a_parent_based_sampler_uses_the_decision_of_the_parent() {
    // The trace is sampled by ratios of 0.64 or more.
    for (sampler, ratio, flags, is_sampled) in [
        ("parentbased_always_off", "", "01", true),
        ("parentbased_always_on", "", "00", false),
        ("parentbased_traceidratio", "0", "01", true),
        ("always_off", "", "01", false),
        ("always_on", "", "00", true),
        ("traceidratio", "0.63", "01", false),
        ("traceidratio", "0.65", "00", true),
    ] {
        let collector = Collector::new().await;
        let variables = [
            ("OTEL_TRACES_SAMPLER", sampler),
            ("OTEL_TRACES_SAMPLER_ARG", ratio),
        ];
        let mut program = start_traced(&[], &collector.url(), &variables);
        let address = program.address().await;
        let status = request_in_trace(address, Method::GET, "/livez", flags).await;
        assert_eq!(status, 200);
        program.signal("TERM");
        assert_eq!(program.wait().await.code, Some(0));
        let spans = collector.spans();
        assert_eq!(spans.len(), usize::from(is_sampled), "{sampler} {ratio}");
        for span in spans_of_kind(&spans, SpanKind::Server) {
            assert_eq!(hex(&span.trace_id), TRACE);
        }
    }
}
