//! Replicas with wrong clocks, by minutes and in both directions: time comes from Redis, so responses
//! are independent of the clocks of replicas.

use std::sync::Arc;

use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::Value;

use crate::support::{
    Bodies, RedisKind, TestApp, TestRedis, TestResponse,
    bookings::{catalog, create, group_toml, number},
    eventually, on_every_kind_of_store,
    proxy::Proxy,
    random_prefix,
};

mod skew;

/// The clock shifts in milliseconds.
const SHIFTS: [i64; 2] = [45_000, -120_000];
const KEY: &str = "order-4711-0123456789";

on_every_kind_of_store!(
    ttl_is_independent_of_replica_clock,
    idempotency_is_independent_of_replica_clocks,
);

/// Two replicas with the same group of five numbers.
struct ReplicaPair {
    right: TestApp,
    wrong: TestApp,
    /// The connection of `wrong` to Redis, if it is proxied.
    _proxy: Option<Proxy>,
}

impl ReplicaPair {
    /// Shifts the wall clock of the second replica.
    async fn with_wall_clock_shift(redis: &Arc<TestRedis>, shift: i64) -> Self {
        let pair = Self::start(redis, None).await;
        pair.wrong.clock.set_shift(shift);
        pair
    }

    /// Shifts the clock of Redis as the second replica measures it, as if another server of a Cluster
    /// was measured.
    async fn with_measured_clock_shift(redis: &Arc<TestRedis>, shift: i64) -> Self {
        let proxy = Proxy::to_redis(redis);
        proxy.shift_time(shift / 1_000);
        Self::start(redis, Some(proxy)).await
    }

    async fn start(redis: &Arc<TestRedis>, proxy: Option<Proxy>) -> Self {
        let numbers: Vec<String> = (0..5).map(number).collect();
        let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
        let catalog_file = catalog(&group_toml("DNIS", "CLUSTER", &numbers));
        let mut overrides = vec![("catalog.file", catalog_file.path())];
        let prefix = random_prefix();
        let right = TestApp::start(Some(Arc::clone(redis)), &prefix, &overrides).await;
        let url = proxy.as_ref().map(Proxy::url);
        overrides.extend(url.iter().map(|url| ("redis.url", url.as_str())));
        let wrong = TestApp::start(Some(Arc::clone(redis)), &prefix, &overrides).await;
        Self {
            right,
            wrong,
            _proxy: proxy,
        }
    }

    /// Returns pairs on one server and on a Cluster, with each kind of shift.
    async fn all() -> Vec<Self> {
        let (single, cluster) = (
            TestRedis::shared(),
            TestRedis::shared_kind(RedisKind::Cluster),
        );
        let mut all = Vec::new();
        for shift in SHIFTS {
            all.push(Self::with_wall_clock_shift(&single, shift).await);
            all.push(Self::with_wall_clock_shift(&cluster, shift).await);
            all.push(Self::with_measured_clock_shift(&single, shift).await);
        }
        all
    }
}

/// Seconds for which a number is booked; longer than any test.
const LONG_BOOKING: u64 = 600;

async fn book(app: &TestApp, seconds: u64) -> TestResponse {
    let form = format!("_booking_expiration_timeout={seconds}");
    create(app, "request-interaction", &form).await
}

/// Books all five numbers at `first`; then neither replica has a free number.
async fn exhaust_group(first: &TestApp, second: &TestApp) {
    let mut numbers = Vec::new();
    for _ in 0..5 {
        let response = book(first, LONG_BOOKING).await;
        assert_eq!(response.status, StatusCode::OK, "{}", response.text());
        numbers.push(
            response.json()["_access_number"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), 5);
    for app in [second, second, second, first] {
        book(app, LONG_BOOKING)
            .await
            .error_message("NoAccessNumber", 503);
    }
}

#[tokio::test]
async fn exclusive_booking_is_independent_of_replica_clocks() {
    for pair in ReplicaPair::all().await {
        exhaust_group(&pair.right, &pair.wrong).await;
    }
    for pair in ReplicaPair::all().await {
        exhaust_group(&pair.wrong, &pair.right).await;
    }
}

#[tokio::test]
async fn release_time_is_independent_of_replica_clocks() {
    let pairs = ReplicaPair::all().await;
    let releases = pairs.iter().map(async |pair| {
        for _ in 0..5 {
            assert_eq!(book(&pair.wrong, 8).await.status, StatusCode::OK);
        }
        book(&pair.right, 30)
            .await
            .error_message("NoAccessNumber", 503);
        for app in [&pair.right, &pair.wrong] {
            eventually("a number is free", async || {
                (book(app, 30).await.status == StatusCode::OK).then_some(())
            })
            .await;
        }
    });
    join_all(releases).await;
}

/// Asserts that a service that was just created or updated has a TTL of one minute.
fn assert_ttl_is_one_minute(service: &Value) {
    let ttl = service["_ttl"].as_u64().unwrap();
    assert!((40..=60).contains(&ttl), "{service}");
}

async fn ttl_is_independent_of_replica_clock(app: TestApp) {
    for shift in SHIFTS {
        app.clock.set_shift(shift);
        let service = app.create("_ttl=60").await;
        assert_ttl_is_one_minute(&app.get_service(&service).await);
        app.clock.set_shift(-shift);
        assert_ttl_is_one_minute(&app.get_service(&service).await);
        let update = app.put(&service).form_body("ttl=60");
        assert_eq!(TestResponse::send(update).await.status, StatusCode::OK);
        app.clock.set_shift(0);
        assert_ttl_is_one_minute(&app.get_service(&service).await);
    }
}

async fn idempotency_is_independent_of_replica_clocks(app: TestApp) {
    let mut ids = Vec::new();
    for shift in [0, SHIFTS[0], SHIFTS[1]] {
        app.clock.set_shift(shift);
        let create = app.post("/genesys/1/service/store");
        let create = create.header("Idempotency-Key", KEY).form_body("_ttl=60");
        ids.push(TestResponse::send(create).await.service_id());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
}

#[tokio::test]
async fn service_state_is_independent_of_replica_clocks() {
    for pair in ReplicaPair::all().await {
        let (right, wrong) = (&pair.right, &pair.wrong);
        let service = wrong.create("_ttl=60").await;
        assert_ttl_is_one_minute(&right.get_service(&service).await);
        for app in [wrong, right] {
            let update = app.put(&service).form_body("ttl=60");
            assert_eq!(TestResponse::send(update).await.status, StatusCode::OK);
            assert_ttl_is_one_minute(&right.get_service(&service).await);
            wrong.get_service(&service).await;
        }
        let repeat = async |app: &TestApp| {
            let create = app.post("/genesys/1/service/store");
            let create = create.header("Idempotency-Key", KEY);
            TestResponse::send(create.form_body("_ttl=60"))
                .await
                .service_id()
        };
        let first = repeat(wrong).await;
        assert_eq!(repeat(wrong).await, first);
        assert_eq!(repeat(right).await, first);
    }
}

#[tokio::test]
async fn expiration_is_independent_of_replica_clock() {
    for pair in ReplicaPair::all().await {
        let service = pair.wrong.create("_ttl=1&Key=Value").await;
        for app in [&pair.right, &pair.wrong] {
            eventually("the service has expired", async || {
                let response = TestResponse::send(app.get(&service)).await;
                (response.status == StatusCode::NOT_FOUND).then_some(())
            })
            .await;
        }
    }
}
