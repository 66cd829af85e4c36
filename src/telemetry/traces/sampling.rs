//! The sampling decision, made before a span exists.

use std::cell::Cell;

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::IdGenerator;

use super::traceparent::TraceParent;
use crate::settings::Sampling;

thread_local! {
    /// The trace id for the next root span of this thread.
    static NEXT_TRACE_ID: Cell<Option<TraceId>> = const { Cell::new(None) };
}

impl Sampling {
    /// Whether a request with this parent is sampled.
    pub(super) fn should_sample(self, parent: Option<TraceParent>) -> bool {
        match parent {
            Some(parent) if self.parent_based => parent.is_sampled,
            Some(parent) => self.should_sample_trace(parent.trace_id),
            None if self.ratio <= 0.0 => false,
            None => {
                let trace = TraceId::from(rand::random::<u128>());
                let is_sampled = trace != TraceId::INVALID && self.should_sample_trace(trace);
                if is_sampled {
                    NEXT_TRACE_ID.set(Some(trace));
                }
                is_sampled
            }
        }
    }

    /// As OpenTelemetry's `traceidratio`: every service with this ratio or a higher one samples the same
    /// trace.
    fn should_sample_trace(self, trace: TraceId) -> bool {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "the ratio is within 0 and 1, and only the low half of the trace id is used"
        )]
        let (bound, low) = (
            (self.ratio * (1_u64 << 63) as f64) as u64,
            u128::from_be_bytes(trace.to_bytes()) as u64,
        );
        low >> 1 < bound
    }
}

/// Uses the trace id of the sampling decision for the root span, and random ids otherwise.
#[derive(Debug)]
pub(super) struct TraceIdGenerator;

impl IdGenerator for TraceIdGenerator {
    fn new_trace_id(&self) -> TraceId {
        let next = NEXT_TRACE_ID.take();
        next.unwrap_or_else(|| TraceId::from(rand::random::<u128>()))
    }

    fn new_span_id(&self) -> SpanId {
        SpanId::from(rand::random::<u64>().max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parent(flags: &str) -> Option<TraceParent> {
        // A trace that is sampled by ratios of 0.64 or more.
        let header = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
        TraceParent::parse(header.as_bytes())
    }

    #[test]
    fn only_a_parent_based_sampler_uses_the_decision_of_the_parent() {
        for (ratio, parent_based, flags, expected) in [
            (0.0, true, "01", true),
            (1.0, true, "00", false),
            (0.0, false, "01", false),
            (1.0, false, "00", true),
            (0.63, false, "01", false),
            (0.65, false, "00", true),
        ] {
            let sampling = Sampling {
                ratio,
                parent_based,
            };
            assert_eq!(
                sampling.should_sample(parent(flags)),
                expected,
                "{sampling:?}"
            );
        }
    }

    #[test]
    fn requests_without_a_parent_are_sampled_by_the_ratio() {
        let sampled = |ratio| {
            let sampling = Sampling {
                ratio,
                parent_based: true,
            };
            (0..20_000).filter(|_| sampling.should_sample(None)).count()
        };
        assert_eq!((sampled(0.0), sampled(1.0)), (0, 20_000));
        // Ten standard deviations.
        let count = sampled(0.1);
        assert!((1_576..2_424).contains(&count), "{count}");
    }

    #[test]
    fn the_root_span_has_the_trace_id_of_the_sampling_decision() {
        let sampling = Sampling {
            ratio: 0.01,
            parent_based: true,
        };
        while !sampling.should_sample(None) {}
        let id = TraceIdGenerator.new_trace_id();
        assert!(sampling.should_sample_trace(id), "{id}");
        assert_ne!(TraceIdGenerator.new_trace_id(), id);
    }
}
