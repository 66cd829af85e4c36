//! An open loop: requests at a fixed rate, whether or not earlier ones have been answered, by `oha`. The time of each
//! starts when it should have been sent, which corrects for coordinated omission.

use std::{collections::BTreeMap, process::Command, time::Duration};

use serde::Deserialize;

use crate::{
    Result,
    load::{CONNECTIONS, GRACE_PERIOD, Load, Request, output},
    machine::find_program,
};

/// The rate, compared with the measured maximum of the same server.
pub(crate) const PART_OF_MAXIMUM: f64 = 0.5;
const MILLISECONDS: f64 = 1e3;

/// Whether `oha` is installed.
pub(crate) fn is_installed() -> bool {
    find_program("oha").is_some()
}

/// The part of the report of `oha` that is used. Times are in seconds, or `null` without a response.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    summary: Summary,
    latency_percentiles: BTreeMap<String, Option<f64>>,
    status_code_distribution: BTreeMap<String, f64>,
    error_distribution: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
struct Summary {
    total: f64,
}

/// Sends the request `rate` times per second for a while.
///
/// # Errors
/// If `oha` cannot be run or measured nothing. Errors of requests are counted.
pub(crate) async fn load(request: &Request, rate: f64, duration: Duration) -> Result<Load> {
    let mut command = Command::new(find_program("oha").ok_or("oha is not installed")?);
    command.args(["--no-tui", "--output-format", "json", "--redirect", "0"]);
    command.args([
        "--latency-correction",
        "--wait-ongoing-requests-after-deadline",
    ]);
    command.arg("-c").arg(CONNECTIONS.to_string());
    command.arg("-q").arg(format!("{rate:.0}"));
    command.arg("-z").arg(format!("{}s", duration.as_secs()));
    // The number of each service is a regular expression for random digits.
    let url = request.url_with(&number_pattern(request.among)?);
    command.arg("--rand-regex-url").arg(url);
    let text = output(command, duration + GRACE_PERIOD).await?;
    let report: Report = serde_json::from_str(&text)?;
    let percentile = |name| {
        let seconds = report.latency_percentiles.get(name).copied().flatten();
        let error = format!("oha measured nothing: {:?}", report.error_distribution);
        seconds.map(|seconds| seconds * MILLISECONDS).ok_or(error)
    };
    let statuses = &report.status_code_distribution;
    let responses: f64 = statuses.values().sum();
    let failed: f64 = report.error_distribution.values().sum();
    Ok(Load {
        requests: responses,
        seconds: report.summary.total,
        p50_ms: percentile("p50")?,
        p99_ms: percentile("p99")?,
        p99_9_ms: percentile("p99.9")?,
        errors: responses - statuses.get("200").copied().unwrap_or_default() + failed,
    })
}

/// A regular expression for the numbers below `count`, a power of ten.
fn number_pattern(count: Option<u32>) -> Result<String> {
    let count = count.unwrap_or(1);
    let digits = usize::try_from(count.ilog10())?;
    if 10_u32.pow(count.ilog10()) != count {
        return Err("an open loop needs a power of ten services".into());
    }
    Ok(format!("{}[0-9]{{{digits}}}", "0".repeat(12 - digits)))
}
