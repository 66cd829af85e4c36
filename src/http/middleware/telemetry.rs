//! What is told of every request: it is counted, gets a line in the log where that is wanted, and a span
//! where it is traced.
//!
//! This stands around each route, and is not there where nothing is to be told. It knows its route from
//! the start, so nothing is looked up, and nothing is allocated for a request that is only counted.

use std::{
    borrow::Cow,
    cell::Cell,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{
    Error,
    dev::{Service, ServiceRequest, ServiceResponse},
    http::{
        Version,
        header::{HeaderMap, HeaderValue},
    },
};
use tracing::{info, warn};

use crate::{
    http::{ApiError, admin_ui::PageError},
    service::{GMS_USER, REQUEST_ID, TRACEPARENT, TRACESTATE},
    settings::{LoggedRequests, Settings},
    telemetry::{
        metrics::{CLIENT_CLOSED_REQUEST, MethodLabel, RouteMetrics},
        traces::{RequestAttributes, ServerSpan, trace_id},
    },
};

/// What stands for the route of a request that has none.
pub(in crate::http) const NO_ROUTE: &str = "none";
/// Longest request id that is logged.
const MAX_REQUEST_ID_BYTES: usize = 200;

/// What is wanted.
#[derive(Debug, Clone, Copy)]
pub struct TelemetryConfig {
    metrics_enabled: bool,
    logged_requests: LoggedRequests,
    slow_threshold: Duration,
    tracing_enabled: bool,
}

impl TelemetryConfig {
    /// What `settings` want.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            metrics_enabled: settings.metrics.enabled,
            logged_requests: settings.log.requests,
            slow_threshold: settings.log.slow_threshold,
            tracing_enabled: settings.traces.is_some(),
        }
    }

    /// Whether requests are counted.
    pub(in crate::http) fn has_metrics(self) -> bool {
        self.metrics_enabled
    }

    /// The same where an answer that the service is not well is no failure.
    pub(in crate::http) fn for_probes(mut self) -> Self {
        if self.logged_requests == LoggedRequests::Failed {
            self.logged_requests = LoggedRequests::None;
        }
        self
    }

    /// The watch of one route, if anything is wanted of it.
    pub(in crate::http) fn for_route(self, route: &'static str) -> Option<Rc<RouteTelemetry>> {
        let counts = self.metrics_enabled.then(|| RouteMetrics::new(route));
        if counts.is_none() && self.logged_requests == LoggedRequests::None && !self.tracing_enabled
        {
            return None;
        }
        Some(Rc::new(RouteTelemetry {
            route,
            metrics: counts,
            config: self,
        }))
    }
}

/// One worker's watch of one route.
pub(in crate::http) struct RouteTelemetry {
    route: &'static str,
    metrics: Option<Arc<RouteMetrics>>,
    config: TelemetryConfig,
}

impl RouteTelemetry {
    /// Passes a request on to `next`, and tells of it.
    pub(in crate::http) fn instrument<S, B>(
        self: &Rc<Self>,
        request: ServiceRequest,
        next: &S,
    ) -> impl Future<Output = Result<ServiceResponse<B>, Error>> + use<S, B>
    where
        S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    {
        let method = MethodLabel::from_name(request.method().as_str());
        let span = self
            .config
            .tracing_enabled
            .then(|| self.start_span(&request, method));
        let flight = InFlightRequest::start(Rc::clone(self), method, span.flatten());
        let answer = next.call(request);
        async move {
            let answer = match &flight.span {
                None => answer.await,
                Some(span) => span.instrument(answer).await,
            };
            match &answer {
                Ok(answer) => flight.record_response(answer),
                Err(error) => flight.record_error(error),
            }
            answer
        }
    }

