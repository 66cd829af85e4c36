//! Totals of requests and store operations since the start, read from their metrics.
//!
//! The crate has no access to the values of a histogram except by encoding it, so totals are parsed from the text
//! format. Nothing is recorded for them.

use prometheus_client::{encoding::prometheus_text, registry::Registry};

use super::Metrics;
use crate::model::statistics::Statistics;

/// The exception of a call that matched no booking.
const NO_MATCH: &str = "NoMatch";

/// Reads totals from the metrics of an application.
#[derive(Debug)]
pub struct Totals(Registry);

impl Totals {
    /// Reads `metrics`.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        let mut registry = Registry::default();
        metrics.http.register(&mut registry);
        metrics.store.register(&mut registry);
        Self(registry)
    }

    /// The counts since the start, without gauges. Requests of probes, metrics and administration are not counted, and
    /// the time that connects of Bayeux sessions wait is no latency.
    #[must_use]
    pub fn read(&self) -> Statistics {
        let mut text = String::new();
        let encoded = prometheus_text::encode(&mut text, &self.0);
        debug_assert!(encoded.is_ok(), "writing to a string does not fail");
        let mut totals = Statistics::default();
        let mut last_bucket = 0;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, value)) = line.rsplit_once(' ') else {
                continue;
            };
            let value = value.parse().unwrap_or_default();
            match series.split('{').next() {
                Some("http_requests_total") => count_responses(&mut totals, series, value),
                Some("http_request_duration_seconds_bucket") => {
                    let in_bucket = value.saturating_sub(last_bucket);
                    last_bucket = value;
                    if is_counted(series) && !is_waiting(series) {
                        totals.requests.add(bound(series), in_bucket);
                    }
                }
                Some("store_operation_duration_seconds_bucket") => {
                    let in_bucket = value.saturating_sub(last_bucket);
                    last_bucket = value;
                    totals.operations.add(bound(series), in_bucket);
                }
                _ => last_bucket = 0,
            }
        }
        totals
    }
}

fn count_responses(totals: &mut Statistics, series: &str, responses: u64) {
    if !is_counted(series) {
        return;
    }
    let class = match label(series, "status").and_then(|status| status.chars().next()) {
        Some('4') => &mut totals.client_errors,
        Some('5') => &mut totals.server_errors,
        _ => &mut totals.successes,
    };
    *class += responses;
    if label(series, "exception") == Some(NO_MATCH) {
        totals.failed_matches += responses;
    }
}

/// Whether the requests of a series are those of clients.
fn is_counted(series: &str) -> bool {
    let route = label(series, "route").unwrap_or_default();
    let is_of_clients = route.starts_with("/genesys/") || route == "none";
    is_of_clients && !route.starts_with("/genesys/1/admin") && !route.starts_with("/genesys/1/node")
}

/// Whether requests of a series wait for messages.
fn is_waiting(series: &str) -> bool {
    let route = label(series, "route");
    route.is_some_and(|route| route.contains("/cometd"))
}

/// The upper bound of a bucket.
fn bound(series: &str) -> f64 {
    let bound = label(series, "le").and_then(|bound| bound.parse().ok());
    bound.unwrap_or(f64::INFINITY)
}

/// The value of a label. No value contains a quotation mark.
fn label<'a>(series: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = series.split_once(&format!("{name}=\""))?;
    rest.split('"').next()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::telemetry::metrics::MethodLabel;

    #[test]
    fn totals_are_those_of_the_requests_of_clients() {
        let metrics = Metrics::default();
        let totals = Totals::new(&metrics);
        assert_eq!(totals.read(), Statistics::default());
        let get = MethodLabel::from_name("GET");
        for (route, status, exception, millis) in [
            ("/genesys/1/service/{id}/storage", 200, None, 2),
            (
                "/genesys/1/service/{id}/storage",
                404,
                Some("ServiceNotFound"),
                2,
            ),
            ("/genesys/1/service/{service}", 404, Some("NoMatch"), 30),
            (
                "/genesys/1/service/{service}",
                503,
                Some("NoAccessNumber"),
                20_000,
            ),
            ("/genesys/1/service/{service}", 303, None, 30),
            ("/genesys/cometd", 200, None, 9_000),
            ("/genesys/1/admin/groups", 200, None, 9_000),
            ("/genesys/1/node", 503, None, 9_000),
            ("/readyz", 503, None, 9_000),
        ] {
            let route = metrics.http.for_route(route);
            route.request_started();
            route.request_finished(get, status, exception, Duration::from_millis(millis));
        }
        metrics.http.count_rejected_request(431, "HeadersTooLarge");
        let operations = metrics.store.for_operations(&["read"]);
        operations.operation_finished(0, Duration::from_micros(700));
        operations.operation_finished(0, Duration::from_micros(200));

        let mut expected = Statistics {
            successes: 3,
            client_errors: 3,
            server_errors: 1,
            failed_matches: 1,
            ..Statistics::default()
        };
        expected.requests.add(0.0025, 2);
        expected.requests.add(0.05, 2);
        expected.requests.add(f64::INFINITY, 1);
        expected.operations.add(0.0005, 1);
        expected.operations.add(0.001, 1);
        assert_eq!(totals.read(), expected);
    }
}
