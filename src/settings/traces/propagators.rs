//! `OTEL_PROPAGATORS`

use super::{lists::parse_list, variables::Variables};

/// A format of the trace context in headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagator {
    /// W3C Trace Context: `traceparent` and `tracestate`.
    TraceContext,
    /// W3C Baggage: `baggage`.
    Baggage,
    /// B3 in one header: `b3`.
    B3,
    /// B3 in several headers: `x-b3-traceid` and others.
    B3Multi,
}

impl Propagator {
    /// The default of the specification.
    pub(crate) const DEFAULTS: [Self; 2] = [Self::TraceContext, Self::Baggage];

    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "tracecontext" => Self::TraceContext,
            "baggage" => Self::Baggage,
            "b3" => Self::B3,
            "b3multi" => Self::B3Multi,
            _ => return None,
        })
    }
}

impl Variables<'_> {
    pub(super) fn propagators(&mut self) -> Vec<Propagator> {
        let Some(variable) = self.get("OTEL_PROPAGATORS") else {
            return Propagator::DEFAULTS.to_vec();
        };
        let names = parse_list(variable.1);
        if names == ["none"] {
            return Vec::new();
        }
        let mut propagators = Vec::new();
        for propagator in names.iter().filter_map(|name| Propagator::parse(name)) {
            if !propagators.contains(&propagator) {
                propagators.push(propagator);
            }
        }
        if propagators.is_empty() {
            let reason = "expected none, or a list of tracecontext, baggage, b3 and b3multi; \
                          tracecontext,baggage is used";
            self.ignore(variable, reason);
            return Propagator::DEFAULTS.to_vec();
        }
        if names.iter().any(|name| Propagator::parse(name).is_none()) {
            let reason = "expected none, or a list of tracecontext, baggage, b3 and b3multi; only \
                          these are used";
            self.ignore(variable, reason);
        }
        propagators
    }
}
