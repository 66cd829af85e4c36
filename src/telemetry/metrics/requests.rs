//! Metrics of requests, by route, method and status.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use super::{
    encode::TextEncoder,
    primitives::{Counter, Gauge, GaugeGuard, Histogram, HistogramSnapshot, Sharded},
};

/// The values of the label `method`.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "other"];
/// The values of the label `status`, besides `other`.
const STATUSES: [u16; 19] = [
    200, 204, 206, 304, 400, 401, 404, 405, 408, 413, 415, 416, 429, 431, 499, 500, 502, 503, 504,
];
/// The status of a request whose client disconnected before the response.
pub const CLIENT_CLOSED_REQUEST: u16 = 499;

static SHARDS: Sharded<RouteMetrics> = Sharded::new();
static DOWNLOADS: Gauge = Gauge::new();

/// The label of a method: one of a fixed set.
#[derive(Debug, Clone, Copy)]
pub struct MethodLabel(usize);

impl MethodLabel {
    /// The label for a method.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        let known = METHODS.iter().position(|known| *known == name);
        Self(known.unwrap_or(METHODS.len() - 1))
    }

    /// Whether it is not `other`.
    #[must_use]
    pub fn is_known(self) -> bool {
        self.0 + 1 < METHODS.len()
    }

    /// The method, or `other`.
    #[must_use]
    pub fn name(self) -> &'static str {
        METHODS.get(self.0).copied().unwrap_or_default()
    }
}

/// The metrics of one worker for one route.
pub struct RouteMetrics {
    route: &'static str,
    in_flight: Gauge,
    methods: [MethodMetrics; METHODS.len()],
}

#[derive(Default)]
struct MethodMetrics {
    /// Responses without an exception, in the order of [`STATUSES`]; the last one is for other statuses.
    statuses: [Counter; STATUSES.len() + 1],
    /// Responses by exception and status; the error table bounds their number.
    failures: Mutex<BTreeMap<Failure, u64>>,
    durations: Histogram,
}

/// The exception and the status of a response.
type Failure = (&'static str, u16);

impl MethodMetrics {
    fn failures(&self) -> BTreeMap<Failure, u64> {
        let failures = self.failures.lock();
        failures.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, status: u16, exception: Option<&'static str>) {
        if let Some(exception) = exception {
            // A shard has one writer, so only the encoder contends for this lock.
            let failures = self.failures.lock();
            let mut failures = failures.unwrap_or_else(PoisonError::into_inner);
            *failures.entry((exception, status)).or_default() += 1;
        } else if let Some(counter) = self.statuses.get(status_index(status)) {
            counter.add(1);
        }
    }
}

impl RouteMetrics {
    /// Metrics for one worker.
    #[must_use]
    pub fn new(route: &'static str) -> Arc<Self> {
        let make = || Self {
            route,
            in_flight: Gauge::new(),
            methods: Default::default(),
        };
        SHARDS.acquire(|counts| counts.route == route, make)
    }

    /// Counts a request as in flight.
    pub fn request_started(&self) {
        self.in_flight.inc();
    }

    /// Counts a response; an error with its exception of the error table.
    pub fn request_finished(
        &self,
        method: MethodLabel,
        status: u16,
        exception: Option<&'static str>,
        duration: Duration,
    ) {
        self.in_flight.dec();
        if let Some(counts) = self.methods.get(method.0) {
            counts.count(status, exception);
            counts.durations.record(duration);
        }
    }
}

/// Counts a request that the HTTP parser rejected. Its route, method and duration are unknown.
pub fn count_rejected_request(status: u16, exception: &'static str) {
    static REJECTED: OnceLock<Arc<RouteMetrics>> = OnceLock::new();
    let counts = REJECTED.get_or_init(|| RouteMetrics::new("none"));
    if let Some(counts) = counts.methods.last() {
        counts.count(status, Some(exception));
    }
}

/// Whether a response is a fault of the service or its store, and not of a client, a backend or a catalog with too
/// few numbers.
#[must_use]
pub fn is_service_fault(status: u16, exception: Option<&str>) -> bool {
    matches!(status, 500 | 503) && !matches!(exception, Some("UnreadableJson" | "NoAccessNumber"))
}

/// Counts a download as in flight until the guard is dropped; its request counts as finished.
#[must_use]
pub fn track_download() -> GaugeGuard<'static> {
    DOWNLOADS.track()
}

