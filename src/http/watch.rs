//! What is told of every request: it is counted, and gets a line in the log where that is wanted.
//!
//! This stands around each route, and is not there where nothing is to be told. It knows its route from
//! the start, so nothing is looked up, and nothing is allocated for a request that is only counted.

use std::{
    cell::Cell,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{
    Error, HttpRequest,
    dev::{Service, ServiceRequest, ServiceResponse},
};
use tracing::{info, warn};

use super::{ApiError, trail};
use crate::{
    settings::{LoggedRequests, Settings},
    telemetry::metrics::{GONE, Method, RouteCounts},
};

/// Longest request id that is logged.
const MAX_REQUEST_ID: usize = 200;

/// What is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Watching {
    counted: bool,
    logged: LoggedRequests,
    slow: Duration,
}

impl Watching {
    /// What `settings` want.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self {
            counted: settings.metrics.enabled,
            logged: settings.log.requests,
            slow: settings.log.slow,
        }
    }

    /// Whether requests are counted.
    pub(super) fn counts(self) -> bool {
        self.counted
    }

    /// The watch of one route, if anything is wanted of it.
    pub(super) fn at(self, route: &'static str) -> Option<Rc<Watch>> {
        let counts = self.counted.then(|| RouteCounts::of(route));
        if counts.is_none() && self.logged == LoggedRequests::None {
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
        let flight = Flight::begin(Rc::clone(self), Method::of(request.method().as_str()));
        let answer = next.call(request);
        async move {
            let answer = answer.await;
            match &answer {
                Ok(answer) => flight.answered(answer),
                Err(error) => drop(flight.ended(error.as_response_error().status_code().as_u16())),
            }
            answer
        }
    }
}

/// A request on its way. Dropped before it was answered, its client has gone.
struct Flight {
    watch: Rc<Watch>,
    method: Method,
    started: Instant,
    ended: Cell<bool>,
}

impl Flight {
    fn begin(watch: Rc<Watch>, method: Method) -> Self {
        if let Some(counts) = &watch.counts {
            counts.begun();
        }
        Self {
            watch,
            method,
            started: Instant::now(),
            ended: Cell::new(false),
        }
    }

    fn answered<B>(&self, answer: &ServiceResponse<B>) {
        let (status, took) = (answer.status(), self.ended(answer.status().as_u16()));
        let Watching { logged, slow, .. } = self.watch.wanted;
        let failed = status.is_server_error();
        let worth_it = failed || took >= slow;
        match logged {
            LoggedRequests::None => return,
            LoggedRequests::Failed if !worth_it => return,
            LoggedRequests::Failed | LoggedRequests::All => {}
        }
        let exception = answer.response().error().and_then(Error::as_error);
        let exception = exception.map(ApiError::exception);
        let request_id = request_id(answer.request());
        let (method, route) = (self.method.name(), self.watch.route);
        let (status, duration_ms) = (status.as_u16(), took.as_secs_f64() * 1e3);
        if worth_it {
            warn!(
                method,
                route, status, duration_ms, exception, request_id, "request"
            );
        } else {
            info!(
                method,
                route, status, duration_ms, exception, request_id, "request"
            );
        }
    }

    fn ended(&self, status: u16) -> Duration {
        self.ended.set(true);
        let took = self.started.elapsed();
        if let Some(counts) = &self.watch.counts {
            counts.ended(self.method, status, took);
        }
        took
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if !self.ended.get() {
            self.ended(GONE);
        }
    }
}

/// What the client calls the request, where that is short and plain.
fn request_id(request: &HttpRequest) -> Option<&str> {
    let id = request.headers().get(trail::REQUEST_ID)?.to_str().ok()?;
    (1..=MAX_REQUEST_ID).contains(&id.len()).then_some(id)
}