    fn start_span(&self, request: &ServiceRequest, method: MethodLabel) -> Option<ServerSpan> {
        let header = |name| request.headers().get(name);
        let traceparent = header(TRACEPARENT).map(HeaderValue::as_bytes);
        ServerSpan::start(traceparent, || RequestAttributes {
            method: Some(method.name()).filter(|_| method.is_known()),
            route: Some(self.route).filter(|route| *route != NO_ROUTE),
            scheme: if request.app_config().secure() {
                "https"
            } else {
                "http"
            },
            version: match request.version() {
                Version::HTTP_2 => "2",
                Version::HTTP_10 => "1.0",
                _ => "1.1",
            },
            trace_state: header(TRACESTATE).and_then(|state| state.to_str().ok()),
            user: header(GMS_USER).map(|user| String::from_utf8_lossy(user.as_bytes())),
        })
    }
}

/// A request on its way. Dropped before it was answered, its client has gone.
struct InFlightRequest {
    telemetry: Rc<RouteTelemetry>,
    method: MethodLabel,
    started: Instant,
    span: Option<ServerSpan>,
    is_finished: Cell<bool>,
}

impl InFlightRequest {
    fn start(watch: Rc<RouteTelemetry>, method: MethodLabel, span: Option<ServerSpan>) -> Self {
        if let Some(counts) = &watch.metrics {
            counts.request_started();
        }
        Self {
            telemetry: watch,
            method,
            started: Instant::now(),
            span,
            is_finished: Cell::new(false),
        }
    }

    fn record_response<B>(&self, answer: &ServiceResponse<B>) {
        let exception = answer.response().error().and_then(exception_name);
        let status = answer.status();
        let took = self.finish(status.as_u16(), exception);
        if let Some(span) = &self.span {
            span.end_with_response(status.as_u16(), exception);
        }
        let TelemetryConfig {
            logged_requests: logged,
            slow_threshold: slow,
            ..
        } = self.telemetry.config;
        let failed = status.is_server_error();
        let worth_it = failed || took >= slow;
        match logged {
            LoggedRequests::None => return,
            LoggedRequests::Failed if !worth_it => return,
            LoggedRequests::Failed | LoggedRequests::All => {}
        }
        let headers = answer.request().headers();
        let request_id = request_id(headers);
        let trace = self.span.as_ref().map(|span| Cow::Owned(span.trace_id()));
        let trace = trace.or_else(|| {
            let header = headers.get(TRACEPARENT)?;
            trace_id(header.as_bytes()).map(Cow::Borrowed)
        });
        let trace_id = trace.as_deref();
        let (method, route) = (self.method.name(), self.telemetry.route);
        let (status, duration_ms) = (status.as_u16(), millis(took));
        if worth_it {
            warn!(
                method,
                route, status, duration_ms, exception, request_id, trace_id, "request"
            );
        } else {
            info!(
                method,
                route, status, duration_ms, exception, request_id, trace_id, "request"
            );
        }
    }

    /// The answer is one that the web server makes. Nothing of ours gives it reason to.
    fn record_error(&self, error: &Error) {
        let status = error.as_response_error().status_code().as_u16();
        self.finish(status, None);
        if let Some(span) = &self.span {
            span.end_with_response(status, None);
        }
    }

    fn finish(&self, status: u16, exception: Option<&'static str>) -> Duration {
        self.is_finished.set(true);
        let took = self.started.elapsed();
        if let Some(counts) = &self.telemetry.metrics {
            counts.request_finished(self.method, status, exception, took);
        }
        took
    }
}

impl Drop for InFlightRequest {
    fn drop(&mut self) {
        if !self.is_finished.get() {
            self.finish(CLIENT_CLOSED_REQUEST, None);
            if let Some(span) = &self.span {
                span.end_cancelled();
            }
        }
    }
}

fn exception_name(error: &Error) -> Option<&'static str> {
    let told = error.as_error().map(ApiError::exception);
    told.or_else(|| error.as_error().map(PageError::exception))
}

/// Milliseconds, to the microsecond.
fn millis(took: Duration) -> f64 {
    f64::from(u32::try_from(took.as_micros()).unwrap_or(u32::MAX)) / 1e3
}

/// What the client calls the request, where that is short and plain.
fn request_id(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    (1..=MAX_REQUEST_ID_BYTES).contains(&id.len()).then_some(id)
}
