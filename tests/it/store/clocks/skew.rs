//! The clock skew of a replica is measured and reported, and fails its readiness above a limit.

use std::sync::Arc;

use reqwest::StatusCode;
use serde_json::Value;

use crate::{
    api::admin::fixture,
    support::{
        TestApp, TestRedis, TestResponse, eventually, metrics::Metrics, program::Program,
        random_prefix,
    },
};

async fn start_replica(prefix: &str, overrides: &[(&str, &str)]) -> TestApp {
    let all = [&fixture::ADMIN_SETTINGS[..], overrides].concat();
    TestApp::start(Some(TestRedis::shared()), prefix, &all).await
}

/// Returns the skews of all replicas, as reported by `app`.
async fn skews(app: &TestApp) -> Vec<f64> {
    let list = fixture::get_json(app, "replicas").await;
    let replicas = list["replicas"].as_array().unwrap().iter();
    let skews = replicas.filter_map(|replica| replica["clock_skew_seconds"].as_f64());
    let mut skews: Vec<f64> = skews.collect();
    skews.sort_by(f64::total_cmp);
    skews
}

#[tokio::test]
async fn replicas_report_clock_skew() {
    let prefix = random_prefix();
    let (ahead, behind) = (
        start_replica(&prefix, &[]).await,
        start_replica(&prefix, &[]).await,
    );
    ahead.clock.set_shift(45_000);
    behind.clock.set_shift(-120_000);
    for app in [&ahead, &behind] {
        eventually("both skews are reported", async || {
            let skews = skews(app).await;
            let [first, second] = skews[..] else {
                return None;
            };
            let close = (first + 120.0).abs() < 0.9 && (second - 45.0).abs() < 0.9;
            close.then_some(())
        })
        .await;
    }
    let replicas = fixture::get_json(&ahead, "replicas").await;
    let since = &replicas["replicas"][0]["started_at"];
    assert!(
        since.as_str().is_some_and(|since| since.len() == 24),
        "{since}"
    );
}

#[tokio::test]
async fn embedded_store_has_no_clock_skew() {
    let app = fixture::start_admin(&TestApp::on_memory().await).await;
    app.clock.set_shift(45_000);
    let replicas = fixture::get_json(&app, "replicas").await;
    assert_eq!(
        replicas["replicas"][0]["clock_skew_seconds"],
        Value::Null,
        "{replicas}"
    );
}

async fn is_ready(app: &TestApp) -> bool {
    TestResponse::send(app.get("/readyz")).await.status == StatusCode::OK
}

#[tokio::test]
async fn excessive_clock_skew_fails_readiness() {
    let app = start_replica(&random_prefix(), &[("redis.max_clock_skew_seconds", "60")]).await;
    assert!(is_ready(&app).await);
    for shift in [61_500, -61_500] {
        app.clock.set_shift(shift);
        eventually("the replica is not ready", async || {
            (!is_ready(&app).await).then_some(())
        })
        .await;
        let response = TestResponse::send(app.get("/readyz")).await;
        assert!(
            response.text().contains("clock_skew"),
            "{}",
            response.text()
        );
        // It serves requests nevertheless.
        let service = app.create("_ttl=60").await;
        assert!(app.get_service(&service).await["_ttl"].as_u64().unwrap() > 40);
        app.clock.set_shift(shift / 2);
        eventually("the replica is ready", async || {
            is_ready(&app).await.then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn clock_skew_limit_can_be_disabled() {
    let app = start_replica(&random_prefix(), &[("redis.max_clock_skew_seconds", "0")]).await;
    app.clock.set_shift(86_400_000);
    eventually("the skew is reported", async || {
        let skews = skews(&app).await;
        (skews.first()? > &86_000.0).then_some(())
    })
    .await;
    assert!(is_ready(&app).await);
}

#[tokio::test]
async fn clock_skew_metric_exists_only_with_redis() {
    let redis: Arc<TestRedis> = TestRedis::shared();
    let mut on_redis = Program::serve(&[("redis.url", &redis.url())]);
    let address = on_redis.address().await;
    eventually("the skew is measured", async || {
        let metrics = Metrics::scrape(address).await;
        let is_exported = metrics.has("clock_skew_seconds");
        (is_exported && metrics.value("clock_skew_seconds").abs() < 1.0).then_some(())
    })
    .await;
    let mut embedded = Program::serve(&[]);
    let metrics = Metrics::scrape(embedded.address().await).await;
    assert!(!metrics.has("clock_skew_seconds"), "{}", metrics.text);
}
