//! The `traceparent` header (W3C Trace Context), parsed without allocation.

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// Length of `00-<32 digits>-<16 digits>-<2 digits>`.
const LENGTH: usize = 55;

/// The parent span of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TraceParent {
    pub(super) trace_id: TraceId,
    span_id: SpanId,
    pub(super) is_sampled: bool,
}

impl TraceParent {
    /// `None` for an invalid header, which is ignored.
    pub(super) fn parse(header: &[u8]) -> Option<Self> {
        let (fields, rest) = header.split_at_checked(LENGTH)?;
        let version = parse_hex(fields.get(..2)?)?;
        // Later versions may append fields.
        let is_valid_end = rest.is_empty() || (version > 0 && rest.first() == Some(&b'-'));
        let dashes = [2, 35, 52].iter().all(|at| fields.get(*at) == Some(&b'-'));
        if !is_valid_end || !dashes || version == 0xff {
            return None;
        }
        let trace = TraceId::from(parse_hex(fields.get(3..35)?)?);
        let span = parse_hex(fields.get(36..52)?)?;
        let span = SpanId::from(u64::try_from(span).ok()?);
        let flags = parse_hex(fields.get(53..)?)?;
        let valid = trace != TraceId::INVALID && span != SpanId::INVALID;
        valid.then_some(Self {
            trace_id: trace,
            span_id: span,
            is_sampled: flags & 1 == 1,
        })
    }

    /// The context in OpenTelemetry's type; `state` is the `tracestate` header.
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

/// The trace id in a `traceparent` header.
#[must_use]
pub fn trace_id(header: &[u8]) -> Option<&str> {
    TraceParent::parse(header)?;
    std::str::from_utf8(header.get(3..35)?).ok()
}

/// A number in lower-case hexadecimal digits.
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
    fn a_header_is_parsed() {
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
    fn an_invalid_header_is_ignored() {
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
