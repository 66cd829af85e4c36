//! What is counted of requests: by route, method and status.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use super::{
    encode::TextEncoder,
    primitives::{Counter, Gauge, GaugeGuard, Histogram, HistogramSnapshot, Sharded},
};

/// The methods that are told; any other is `other`.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "other"];
/// The statuses that this service gives; any other is told as `other`.
const STATUSES: [u16; 19] = [
    200, 204, 206, 304, 400, 401, 404, 405, 408, 413, 415, 416, 429, 431, 499, 500, 502, 503, 504,
];
/// What stands for the status where the client went away before there was one.
pub const CLIENT_CLOSED_REQUEST: u16 = 499;

static SHARDS: Sharded<RouteMetrics> = Sharded::new();
static DOWNLOADS: Gauge = Gauge::new();

/// A method, as it is told: one of few, whatever a client sends.
#[derive(Debug, Clone, Copy)]
pub struct MethodLabel(usize);

impl MethodLabel {
    /// The method of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        let known = METHODS.iter().position(|known| *known == name);
        Self(known.unwrap_or(METHODS.len() - 1))
    }

    /// Whether it is one of those.
    #[must_use]
    pub fn is_known(self) -> bool {
        self.0 + 1 < METHODS.len()
    }

    /// Its name, or `other`.
    #[must_use]
    pub fn name(self) -> &'static str {
        METHODS.get(self.0).copied().unwrap_or_default()
    }
}

/// What one worker counts of the requests to one route.
pub struct RouteMetrics {
    route: &'static str,
    in_flight: Gauge,
    methods: [MethodMetrics; METHODS.len()],
}

#[derive(Default)]
struct MethodMetrics {
    /// Without an exception, in the order of [`STATUSES`]; the last one is for all others.
    statuses: [Counter; STATUSES.len() + 1],
    /// By exception and status, as many as the error table has rows.
    failures: Mutex<BTreeMap<Failure, u64>>,
    durations: Histogram,
}

/// The exception that a response names, and its status.
type Failure = (&'static str, u16);

impl MethodMetrics {
    fn failures(&self) -> BTreeMap<Failure, u64> {
        let failures = self.failures.lock();
        failures.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, status: u16, exception: Option<&'static str>) {
        if let Some(exception) = exception {
            // A shard has one writer, so this waits for nobody but who reads the metrics.
            let failures = self.failures.lock();
            let mut failures = failures.unwrap_or_else(PoisonError::into_inner);
            *failures.entry((exception, status)).or_default() += 1;
        } else if let Some(counter) = self.statuses.get(status_index(status)) {
            counter.add(1);
        }
    }
}

impl RouteMetrics {
    /// Counts for a worker of its own.
    #[must_use]
    pub fn new(route: &'static str) -> Arc<Self> {
        let make = || Self {
            route,
            in_flight: Gauge::new(),
            methods: Default::default(),
        };
        SHARDS.acquire(|counts| counts.route == route, make)
    }

    /// A request has begun.
    pub fn request_started(&self) {
        self.in_flight.inc();
    }

    /// It has been answered; an error with the exception that it names, of the error table.
    pub fn request_finished(
        &self,
        method: MethodLabel,
        status: u16,
        exception: Option<&'static str>,
        took: Duration,
    ) {
        self.in_flight.dec();
        if let Some(counts) = self.methods.get(method.0) {
            counts.count(status, exception);
            counts.durations.record(took);
        }
    }
}

/// The HTTP parser has refused a request with that status and exception. No route, method or duration of it is known.
pub fn count_refused_request(status: u16, exception: &'static str) {
    static REFUSED: OnceLock<Arc<RouteMetrics>> = OnceLock::new();
    let counts = REFUSED.get_or_init(|| RouteMetrics::new("none"));
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

/// A download is under way, for as long as this is there; its request counts as answered.
#[must_use]
pub fn track_download() -> GaugeGuard<'static> {
    DOWNLOADS.track()
}

/// Requests answered, and those of them that were answered with a status of 500 or more, but for what is a client's
/// doing; `None` where they are not counted.
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

/// Of one route and method.
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

    let help = "Requests answered, by route, method, status and, of errors, exception; 499: the client went away \
                first.";
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
    let help = "Time until the head of the answer was ready.";
    let mut family = text.histogram("http_request_duration_seconds", help);
    for ((route, method), sum) in sums.iter().filter(|(_, sum)| sum.durations.count() > 0) {
        family.histogram_samples(&[("route", *route), ("method", *method)], &sum.durations);
    }
    let help = "Requests not answered yet, and downloads under way.";
    text.gauge("http_requests_in_flight", help).value(in_flight);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_one_of_few() {
        for (name, told) in [
            ("GET", "GET"),
            ("DELETE", "DELETE"),
            ("get", "other"),
            ("X", "other"),
        ] {
            assert_eq!(MethodLabel::from_name(name).name(), told);
        }
    }

    #[test]
    fn a_status_has_its_own_place_or_the_last_one() {
        for (place, status) in STATUSES.iter().enumerate() {
            assert_eq!(status_index(*status), place);
        }
        assert_eq!(status_index(418), STATUSES.len());
    }
}
