//! The charts of the last hour or day, drawn as inline SVG.

use std::time::Duration;

use askama::Template;

use self::chart::{Chart, Unit};
use crate::{
    http::{ApiError, AppState, admin_api},
    model::{
        Timestamp,
        statistics::{Latencies, Statistics, StatisticsHistory, StatisticsRange},
    },
};

mod chart;

/// The charts of one range.
#[derive(Template)]
#[template(path = "charts.html")]
pub(super) struct Charts {
    range: StatisticsRange,
    from: Timestamp,
    until: Timestamp,
    all: Vec<Chart>,
    problem: Option<String>,
    has_samples: bool,
    /// Whether a replica records metrics.
    has_counts: bool,
}

impl Charts {
    pub(super) async fn load(state: &AppState, range: StatisticsRange) -> Self {
        match Self::try_load(state, range).await {
            Ok(charts) => charts,
            Err(error) => Self {
                range,
                from: Timestamp::default(),
                until: Timestamp::default(),
                all: Vec::new(),
                problem: Some(match error {
                    ApiError::StoreUnavailable(_) => {
                        "No charts while Redis is unavailable".to_owned()
                    }
                    error => error.to_string(),
                }),
                has_samples: false,
                has_counts: false,
            },
        }
    }

    async fn try_load(state: &AppState, range: StatisticsRange) -> Result<Self, ApiError> {
        let history = admin_api::admin_service(state)?.statistics(range).await?;
        Ok(Self::from(&history))
    }

    fn is_day(&self) -> bool {
        self.range == StatisticsRange::Day
    }
}

impl From<&StatisticsHistory> for Charts {
    fn from(history: &StatisticsHistory) -> Self {
        let interval = history.range.interval();
        // Without metrics, the counts are unknown, not 0.
        let per_second = |at: &Statistics, count| {
            (at.samples > 0).then(|| count_to_f64(count) / interval.as_secs_f64())
        };
        let per_minute = |at: &Statistics, count| per_second(at, count).map(|rate| rate * 60.0);
        let millis = |latencies: Latencies, permille| Some(latencies.quantile(permille)? * 1e3);
        let chart = |id, title, unit| Chart::new(id, title, unit, history);
        let charts = [
            chart("requests", "Requests by outcome", Unit::PerSecond)
                .line("2xx, 3xx", |at| per_second(at, at.successes))
                .line("4xx", |at| per_second(at, at.client_errors))
                .line("5xx", |at| per_second(at, at.server_errors)),
            chart("latency", "Latency of requests", Unit::Millis)
                .line("p50", |at| millis(at.requests, 500))
                .line("p99", |at| millis(at.requests, 990)),
            chart("services", "Active services", Unit::Count)
                .line("active", |at| at.active_services.map(count_to_f64)),
            chart("bookings", "Bookings", Unit::Count)
                .line("booked numbers", |at| at.bookings.map(count_to_f64)),
            chart("failed-matches", "Failed matches", Unit::PerMinute)
                .line("no booking", |at| per_minute(at, at.failed_matches)),
            chart("cleanup", "Cleanup lag", Unit::Seconds).line("largest", |at| {
                at.cleanup_lag().map(|lag| lag.as_secs_f64())
            }),
            chart("store", "Redis latency", Unit::Millis)
                .line("p50", |at| millis(at.operations, 500))
                .line("p99", |at| millis(at.operations, 990))
                .line("round trip", |at| at.round_trip().map(to_millis)),
        ];
        Self {
            range: history.range,
            from: history.start(),
            until: history.until,
            all: charts.into(),
            problem: None,
            has_samples: !history.intervals.is_empty(),
            has_counts: history.intervals.iter().any(|(_, at)| at.samples > 0),
        }
    }
}

fn to_millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A count as a floating-point number. Larger counts than those of 32 bits do not differ in a chart.
fn count_to_f64(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
