//! Which requests are traced, decided before there is anything of them.

use std::cell::Cell;

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::IdGenerator;

use super::traceparent::TraceParent;
use crate::settings::Sampling;

thread_local! {
    /// The trace that the next root span of this thread begins.
    static NEXT_TRACE_ID: Cell<Option<TraceId>> = const { Cell::new(None) };
}

impl Sampling {
    /// Whether a request that comes from `parent` is traced.
    pub(super) fn should_sample(self, parent: Option<TraceParent>) -> bool {
        match parent {
            Some(parent) if self.parent_based => parent.is_sampled,
            Some(parent) => self.should_sample_trace(parent.trace_id),
            None if self.ratio <= 0.0 => false,
            None => {
                let trace = TraceId::from(rand::random::<u128>());
                let takes = trace != TraceId::INVALID && self.should_sample_trace(trace);
                if takes {
                    NEXT_TRACE_ID.set(Some(trace));
                }
                takes
            }
        }
    }

    /// The same trace is taken or not by everybody who takes this ratio or more: that is how
    /// OpenTelemetry's `traceidratio` decides.
    fn should_sample_trace(self, trace: TraceId) -> bool {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "the ratio is within 0 and 1, and only the low half of a trace's id counts"
        )]
        let (bound, low) = (
            (self.ratio * (1_u64 << 63) as f64) as u64,
            u128::from_be_bytes(trace.to_bytes()) as u64,
        );
        low >> 1 < bound
    }
}

/// Gives a root span the id that was decided on, and all else random ones.
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
        // A trace that is taken from a ratio of 0.64 on.
        let header = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
        TraceParent::parse(header.as_bytes())
    }

    #[test]
    fn whoever_follows_does_what_the_sender_does_and_nobody_else() {
        for (ratio, follows, flags, expected) in [
            (0.0, true, "01", true),
            (1.0, true, "00", false),
            (0.0, false, "01", false),
            (1.0, false, "00", true),
            (0.63, false, "01", false),
            (0.65, false, "00", true),
        ] {
            let sampling = Sampling {
                ratio,
                parent_based: follows,
            };
            assert_eq!(
                sampling.should_sample(parent(flags)),
                expected,
                "{sampling:?}"
            );
        }
    }

    #[test]
    fn of_those_that_come_from_nowhere_the_ratio_is_taken() {
        let taken = |ratio| {
            let sampling = Sampling {
                ratio,
                parent_based: true,
            };
            (0..20_000).filter(|_| sampling.should_sample(None)).count()
        };
        assert_eq!((taken(0.0), taken(1.0)), (0, 20_000));
        // Ten standard deviations.
        let some = taken(0.1);
        assert!((1_576..2_424).contains(&some), "{some}");
    }

    #[test]
    fn the_span_gets_the_id_that_was_decided_on() {
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