/// The number of responses, and of those with a status of 500 or more that are not caused by the client; `None` if
/// metrics are disabled.
#[must_use]
pub fn response_counts() -> Option<(u64, u64)> {
    let mut counts = None;
    SHARDS.for_each(|shard| {
        let (responses, failed) = counts.get_or_insert((0, 0));
        for method in &shard.methods {
            *responses += method.statuses.iter().map(Counter::get).sum::<u64>();
            let named = STATUSES.iter().zip(&method.statuses);
            let failures = named.filter(|(status, _)| **status >= 500);
            *failed += failures.map(|(_, counter)| counter.get()).sum::<u64>();
            for ((exception, status), count) in method.failures() {
                *responses += count;
                let is_gateway = matches!(status, 502 | 504);
                if is_gateway || is_service_fault(status, Some(exception)) {
                    *failed += count;
                }
            }
        }
    });
    counts
}

fn status_index(status: u16) -> usize {
    let known = STATUSES.iter().position(|known| *known == status);
    known.unwrap_or(STATUSES.len())
}

/// The sum of all shards for one route and method.
#[derive(Default)]
struct Sum {
    statuses: [u64; STATUSES.len() + 1],
    failures: BTreeMap<Failure, u64>,
    durations: HistogramSnapshot,
}

pub(super) fn write(text: &mut TextEncoder) {
    let mut sums: BTreeMap<(&str, &str), Sum> = BTreeMap::new();
    let mut in_flight = DOWNLOADS.get();
    SHARDS.for_each(|shard| {
        in_flight += shard.in_flight.get();
        for (method, counts) in METHODS.iter().zip(&shard.methods) {
            let sum = sums.entry((shard.route, method)).or_default();
            for (sum, counter) in sum.statuses.iter_mut().zip(&counts.statuses) {
                *sum += counter.get();
            }
            for (failure, count) in counts.failures() {
                *sum.failures.entry(failure).or_default() += count;
            }
            sum.durations.add(&counts.durations);
        }
    });
    sums.retain(|_, sum| {
        sum.statuses
            .iter()
            .chain(sum.failures.values())
            .any(|count| *count > 0)
    });

    let help = "Responses by route, method and status, and for errors by exception. Status 499: the client \
                disconnected before the response.";
    let mut family = text.counter("http_requests_total", help);
    for ((route, method), sum) in &sums {
        let statuses = STATUSES.iter().map(u16::to_string);
        let statuses = statuses.chain(["other".to_owned()]);
        for (status, count) in statuses.zip(&sum.statuses).filter(|(_, count)| **count > 0) {
            let labels = [("route", *route), ("method", *method), ("status", &status)];
            family.sample(&labels, count);
        }
        for ((exception, status), count) in &sum.failures {
            let status = status.to_string();
            let labels = [
                ("route", *route),
                ("method", *method),
                ("status", &status),
                ("exception", exception),
            ];
            family.sample(&labels, count);
        }
    }
    let help = "Time until the head of the response was ready.";
    let mut family = text.histogram("http_request_duration_seconds", help);
    for ((route, method), sum) in sums.iter().filter(|(_, sum)| sum.durations.count() > 0) {
        family.histogram_samples(&[("route", *route), ("method", *method)], &sum.durations);
    }
    let help = "Requests without a response yet, and downloads in progress.";
    text.gauge("http_requests_in_flight", help).value(in_flight);
}

#[cfg(test)]
mod tests {
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
    fn an_unknown_status_has_the_last_index() {
        for (index, status) in STATUSES.iter().enumerate() {
            assert_eq!(status_index(*status), index);
        }
        assert_eq!(status_index(418), STATUSES.len());
    }
}
