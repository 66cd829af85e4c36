//! Client spans: store operations and requests to backends.

use std::fmt;

use opentelemetry::{
    Context, KeyValue,
    context::FutureExt,
    propagation::TextMapPropagator,
    trace::{Span as _, SpanKind, Status, TraceContextExt, Tracer},
};
use opentelemetry_sdk::{propagation::TraceContextPropagator, trace::Span};
use opentelemetry_semantic_conventions::attribute::{
    DB_OPERATION_NAME, DB_SYSTEM_NAME, ERROR_TYPE, HTTP_REQUEST_METHOD, HTTP_RESPONSE_STATUS_CODE,
    SERVER_ADDRESS, SERVER_PORT, URL_FULL,
};

use super::TRACES;

/// A client span; ends on drop.
pub struct ClientSpan(Span);

impl fmt::Debug for ClientSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientSpan({})", self.0.span_context().span_id())
    }
}

/// Starts the span of a store operation, if the current request is sampled.
#[must_use]
pub fn start_store_span(system: &'static str, operation: &'static str) -> Option<ClientSpan> {
    start_span(operation, || {
        vec![
            KeyValue::new(DB_SYSTEM_NAME, system),
            KeyValue::new(DB_OPERATION_NAME, operation),
        ]
    })
}

/// Starts the span of a request to the backend at `base`, a URL without a path.
#[must_use]
pub fn start_backend_span(method: &'static str, base: &str) -> Option<ClientSpan> {
    start_span(method, || {
        let mut attributes = vec![
            KeyValue::new(HTTP_REQUEST_METHOD, method),
            // The rest contains ids and user data.
            KeyValue::new(URL_FULL, format!("{base}/REDACTED")),
        ];
        let uri: Option<hyper::Uri> = base.parse().ok();
        if let Some(host) = uri.as_ref().and_then(hyper::Uri::host) {
            attributes.push(KeyValue::new(SERVER_ADDRESS, host.to_owned()));
        }
        let port = uri.as_ref().map(|uri| {
            let default_port = if uri.scheme_str() == Some("https") {
                443
            } else {
                80
            };
            uri.port_u16().unwrap_or(default_port)
        });
        attributes.extend(port.map(|port| KeyValue::new(SERVER_PORT, i64::from(port))));
        attributes
    })
}

fn start_span(
    name: &'static str,
    attributes: impl FnOnce() -> Vec<KeyValue>,
) -> Option<ClientSpan> {
    let tracer = &TRACES.get()?.tracer;
    Context::map_current(|context| {
        if !context.has_active_span() {
            return None;
        }
        let builder = tracer.span_builder(name).with_kind(SpanKind::Client);
        let builder = builder.with_attributes(attributes());
        Some(ClientSpan(builder.start_with_context(tracer, context)))
    })
}

impl ClientSpan {
    /// Passes the headers of the trace context to `add`.
    pub fn inject_headers(&self, mut add: impl FnMut(&str, &str)) {
        if !TRACES
            .get()
            .is_some_and(|traces| traces.propagation_enabled)
        {
            return;
        }
        let context = Context::new().with_remote_span_context(self.0.span_context().clone());
        let mut headers = std::collections::HashMap::new();
        TraceContextPropagator::new().inject_context(&context, &mut headers);
        for (name, value) in &headers {
            add(name, value);
        }
    }

    /// Records the status of the response.
    pub fn record_response(&mut self, status: u16) {
        let attribute = KeyValue::new(HTTP_RESPONSE_STATUS_CODE, i64::from(status));
        self.0.set_attribute(attribute);
        if status >= 400 {
            self.set_error(status.to_string());
        }
    }

    /// Records an error.
    pub fn record_error(&mut self, reason: &'static str) {
        self.set_error(reason);
    }

    fn set_error(&mut self, kind: impl Into<opentelemetry::Value>) {
        self.0.set_attribute(KeyValue::new(ERROR_TYPE, kind));
        self.0.set_status(Status::error(""));
    }
}

/// Runs `future` in the trace context of the current request, for a task of its own.
pub fn with_current_context<F: Future>(future: F) -> impl Future<Output = F::Output> + use<F> {
    let context = Context::current();
    async move {
        if context.has_active_span() {
            future.with_context(context).await
        } else {
            future.await
        }
    }
}
