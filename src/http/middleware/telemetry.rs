//! Telemetry of requests: metrics, access log and server spans.
//!
//! It wraps each route. The route is fixed at startup, so no lookup is needed, and a request that is only counted
//! allocates nothing.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use actix_web::{
    Error,
    dev::{Service, ServiceRequest, ServiceResponse},
    http::{Version, header::HeaderMap},
};
use tracing::{Instrument, Span, field::display, info, warn};

use crate::{
    http::{ApiError, admin_ui::PageError, propagation::TraceHeaders},
    model::{GMS_USER, MAX_REQUEST_ID_BYTES, REQUEST_ID},
    settings::{LoggedRequests, Settings},
    telemetry::{
        metrics::{CLIENT_CLOSED_REQUEST, HttpMetrics, MethodLabel, RouteMetrics},
        traces::{self, RequestAttributes},
    },
};

/// The route name of requests that match no route.
pub(in crate::http) const NO_ROUTE: &str = "none";

/// The enabled kinds of telemetry.
#[derive(Debug, Clone)]
pub struct TelemetryConfig {
    metrics_enabled: bool,
    metrics: HttpMetrics,
    logged_requests: LoggedRequests,
    slow_threshold: Duration,
    tracing_enabled: bool,
}

impl TelemetryConfig {
    /// Reads the settings. Requests are counted in `metrics`.
    #[must_use]
    pub fn new(settings: &Settings, metrics: HttpMetrics) -> Self {
        Self {
            metrics_enabled: settings.metrics.enabled,
            metrics,
            logged_requests: settings.log.requests,
            slow_threshold: settings.log.slow_threshold,
            tracing_enabled: settings.traces.is_some(),
        }
    }

    /// Whether metrics are enabled.
    pub(in crate::http) fn has_metrics(&self) -> bool {
        self.metrics_enabled
    }

    /// The configuration of health probes, whose unhealthy statuses are not logged as failures.
    pub(in crate::http) fn for_probes(mut self) -> Self {
        if self.logged_requests == LoggedRequests::Failed {
            self.logged_requests = LoggedRequests::None;
        }
        self
    }

    /// The telemetry of one route.
    pub(in crate::http) fn for_route(self, route: &'static str) -> Rc<RouteTelemetry> {
        let metrics = self.metrics_enabled.then(|| self.metrics.for_route(route));
        Rc::new(RouteTelemetry {
            route,
            metrics,
            config: self,
        })
    }
}

/// The telemetry of one route in one worker.
pub(in crate::http) struct RouteTelemetry {
    route: &'static str,
    metrics: Option<RouteMetrics>,
    config: TelemetryConfig,
}

impl RouteTelemetry {
    /// Passes a request to `next` and records it.
    pub(in crate::http) fn instrument<S, B>(
        self: &Rc<Self>,
        request: ServiceRequest,
        next: &S,
    ) -> impl Future<Output = Result<ServiceResponse<B>, Error>> + use<S, B>
    where
        S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    {
        let method = MethodLabel::from_name(request.method().as_str());
        let span = if self.config.tracing_enabled {
            self.span(&request, method)
        } else {
            Span::none()
        };
        let in_flight = InFlightRequest::start(Rc::clone(self), method, span.clone());
        let response = next.call(request).instrument(span);
        async move {
            let response = response.await;
            match &response {
                Ok(response) => in_flight.record_response(response),
                Err(error) => in_flight.record_error(error),
            }
            response
        }
    }

    fn span(&self, request: &ServiceRequest, method: MethodLabel) -> Span {
        let headers = request.headers();
        traces::request_span(&TraceHeaders::new(headers), || RequestAttributes {
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
            user: headers
                .get(GMS_USER)
                .map(|user| String::from_utf8_lossy(user.as_bytes())),
        })
    }
}

/// A request in flight. Dropping it before the response means that the client closed the connection.
struct InFlightRequest {
    telemetry: Rc<RouteTelemetry>,
    method: MethodLabel,
    started: Instant,
    span: Span,
    is_finished: Cell<bool>,
}

impl InFlightRequest {
    fn start(telemetry: Rc<RouteTelemetry>, method: MethodLabel, span: Span) -> Self {
        if let Some(metrics) = &telemetry.metrics {
            metrics.request_started();
        }
        Self {
            telemetry,
            method,
            started: Instant::now(),
            span,
            is_finished: Cell::new(false),
        }
    }

    fn record_response<B>(&self, response: &ServiceResponse<B>) {
        let exception = response.response().error().and_then(exception_name);
        let status = response.status();
        let duration = self.finish(status.as_u16(), exception);
        traces::record_response(&self.span, status.as_u16(), exception);
        let config = &self.telemetry.config;
        let is_failed_or_slow = status.is_server_error() || duration >= config.slow_threshold;
        match config.logged_requests {
            LoggedRequests::None => return,
            LoggedRequests::Failed if !is_failed_or_slow => return,
            LoggedRequests::Failed | LoggedRequests::All => {}
        }
        let headers = response.request().headers();
        let request_id = request_id(headers);
        // The log adds the trace id of a span.
        let _in_span = self.span.enter();
        let trace_id = if self.span.is_none() {
            traces::extract_trace_id(&TraceHeaders::new(headers)).map(display)
        } else {
            None
        };
        let (method, route) = (self.method.name(), self.telemetry.route);
        let (status, duration_ms) = (status.as_u16(), millis(duration));
        if is_failed_or_slow {
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

    /// Records an error of actix-web itself. No handler causes one.
    fn record_error(&self, error: &Error) {
        let status = error.as_response_error().status_code().as_u16();
        self.finish(status, None);
        traces::record_response(&self.span, status, None);
    }

    fn finish(&self, status: u16, exception: Option<&'static str>) -> Duration {
        self.is_finished.set(true);
        let duration = self.started.elapsed();
        let totals = &self.telemetry.config.metrics.totals;
        totals.record(status, exception);
        if let Some(metrics) = &self.telemetry.metrics {
            metrics.request_finished(self.method, status, exception, duration);
        }
        duration
    }
}

impl Drop for InFlightRequest {
    fn drop(&mut self) {
        if !self.is_finished.get() {
            self.finish(CLIENT_CLOSED_REQUEST, None);
            traces::record_cancelled(&self.span);
        }
    }
}

fn exception_name(error: &Error) -> Option<&'static str> {
    let exception = error.as_error().map(ApiError::exception);
    exception.or_else(|| error.as_error().map(PageError::exception))
}

/// Milliseconds with microsecond precision.
fn millis(duration: Duration) -> f64 {
    f64::from(u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)) / 1e3
}

/// The request id of the client, if it is short ASCII text.
fn request_id(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    (1..=MAX_REQUEST_ID_BYTES).contains(&id.len()).then_some(id)
}
