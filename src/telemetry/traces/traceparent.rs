//! The `traceparent` header (W3C Trace Context), read without allocating.

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// Places of `00-<32 digits>-<16 digits>-<2 digits>`.
const LENGTH: usize = 55;

/// The span that a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TraceParent {
    pub(super) trace_id: TraceId,
    span_id: SpanId,
    pub(super) is_sampled: bool,
}

impl TraceParent {
    /// `None` for what is no such header, which counts as none.
    pub(super) fn parse(header: &[u8]) -> Option<Self> {
        let (known, rest) = header.split_at_checked(LENGTH)?;
        let version = parse_hex(known.get(..2)?)?;
        // Later versions may say more behind what this one says.
        let more = rest.is_empty() || (version > 0 && rest.first() == Some(&b'-'));
        let dashes = [2, 35, 52].iter().all(|at| known.get(*at) == Some(&b'-'));
        if !more || !dashes || version == 0xff {
            return None;
        }
        let trace = TraceId::from(parse_hex(known.get(3..35)?)?);
        let span = parse_hex(known.get(36..52)?)?;
        let span = SpanId::from(u64::try_from(span).ok()?);
        let flags = parse_hex(known.get(53..)?)?;
        let valid = trace != TraceId::INVALID && span != SpanId::INVALID;
        valid.then_some(Self {
            trace_id: trace,
            span_id: span,
            is_sampled: flags & 1 == 1,
        })
    }

    /// As OpenTelemetry has it; `state` is the `tracestate` header.
    pub(super) fn span_context(self, state: Option<&str>) -> SpanContext {
        let state = state.and_then(|state| state.parse().ok());
        let flags = if self.is_sampled {
            TraceFlags::SAMPLED
        } else {
            TraceFlags::default()
        };
        let state: TraceState = state.unwrap_or_default();
        SpanContext::new(self.trace_id, self.span_id, flags, true, state)
    }
}

/// The trace that a `traceparent` header names, as it is written there.
#[must_use]
pub fn trace_id(header: &[u8]) -> Option<&str> {
    TraceParent::parse(header)?;
    std::str::from_utf8(header.get(3..35)?).ok()
}

/// A number in small hexadecimal digits.
fn parse_hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_header_is_read() {
        let parent = TraceParent::parse(HEADER.as_bytes()).unwrap();
        let context = parent.span_context(Some("a=1,b=2"));
        assert_eq!(context.trace_id().to_string(), HEADER[3..35]);
        assert_eq!(context.span_id().to_string(), HEADER[36..52]);
        assert!(context.is_sampled() && context.is_remote());
        assert_eq!(context.trace_state().header(), "a=1,b=2");
        assert_eq!(trace_id(HEADER.as_bytes()), Some(&HEADER[3..35]));
        let unsampled = HEADER.replace("-01", "-fe");
        assert!(!TraceParent::parse(unsampled.as_bytes()).unwrap().is_sampled);
        let later = HEADER.replacen("00", "cc", 1) + "-more";
        assert!(TraceParent::parse(later.as_bytes()).is_some());
    }

    #[test]
    fn what_is_no_such_header_is_none() {
        for header in [
            String::new(),
            HEADER[..54].to_owned(),
            HEADER.to_uppercase(),
            HEADER.replace('-', "_"),
            HEADER.replacen("00", "ff", 1),
            HEADER.to_owned() + "-more",
            HEADER.replacen("00", "cc", 1) + "more",
            HEADER.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            HEADER.replace("00f067aa0ba902b7", &"0".repeat(16)),
            HEADER.replace("4b", "é"),
        ] {
            assert_eq!(TraceParent::parse(header.as_bytes()), None, "{header}");
            assert_eq!(trace_id(header.as_bytes()), None, "{header}");
        }
    }
}
