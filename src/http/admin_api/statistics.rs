//! `/genesys/1/admin/statistics`: what the charts of the console show.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::admin_service;
use crate::{
    http::{
        ApiError, AppState, body,
        openapi::errors::{AdminErrors, QueryErrors},
        response,
    },
    model::{
        Timestamp,
        statistics::{Latencies, Statistics, StatisticsHistory, StatisticsRange},
    },
    service::FormData,
};

/// The last hour in intervals of 10 seconds, or the last day in intervals of 5 minutes
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum RangeName {
    Hour,
    Day,
}

/// The query parameters.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only described")]
pub(in crate::http) struct StatisticsQuery {
    /// The range; without it `hour`
    #[param(inline, required = false)]
    range: RangeName,
}

/// Statistics of all replicas
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StatisticsHistory)]
#[serde(deny_unknown_fields)]
struct StatisticsResponse {
    #[schema(inline)]
    range: RangeName,
    /// The length of an interval
    interval_seconds: u64,
    /// The start of the range, by the clock of Redis
    #[schema(format = DateTime)]
    from: String,
    /// The end of the last complete interval
    #[schema(format = DateTime)]
    until: String,
    /// The intervals in which a replica was sampled, oldest first
    intervals: Vec<IntervalResponse>,
}

/// An interval. Counts are sums over all replicas; other values are the largest of the samples, and null if unknown
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StatisticsInterval)]
#[serde(deny_unknown_fields)]
struct IntervalResponse {
    /// The start of the interval
    #[schema(format = DateTime)]
    start: String,
    /// The number of samples with counts; a running replica adds one every 10 seconds. 0 if the replicas record no metrics:
    /// then the counts of this interval are not known
    samples: u64,
    /// Responses with a status below 400
    successes: u64,
    /// Responses with a status from 400 to 499
    client_errors: u64,
    /// Responses with a status of 500 or more
    server_errors: u64,
    /// Calls that matched no booking
    failed_matches: u64,
    /// Half of the requests took at most this time; null without requests. Estimated from the buckets of the metric
    #[schema(required)]
    request_p50_seconds: Option<f64>,
    /// 99% of the requests took at most this time
    #[schema(required)]
    request_p99_seconds: Option<f64>,
    /// Half of the operations on Redis took at most this time
    #[schema(required)]
    store_p50_seconds: Option<f64>,
    /// 99% of the operations on Redis took at most this time
    #[schema(required)]
    store_p99_seconds: Option<f64>,
    /// The round trip of one command to Redis per replica and 10 seconds
    #[schema(required)]
    store_round_trip_seconds: Option<f64>,
    /// Active services
    #[schema(required)]
    active_services: Option<u64>,
    /// Booked numbers
    #[schema(required)]
    bookings: Option<u64>,
    /// Waiting time of the oldest ended service whose resources are not released yet
    #[schema(required)]
    cleanup_lag_seconds: Option<f64>,
}

impl From<(Timestamp, Statistics)> for IntervalResponse {
    fn from((start, statistics): (Timestamp, Statistics)) -> Self {
        let quantile = |latencies: Latencies, permille| latencies.quantile(permille);
        Self {
            start: start.to_string(),
            samples: statistics.samples,
            successes: statistics.successes,
            client_errors: statistics.client_errors,
            server_errors: statistics.server_errors,
            failed_matches: statistics.failed_matches,
            request_p50_seconds: quantile(statistics.requests, 500),
            request_p99_seconds: quantile(statistics.requests, 990),
            store_p50_seconds: quantile(statistics.operations, 500),
            store_p99_seconds: quantile(statistics.operations, 990),
            store_round_trip_seconds: statistics.round_trip().map(|time| time.as_secs_f64()),
            active_services: statistics.active_services,
            bookings: statistics.bookings,
            cleanup_lag_seconds: statistics.cleanup_lag().map(|lag| lag.as_secs_f64()),
        }
    }
}

impl From<StatisticsHistory> for StatisticsResponse {
    fn from(history: StatisticsHistory) -> Self {
        Self {
            range: match history.range {
                StatisticsRange::Hour => RangeName::Hour,
                StatisticsRange::Day => RangeName::Day,
            },
            interval_seconds: history.range.interval().as_secs(),
            from: history.start().to_string(),
            until: history.until.to_string(),
            intervals: history
                .intervals
                .into_iter()
                .map(IntervalResponse::from)
                .collect(),
        }
    }
}

/// `GET /genesys/1/admin/statistics`
#[utoipa::path(
    get,
    path = "/genesys/1/admin/statistics",
    operation_id = "getStatistics",
    tag = "replicas",
    summary = "Get the statistics of the last hour or day",
    description = "What the charts of the console show: the requests, store operations, active services, bookings and \
                   cleanup lag of all replicas together. An interval in which no replica was sampled is absent.",
    params(StatisticsQuery),
    responses(
        (status = 200, description = "The statistics", body = StatisticsResponse),
        AdminErrors, QueryErrors,
    ),
    security(("admin" = [])),
)]
pub(in crate::http) async fn get_statistics(
    state: web::Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let range = parse_range(&body::parse_query(&state, &request)?)?;
    let history = admin_service(&state)?.statistics(range).await?;
    response::json_from(&StatisticsResponse::from(history))
}

/// The query parameter `range`.
pub(in crate::http) fn parse_range(query: &FormData) -> Result<StatisticsRange, ApiError> {
    let Some(name) = query.text("range") else {
        return Ok(StatisticsRange::default());
    };
    StatisticsRange::parse(name).ok_or_else(|| {
        ApiError::InvalidParameter(format!("range is {name:?}, expected hour or day"))
    })
}
