//! The server span of a request.

use std::borrow::Cow;

use opentelemetry::{
    Context, KeyValue,
    context::{FutureExt, WithContext},
    trace::{SpanKind, Status, TraceContextExt, Tracer},
};
use opentelemetry_semantic_conventions::attribute::{
    ENDUSER_ID, ERROR_TYPE, HTTP_REQUEST_METHOD, HTTP_RESPONSE_STATUS_CODE, HTTP_ROUTE,
    NETWORK_PROTOCOL_VERSION, URL_PATH, URL_SCHEME,
};

use super::{TRACES, traceparent::TraceParent};

/// The value for an unknown method.
const OTHER_METHOD: &str = "_OTHER";
/// The value for a path without a route.
const UNKNOWN_PATH: &str = "REDACTED";
/// Maximum length of the `gms_user` attribute.
const MAX_USER_CHARS: usize = 256;

/// The request data that become attributes.
#[derive(Debug)]
pub struct RequestAttributes<'a> {
    /// The method, if it is a known one.
    pub method: Option<&'static str>,
    /// The pattern of the route, if there is one.
    pub route: Option<&'static str>,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The HTTP version.
    pub version: &'static str,
    /// The `tracestate` header.
    pub trace_state: Option<&'a str>,
    /// The `gms_user` header.
    pub user: Option<Cow<'a, str>>,
}

/// The server span of a request; ends on drop.
#[derive(Debug)]
pub struct ServerSpan(Context);

impl ServerSpan {
    /// Starts the span if the request with this `traceparent` is sampled. `head` is called only then.
    pub fn start<'a>(
        traceparent: Option<&[u8]>,
        head: impl FnOnce() -> RequestAttributes<'a>,
    ) -> Option<Self> {
        let traces = TRACES.get()?;
        let traceparent = traceparent.filter(|_| traces.propagation_enabled);
        let parent = traceparent.and_then(TraceParent::parse);
        if !traces.sampling.should_sample(parent) {
            return None;
        }
        let RequestAttributes {
            method,
            route,
            scheme,
            version,
            trace_state: state,
            user,
        } = head();
        let name = match (method.unwrap_or("HTTP"), route) {
            (method, Some(route)) => Cow::Owned(format!("{method} {route}")),
            (method, None) => Cow::Borrowed(method),
        };
        let mut attributes = Vec::with_capacity(8);
        attributes.push(KeyValue::new(
            HTTP_REQUEST_METHOD,
            method.unwrap_or(OTHER_METHOD),
        ));
        attributes.push(KeyValue::new(URL_SCHEME, scheme));
        // "REDACTED" is the value of the conventions for removed data.
        attributes.push(KeyValue::new(URL_PATH, route.unwrap_or(UNKNOWN_PATH)));
        attributes.push(KeyValue::new(NETWORK_PROTOCOL_VERSION, version));
        attributes.extend(route.map(|route| KeyValue::new(HTTP_ROUTE, route)));
        if let Some(user) = user {
            let user: String = user.chars().take(MAX_USER_CHARS).collect();
            attributes.push(KeyValue::new(ENDUSER_ID, user));
        }
        let context = parent.map_or_else(Context::new, |parent| {
            Context::new().with_remote_span_context(parent.span_context(state))
        });
        let builder = traces.tracer.span_builder(name);
        let builder = builder.with_kind(SpanKind::Server);
        let span = builder
            .with_attributes(attributes)
            .start_with_context(&traces.tracer, &context);
        Some(Self(context.with_span(span)))
    }

    /// Runs `future` in the context of this span.
    pub fn instrument<F: Future>(&self, future: F) -> WithContext<F> {
        future.with_context(self.0.clone())
    }

    /// The trace id.
    #[must_use]
    pub fn trace_id(&self) -> String {
        self.0.span().span_context().trace_id().to_string()
    }

    /// Ends the span with the status and the exception of the response.
    pub fn end_with_response(&self, status: u16, exception: Option<&'static str>) {
        let span = self.0.span();
        span.set_attribute(KeyValue::new(HTTP_RESPONSE_STATUS_CODE, i64::from(status)));
        // In server spans only status 5xx is an error.
        if status >= 500 {
            let kind = exception.map_or_else(|| status.to_string().into(), Cow::Borrowed);
            span.set_attribute(KeyValue::new(ERROR_TYPE, kind));
            span.set_status(Status::error(""));
        }
        span.end();
    }

    /// Ends the span: the client disconnected.
    pub fn end_cancelled(&self) {
        let span = self.0.span();
        span.set_attribute(KeyValue::new(ERROR_TYPE, "cancelled"));
        span.end();
    }
}
