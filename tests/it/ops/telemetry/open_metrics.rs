//! Metrics in the `OpenMetrics` format.

use std::{collections::BTreeSet, net::SocketAddr, process::Command};

use reqwest::Client;

use super::{
    create,
    metrics::{run_tool, wait_for_metrics},
};
use crate::support::{TestRedis, eventually, metrics::Metrics, program::Program};

/// A scrape as Prometheus sends it.
async fn scrape_open_metrics(address: SocketAddr) -> String {
    let accept =
        "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let scrape = Client::new().get(format!("http://{address}/metrics"));
    let response = scrape.header("accept", accept).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(
        response.headers()["content-type"],
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    response.text().await.unwrap()
}

/// The names and labels of all samples, independent of the order of labels. The canonical form of the bound of a bucket
/// has a decimal point in `OpenMetrics` only.
fn all_series(text: &str) -> BTreeSet<(String, BTreeSet<String>)> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let series = samples.map(|line| {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let labels = labels.trim_end_matches('}').split(',');
        let labels = labels.map(|label| match label.strip_suffix(".0\"") {
            Some(bound) if label.starts_with("le=") => format!("{bound}\""),
            _ => label.to_owned(),
        });
        (name.to_owned(), labels.collect())
    });
    series.collect()
}

#[tokio::test]
async fn open_metrics_has_the_same_metrics_and_promtool_reports_no_problem() {
    let redis = TestRedis::shared();
    let mut program = Program::serve_on(&redis.url(), &[]);
    let address = program.address().await;
    create(address, "store", "a=1").await;
    wait_for_metrics(address, "all metrics are exported", |metrics| {
        metrics.has("services_active") && metrics.has("redis_check{check=\"clock\"}")
    })
    .await;
    // The scrapes are requests to the route too.
    scrape_open_metrics(address).await;
    let (prometheus, open_metrics) = eventually("no series is added meanwhile", async || {
        let before = all_series(&Metrics::scrape(address).await.text);
        let open_metrics = scrape_open_metrics(address).await;
        let after = all_series(&Metrics::scrape(address).await.text);
        (before == after).then_some((before, open_metrics))
    })
    .await;

    assert_eq!(prometheus, all_series(&open_metrics));

    // The parser of Prometheus for OpenMetrics. This command of promtool requires timestamps.
    assert!(open_metrics.ends_with("\n# EOF\n"), "{open_metrics}");
    let with_timestamps = open_metrics
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(_) => format!("{line}\n"),
            None => format!("{line} 1700000000\n"),
        });
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("metrics");
    std::fs::write(&file, with_timestamps.collect::<String>()).unwrap();
    let mut tool = Command::new("promtool");
    tool.args(["tsdb", "create-blocks-from", "openmetrics", "--quiet"]);
    let tool = run_tool(tool.args([&file, &directory.path().join("blocks")]), "");
    assert_eq!(tool, "", "promtool tsdb create-blocks-from openmetrics");

    // `promtool check metrics` parses the text format only, where the metadata of counters has their complete name.
    let counters = open_metrics
        .lines()
        .filter(|line| line.ends_with(" counter"));
    let counters: Vec<&str> = counters
        .map(|line| line.split(' ').nth(2).unwrap())
        .collect();
    let lines = open_metrics.lines().map(|line| {
        let mut words: Vec<&str> = line.splitn(4, ' ').collect();
        let total = words.get(2).map(|name| format!("{name}_total"));
        if line.starts_with('#') && counters.contains(words.get(2).unwrap_or(&"")) {
            words[2] = total.as_deref().unwrap();
        }
        words.join(" ") + "\n"
    });
    let mut tool = Command::new("promtool");
    let tool = run_tool(tool.args(["check", "metrics"]), &lines.collect::<String>());
    assert_eq!(tool, "", "promtool check metrics");
}
