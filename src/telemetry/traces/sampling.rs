//! The sampling decision, made before a span exists.

use std::cell::Cell;

use opentelemetry::{
    Context,
    trace::{SpanId, SpanKind, TraceContextExt, TraceId},
};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SamplingDecision, ShouldSample};

thread_local! {
    /// The trace id for the next root span of this thread.
    static NEXT_TRACE_ID: Cell<Option<TraceId>> = const { Cell::new(None) };
}

/// The sampler of requests.
#[derive(Debug)]
pub(super) struct RequestSampler {
    sampler: Box<dyn ShouldSample>,
    ids: RandomIdGenerator,
}

impl RequestSampler {
    pub(super) fn new(sampler: Box<dyn ShouldSample>) -> Self {
        Self {
            sampler,
            ids: RandomIdGenerator::default(),
        }
    }

    /// Whether a request with this parent is sampled. If it is and has no parent, the next root span of this thread
    /// has the trace id of the decision.
    pub(super) fn should_sample(&self, parent: &Context) -> bool {
        let parent_id = parent.span().span_context().trace_id();
        let is_root = parent_id == TraceId::INVALID;
        let trace_id = if is_root {
            self.ids.new_trace_id()
        } else {
            parent_id
        };
        let result =
            self.sampler
                .should_sample(Some(parent), trace_id, "", &SpanKind::Server, &[], &[]);
        let is_sampled = result.decision == SamplingDecision::RecordAndSample;
        if is_sampled && is_root {
            NEXT_TRACE_ID.set(Some(trace_id));
        }
        is_sampled
    }
}

/// Uses the trace id of the sampling decision for the root span, and random ids otherwise.
#[derive(Debug, Default)]
pub(super) struct SampledTraceIds(RandomIdGenerator);

impl IdGenerator for SampledTraceIds {
    fn new_trace_id(&self) -> TraceId {
        let next = NEXT_TRACE_ID.take();
        next.unwrap_or_else(|| self.0.new_trace_id())
    }

    fn new_span_id(&self) -> SpanId {
        self.0.new_span_id()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_sdk::trace::Sampler;

    use super::*;

    #[test]
    fn the_root_span_has_the_trace_id_of_the_sampling_decision() {
        let ratio = Sampler::TraceIdRatioBased(0.01);
        let sampler = RequestSampler::new(Box::new(ratio.clone()));
        let root = Context::new();
        while !sampler.should_sample(&root) {}
        let ids = SampledTraceIds::default();
        let id = ids.new_trace_id();
        let again = ratio.should_sample(None, id, "", &SpanKind::Server, &[], &[]);
        assert_eq!(again.decision, SamplingDecision::RecordAndSample, "{id}");
        assert_ne!(ids.new_trace_id(), id);
    }
}
