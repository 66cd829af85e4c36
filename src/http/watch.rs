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

use super::{ApiError, pages::PageError, trail};
use crate::{
    settings::{LoggedRequests, Settings},
    telemetry::{
        metrics::{GONE, Method, RouteCounts},
        traces::{Head, ServerSpan, trace_of},
    },
};

/// What stands for the route of a request that has none.
pub(super) const NOWHERE: &str = "none";
/// Longest request id that is logged.
const MAX_REQUEST_ID: usize = 200;

/// What is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Watching {
    counted: bool,
    logged: LoggedRequests,
    slow: Duration,
    traced: bool,
}

impl Watching {
    /// What `settings` want.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self {
            counted: settings.metrics.enabled,
            logged: settings.log.requests,
            slow: settings.log.slow,
            traced: settings.traces.is_some(),
        }
    }

    /// Whether requests are counted.
    pub(super) fn counts(self) -> bool {
        self.counted
    }

    /// The same where an answer that the service is not well is no failure.
    pub(super) fn of_probes(mut self) -> Self {
        if self.logged == LoggedRequests::Failed {
            self.logged = LoggedRequests::None;
        }
        self
    }

    /// The watch of one route, if anything is wanted of it.
    pub(super) fn at(self, route: &'static str) -> Option<Rc<Watch>> {
        let counts = self.counted.then(|| RouteCounts::of(route));
        if counts.is_none() && self.logged == LoggedRequests::None && !self.traced {
            return None;
        }
        Some(Rc::new(Watch {
            route,
            counts,
            wanted: self,
        }))
    }
}

/// One worker's watch of one route.
pub(super) struct Watch {
    route: &'static str,
    counts: Option<Arc<RouteCounts>>,
    wanted: Watching,
}

impl Watch {
    /// Passes a request on to `next`, and tells of it.
    pub(super) fn pass<S, B>(
        self: &Rc<Self>,
        request: ServiceRequest,
        next: &S,
    ) -> impl Future<Output = Result<ServiceResponse<B>, Error>> + use<S, B>
    where
        S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    {
        let method = Method::of(request.method().as_str());
        let span = self.wanted.traced.then(|| self.span(&request, method));
        let flight = Flight::begin(Rc::clone(self), method, span.flatten());
        let answer = next.call(request);
        async move {
            let answer = match &flight.span {
                None => answer.await,
                Some(span) => span.around(answer).await,
            };
            match &answer {
                Ok(answer) => flight.answered(answer),
                Err(error) => flight.failed(error),
            }
            answer
        }
    }

    fn span(&self, request: &ServiceRequest, method: Method) -> Option<ServerSpan> {
        let header = |name| request.headers().get(name);
        let traceparent = header(trail::TRACEPARENT).map(HeaderValue::as_bytes);
        ServerSpan::begin(traceparent, || Head {
            method: Some(method.name()).filter(|_| method.is_known()),
            route: Some(self.route).filter(|route| *route != NOWHERE),
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
            state: header("tracestate").and_then(|state| state.to_str().ok()),
            user: header(trail::GMS_USER).map(|user| String::from_utf8_lossy(user.as_bytes())),
        })
    }
}

/// A request on its way. Dropped before it was answered, its client has gone.
struct Flight {
    watch: Rc<Watch>,
    method: Method,
    started: Instant,
    span: Option<ServerSpan>,
    ended: Cell<bool>,
}

impl Flight {
    fn begin(watch: Rc<Watch>, method: Method, span: Option<ServerSpan>) -> Self {
        if let Some(counts) = &watch.counts {
            counts.begun();
        }
        Self {
            watch,
            method,
            started: Instant::now(),
            span,
            ended: Cell::new(false),
        }
    }

    fn answered<B>(&self, answer: &ServiceResponse<B>) {
        let exception = answer.response().error().and_then(exception);
        let status = answer.status();
        let took = self.ended(status.as_u16(), exception);
        if let Some(span) = &self.span {
            span.answered(status.as_u16(), exception);
        }
        let Watching { logged, slow, .. } = self.watch.wanted;
        let failed = status.is_server_error();
        let worth_it = failed || took >= slow;
        match logged {
            LoggedRequests::None => return,
            LoggedRequests::Failed if !worth_it => return,
            LoggedRequests::Failed | LoggedRequests::All => {}
        }
        let headers = answer.request().headers();
        let request_id = request_id(headers);
        let trace = self.span.as_ref().map(|span| Cow::Owned(span.trace()));
        let trace = trace.or_else(|| {
            let header = headers.get(trail::TRACEPARENT)?;
            trace_of(header.as_bytes()).map(Cow::Borrowed)
        });
        let trace_id = trace.as_deref();
        let (method, route) = (self.method.name(), self.watch.route);
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
    fn failed(&self, error: &Error) {
        let status = error.as_response_error().status_code().as_u16();
        self.ended(status, None);
        if let Some(span) = &self.span {
            span.answered(status, None);
        }
    }

    fn ended(&self, status: u16, exception: Option<&'static str>) -> Duration {
        self.ended.set(true);
        let took = self.started.elapsed();
        if let Some(counts) = &self.watch.counts {
            counts.ended(self.method, status, exception, took);
        }
        took
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if !self.ended.get() {
            self.ended(GONE, None);
            if let Some(span) = &self.span {
                span.given_up();
            }
        }
    }
}

fn exception(error: &Error) -> Option<&'static str> {
    let told = error.as_error().map(ApiError::exception);
    told.or_else(|| error.as_error().map(PageError::exception))
}

/// Milliseconds, to the microsecond.
fn millis(took: Duration) -> f64 {
    f64::from(u32::try_from(took.as_micros()).unwrap_or(u32::MAX)) / 1e3
}

/// What the client calls the request, where that is short and plain.
fn request_id(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get(trail::REQUEST_ID)?.to_str().ok()?;
    (1..=MAX_REQUEST_ID).contains(&id.len()).then_some(id)
}
