//! Replicas whose clocks are wrong, by minutes and in both directions: time comes from Redis, so nothing
//! that clients see depends on the clock of the replica they ask.

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

/// How far clocks are wrong, in milliseconds.
const SHIFTS: [i64; 2] = [45_000, -120_000];
const KEY: &str = "order-4711-0123456789";

on_every_kind_of_store!(
    a_service_lives_as_long_whatever_the_clock_of_the_replica_shows,
    one_idempotency_key_makes_one_service_whatever_the_clocks_show,
);

/// Two replicas that have the same group of five numbers.
struct ReplicaPair {
    right: TestApp,
    wrong: TestApp,
    /// Keeps the way of `wrong` to Redis open.
    _proxy: Option<Proxy>,
}

impl ReplicaPair {
    /// The wall clock of the second one is wrong.
    async fn with_wall_clock_shift(redis: &Arc<TestRedis>, shift: i64) -> Self {
        let pair = Self::start(redis, None).await;
        pair.wrong.clock.set_shift(shift);
        pair
    }

    /// The second one has measured the clock of Redis wrong, as where another server of a Cluster was
    /// measured.
    async fn with_measured_clock_shift(redis: &Arc<TestRedis>, shift: i64) -> Self {
        let proxy = Proxy::new(&redis.url().replace("redis://", ""));
        proxy.shift_time(shift / 1_000);
        Self::start(redis, Some(proxy)).await
    }

    async fn start(redis: &Arc<TestRedis>, proxy: Option<Proxy>) -> Self {
        let numbers: Vec<String> = (0..5).map(number).collect();
        let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
        let catalogue = catalog(&group_toml("DNIS", "CLUSTER", &numbers));
        let mut overrides = vec![("catalog.file", catalogue.path())];
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

    /// Pairs on one server and on a Cluster, wrong in each way there is.
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

async fn book(app: &TestApp, seconds: u64) -> TestResponse {
    let form = format!("_booking_expiration_timeout={seconds}");
    create(app, "request-interaction", &form).await
}

/// The first takes all five numbers; then there is none for the second, and none for the first.
async fn exhaust_group(first: &TestApp, second: &TestApp) {
    let mut numbers = Vec::new();
    for _ in 0..5 {
        let answer = book(first, 30).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        numbers.push(answer.json()["_access_number"].as_str().unwrap().to_owned());
    }
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), 5);
    for app in [second, second, second, first] {
        book(app, 30).await.error_message("NoAccessNumber", 503);
    }
}

#[tokio::test]
async fn no_number_is_held_twice_whatever_the_clocks_of_replicas_show() {
    for pair in ReplicaPair::all().await {
        exhaust_group(&pair.right, &pair.wrong).await;
    }
    for pair in ReplicaPair::all().await {
        exhaust_group(&pair.wrong, &pair.right).await;
    }
}

#[tokio::test]
async fn a_number_comes_back_in_time_whatever_the_clocks_of_replicas_show() {
    let pairs = ReplicaPair::all().await;
    let come_back = pairs.iter().map(async |pair| {
        for _ in 0..5 {
            assert_eq!(book(&pair.wrong, 5).await.status, StatusCode::OK);
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
    join_all(come_back).await;
}

/// A service made or moved just now has a minute.
fn assert_ttl_is_one_minute(told: &Value) {
    let ttl = told["_ttl"].as_u64().unwrap();
    assert!((40..=60).contains(&ttl), "{told}");
}

async fn a_service_lives_as_long_whatever_the_clock_of_the_replica_shows(app: TestApp) {
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

async fn one_idempotency_key_makes_one_service_whatever_the_clocks_show(app: TestApp) {
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
async fn replicas_agree_on_services_whatever_their_clocks_show() {
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
async fn a_service_made_by_a_replica_with_a_wrong_clock_ends_in_time() {
    for pair in ReplicaPair::all().await {
        let service = pair.wrong.create("_ttl=1&Key=Value").await;
        for app in [&pair.right, &pair.wrong] {
            eventually("the end of a service", async || {
                let answer = TestResponse::send(app.get(&service)).await;
                (answer.status == StatusCode::NOT_FOUND).then_some(())
            })
            .await;
        }
    }
}
