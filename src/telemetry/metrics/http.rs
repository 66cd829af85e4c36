//! Metrics of requests, by route, method and status.

use std::{
    borrow::Cow,
    cell::{OnceCell, RefCell},
    time::Duration,
};

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::handles::{GaugeGuard, duration_histogram};
use crate::model::response_counts::ResponseCounts;

/// The values of the label `method`.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "other"];
/// The values of the label `status` of responses without an exception, besides `other`.
const STATUSES: [u16; 19] = [
    200, 204, 206, 304, 400, 401, 404, 405, 408, 413, 415, 416, 429, 431, 499, 500, 502, 503, 504,
];
/// The route of requests that match no route.
const NO_ROUTE: &str = "none";
/// The status of a request whose client disconnected before the response.
pub const CLIENT_CLOSED_REQUEST: u16 = 499;

/// The label of a method: one of a fixed set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MethodLabel(usize);

impl MethodLabel {
    /// The label of methods without a label of their own.
    const OTHER: Self = Self(METHODS.len() - 1);

    /// The label for a method.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        let known = METHODS.iter().position(|known| *known == name);
        known.map_or(Self::OTHER, Self)
    }

    /// Whether it is not `other`.
    #[must_use]
    pub fn is_known(self) -> bool {
        self != Self::OTHER
    }

    /// The method, or `other`.
    #[must_use]
    pub fn name(self) -> &'static str {
        METHODS.get(self.0).copied().unwrap_or_default()
    }
}

/// The route and the method.
type RouteLabels = [(&'static str, &'static str); 2];
/// The route, the method, the status, and the exception if there is one.
type ResponseLabels = Vec<(&'static str, Cow<'static, str>)>;
/// The status and the exception of a response. The error table bounds their number.
type Outcome = (u16, Option<&'static str>);

fn response_labels(route: RouteLabels, (status, exception): Outcome) -> ResponseLabels {
    let has_label = exception.is_some() || STATUSES.contains(&status);
    let status = if has_label {
        Cow::Owned(status.to_string())
    } else {
        Cow::Borrowed("other")
    };
    let labels = route.map(|(name, value)| (name, Cow::Borrowed(value)));
    let mut labels = [labels.as_slice(), &[("status", status)]].concat();
    labels.extend(exception.map(|exception| ("exception", Cow::Borrowed(exception))));
    labels
}

/// Requests. Their total is counted even if metrics are disabled.
#[derive(Debug, Clone)]
pub struct HttpMetrics {
    /// The number of responses.
    pub totals: ResponseCounts,
    responses: Family<ResponseLabels, Counter>,
    durations: Family<RouteLabels, Histogram>,
    in_flight: Gauge,
}

impl Default for HttpMetrics {
    fn default() -> Self {
        Self {
            totals: ResponseCounts::default(),
            responses: Family::default(),
            durations: Family::new_with_constructor(duration_histogram),
            in_flight: Gauge::default(),
        }
    }
}

impl HttpMetrics {
    /// The metrics of one route in one worker.
    #[must_use]
    pub fn for_route(&self, route: &'static str) -> RouteMetrics {
        RouteMetrics {
            route,
            metrics: self.clone(),
            methods: Default::default(),
        }
    }

    /// Counts a request that the HTTP parser rejected. Its route, method and duration are unknown.
    pub fn count_rejected_request(&self, status: u16, exception: &'static str) {
        self.totals.record(status, Some(exception));
        let route = [("route", NO_ROUTE), ("method", MethodLabel::OTHER.name())];
        let labels = response_labels(route, (status, Some(exception)));
        self.responses.get_or_create(&labels).inc();
    }

    /// Counts a download as in flight until the guard is dropped; its request counts as finished.
    pub fn track_download(&self) -> GaugeGuard<Gauge> {
        GaugeGuard::new(self.in_flight.clone())
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Responses by route, method and status, and for errors by exception. Status 499: the client \
                    disconnected before the response";
        registry.register("http_requests", help, self.responses.clone());
        let help = "Time until the head of the response was ready";
        let durations = self.durations.clone();
        registry.register("http_request_duration_seconds", help, durations);
        let help = "Requests without a response yet, and downloads in progress";
        registry.register("http_requests_in_flight", help, self.in_flight.clone());
    }
}

/// The metrics of one route in one worker. A series is exported from its first response on; the worker then has a handle
/// to it, so that further responses are counted without a lookup by labels.
#[derive(Debug)]
pub struct RouteMetrics {
    route: &'static str,
    metrics: HttpMetrics,
    methods: [MethodMetrics; METHODS.len()],
}

#[derive(Debug, Default)]
struct MethodMetrics {
    durations: OnceCell<Histogram>,
    /// In the order of their first responses, so that the frequent ones are found first.
    responses: RefCell<Vec<(Outcome, Counter)>>,
}

impl RouteMetrics {
    /// Counts a request as in flight.
    pub fn request_started(&self) {
        self.metrics.in_flight.inc();
    }

    /// Counts a response; an error with its exception of the error table.
    pub fn request_finished(
        &self,
        method: MethodLabel,
        status: u16,
        exception: Option<&'static str>,
        duration: Duration,
    ) {
        self.metrics.in_flight.dec();
        let Some(handles) = self.methods.get(method.0) else {
            return;
        };
        let route = [("route", self.route), ("method", method.name())];
        let durations = &self.metrics.durations;
        let durations = handles
            .durations
            .get_or_init(|| durations.get_or_create_owned(&route));
        durations.observe(duration.as_secs_f64());

        let outcome = (status, exception);
        let mut responses = handles.responses.borrow_mut();
        if let Some((_, counter)) = responses.iter().find(|(known, _)| *known == outcome) {
            counter.inc();
            return;
        }
        let labels = response_labels(route, outcome);
        let counter = self.metrics.responses.get_or_create_owned(&labels);
        counter.inc();
        responses.push((outcome, counter));
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::prometheus_text;

    use super::*;

    #[test]
    fn an_unknown_method_is_labeled_other() {
        for (name, label) in [
            ("GET", "GET"),
            ("DELETE", "DELETE"),
            ("get", "other"),
            ("X", "other"),
        ] {
            assert_eq!(MethodLabel::from_name(name).name(), label);
        }
    }

    #[test]
    fn workers_count_in_the_same_series() {
        let metrics = HttpMetrics::default();
        let (get, took) = (MethodLabel::from_name("GET"), Duration::from_millis(1));
        for worker in [metrics.for_route("/x"), metrics.for_route("/x")] {
            for (status, exception) in [(200, None), (303, None), (200, None), (507, Some("Full"))]
            {
                worker.request_started();
                worker.request_finished(get, status, exception, took);
            }
        }
        let mut registry = Registry::with_prefix("test");
        metrics.register(&mut registry);
        let mut text = String::new();
        prometheus_text::encode(&mut text, &registry).unwrap();
        for line in [
            "test_http_requests_total{route=\"/x\",method=\"GET\",status=\"200\"} 4",
            "test_http_requests_total{route=\"/x\",method=\"GET\",status=\"other\"} 2",
            "test_http_requests_total{route=\"/x\",method=\"GET\",status=\"507\",exception=\"Full\"} 2",
            "test_http_request_duration_seconds_count{route=\"/x\",method=\"GET\"} 8",
            "test_http_requests_in_flight 0",
        ] {
            assert!(text.lines().any(|actual| actual == line), "{line}\n{text}");
        }
    }
}
