//! What a service held beside itself is given back after its end, whichever replica is up.

use std::{sync::Arc, time::Duration};

use redis::{aio::MultiplexedConnection, cmd};

use crate::support::{
    Bodies, Multipart, TestApp, TestRedis, TestResponse, eventually,
    proxy::{Proxy, ProxyMode},
    random_prefix,
    stores::{in_ms, keys_under, test_bytes},
};

/// A Redis of the test's own, because it is listened to and configured as a whole.
struct Fixture {
    redis: Arc<TestRedis>,
    connection: MultiplexedConnection,
    prefix: String,
    /// Number of the database.
    database: u8,
}

impl Fixture {
    async fn new() -> Self {
        let redis = Arc::new(TestRedis::dedicated());
        Self {
            connection: redis.connection().await,
            redis,
            prefix: random_prefix(),
            database: 0,
        }
    }

    async fn replica(&self) -> TestApp {
        let url = format!("{}/{}", self.redis.url(), self.database);
        let overrides = [("redis.url", url.as_str())];
        TestApp::start(Some(self.redis.clone()), &self.prefix, &overrides).await
    }

    async fn config(&self, arguments: &[&str]) -> Vec<String> {
        let mut connection = self.connection.clone();
        let mut config = cmd("CONFIG");
        config.arg(arguments);
        let answer: redis::Value = config.query_async(&mut connection).await.unwrap();
        redis::from_redis_value(answer).unwrap_or_default()
    }

    /// The letters of `notify-keyspace-events`, in order.
    async fn flags(&self) -> String {
        let answer = self.config(&["GET", "notify-keyspace-events"]).await;
        let mut flags: Vec<char> = answer[1].chars().collect();
        flags.sort_unstable();
        flags.into_iter().collect()
    }

    /// Waits until this many replicas are told of services that end, however they end.
    async fn wait_for_subscribers(&self, replicas: u64) {
        let channel = |event| format!("__keyevent@{}__:{event}", self.database);
        let channels = ["del", "expired", "evicted"].map(channel);
        let mut ask = cmd("PUBSUB");
        ask.arg("NUMSUB").arg(&channels);
        let mut connection = self.connection.clone();
        eventually("the replicas listen", async || {
            type Numbers = Vec<(String, u64)>;
            let numbers: Numbers = ask.query_async(&mut connection).await.unwrap();
            let all = numbers.iter().all(|(_, number)| *number == replicas);
            all.then_some(())
        })
        .await;
    }

    async fn keys(&self) -> Vec<String> {
        let mut connection = self.connection.clone();
        keys_under(&mut connection, &self.prefix).await
    }

    /// Waits until there are no keys but `expected`.
    async fn wait_until_only(&self, expected: &[String]) {
        eventually("all else is given back", async || {
            let keys = self.keys().await;
            let kept = expected.iter().all(|key| keys.contains(key));
            assert!(kept, "{expected:?} of {keys:?}");
            (keys.len() == expected.len()).then_some(())
        })
        .await;
    }
}

/// Creates a service with text and a file of three chunks.
async fn create_with_file(app: &TestApp) -> String {
    let body = Multipart::new().text("a", "1");
    let body = body.file("map", "map.bin", "image/png", &test_bytes(600_000));
    let create = app.post("/genesys/1/service/store").multipart_body(body);
    TestResponse::send(create).await.service_id()
}

#[tokio::test]
async fn bytes_of_a_deleted_service_are_given_back_whoever_deletes_it() {
    let fixture = Fixture::new().await;
    let (one, other) = (fixture.replica().await, fixture.replica().await);
    fixture.wait_for_subscribers(2).await;
    for (maker, deleter) in [(&one, &one), (&one, &other), (&other, &one)] {
        let service = create_with_file(maker).await;
        assert!(fixture.keys().await.len() > 1);
        TestResponse::send(deleter.delete(&service))
            .await
            .assert_ok();
        fixture.wait_until_only(&[]).await;
    }
}

#[tokio::test]
async fn one_replica_cleans_up_after_a_service_of_one_that_stopped() {
    let fixture = Fixture::new().await;
    let (one, other) = (fixture.replica().await, fixture.replica().await);
    fixture.wait_for_subscribers(2).await;
    let service = create_with_file(&one).await;
    one.stop().await;
    fixture.wait_for_subscribers(1).await;
    TestResponse::send(other.delete(&service)).await.assert_ok();
    fixture.wait_until_only(&[]).await;
}

#[tokio::test]
async fn nothing_is_left_of_a_service_that_ended_by_its_time() {
    let fixture = Fixture::new().await;
    let app = fixture.replica().await;
    fixture.wait_for_subscribers(1).await;
    let service = create_with_file(&app).await;
    let end = format!("expiration_time={}", in_ms(200));
    TestResponse::send(app.put(&service).form_body(&end))
        .await
        .assert_empty();
    fixture.wait_until_only(&[]).await;
}

#[tokio::test]
async fn nothing_of_a_living_service_is_given_back() {
    let fixture = Fixture::new().await;
    let (one, other) = (fixture.replica().await, fixture.replica().await);
    fixture.wait_for_subscribers(2).await;
    let lives = create_with_file(&one).await;
    let living = fixture.keys().await;
    for app in [&one, &other, &one, &other] {
        let ends = create_with_file(app).await;
        TestResponse::send(app.delete(&ends)).await.assert_ok();
    }
    fixture.wait_until_only(&living).await;
    let read = other.get(&format!("{lives}/storage/binary/map"));
    assert!(TestResponse::send(read).await.body == test_bytes(600_000));
}

#[tokio::test]
async fn a_replica_whose_subscription_breaks_listens_again() {
    let fixture = Fixture::new().await;
    let app = fixture.replica().await;
    fixture.wait_for_subscribers(1).await;
    let mut kill = cmd("CLIENT");
    kill.arg("KILL").arg("TYPE").arg("pubsub");
    let mut connection = fixture.connection.clone();
    let killed: u64 = kill.query_async(&mut connection).await.unwrap();
    assert_eq!(killed, 1);
    fixture.wait_for_subscribers(1).await;
    let service = create_with_file(&app).await;
    TestResponse::send(app.delete(&service)).await.assert_ok();
    fixture.wait_until_only(&[]).await;
}

#[tokio::test]
async fn notifications_that_were_on_stay_on() {
    let fixture = Fixture::new().await;
    fixture
        .config(&["SET", "notify-keyspace-events", "Kl"])
        .await;
    let app = fixture.replica().await;
    fixture.wait_for_subscribers(1).await;
    assert_eq!(fixture.flags().await, "EKeglx");
    let service = create_with_file(&app).await;
    TestResponse::send(app.delete(&service)).await.assert_ok();
    fixture.wait_until_only(&[]).await;
}

#[tokio::test]
async fn notifications_that_suffice_are_left_as_they_are() {
    let fixture = Fixture::new().await;
    for flags in ["AE", "Eegx"] {
        fixture
            .config(&["SET", "notify-keyspace-events", flags])
            .await;
        let app = fixture.replica().await;
        fixture.wait_for_subscribers(1).await;
        assert_eq!(fixture.flags().await, flags);
        app.stop().await;
    }
}

#[tokio::test]
async fn another_database_is_listened_to_as_well() {
    let mut fixture = Fixture::new().await;
    fixture.database = 3;
    let app = fixture.replica().await;
    fixture.wait_for_subscribers(1).await;
    let select = cmd("SELECT").arg(3).to_owned();
    select.exec_async(&mut fixture.connection).await.unwrap();
    let service = create_with_file(&app).await;
    assert!(fixture.keys().await.len() > 1);
    TestResponse::send(app.delete(&service)).await.assert_ok();
    fixture.wait_until_only(&[]).await;
}

#[tokio::test]
async fn a_redis_that_forbids_configuring_it_is_served_from_and_cleaned_up() {
    let fixture = Fixture::new().await;
    fixture
        .config(&["SET", "notify-keyspace-events", "AE"])
        .await;
    let rules = "SETUSER clerk on >secret ~* &* +@all -config";
    let acl = cmd("ACL")
        .arg(rules.split(' ').collect::<Vec<_>>())
        .to_owned();
    let mut connection = fixture.connection.clone();
    acl.exec_async(&mut connection).await.unwrap();
    let url = fixture.redis.url().replace("//", "//clerk:secret@");
    let overrides = [("redis.url", url.as_str())];
    let app = TestApp::start(Some(fixture.redis.clone()), &fixture.prefix, &overrides).await;
    fixture.wait_for_subscribers(1).await;
    let service = create_with_file(&app).await;
    let read = app.get(&format!("{service}/storage/binary/map"));
    assert!(TestResponse::send(read).await.body == test_bytes(600_000));
    TestResponse::send(app.delete(&service)).await.assert_ok();
    fixture.wait_until_only(&[]).await;
}

#[tokio::test]
async fn a_replica_whose_subscription_falls_silent_listens_again() {
    let fixture = Fixture::new().await;
    let proxy = Proxy::new(&fixture.redis.url().replace("redis://", ""));
    let url = proxy.url();
    let overrides = [
        ("redis.url", url.as_str()),
        ("redis.response_timeout_ms", "300"),
        ("redis.connect_timeout_ms", "1000"),
    ];
    let app = TestApp::start(Some(fixture.redis.clone()), &fixture.prefix, &overrides).await;
    fixture.wait_for_subscribers(1).await;
    // What connections there are stay silent for ever; new ones work.
    proxy.set_mode(ProxyMode::Stall);
    proxy.restore();
    // One service after another: until somebody listens again, what ends is not heard of.
    eventually("what a deleted service held is given back", async || {
        let body = Multipart::new().file("map", "map.png", "image/png", b"bytes");
        let create = app.post("/genesys/1/service/store").multipart_body(body);
        let created = TestResponse::send(create).await;
        if created.status != 200 {
            return None;
        }
        let service = created.service_id();
        let id = service.rsplit('/').next().unwrap();
        if TestResponse::send(app.delete(&service)).await.status != 200 {
            return None;
        }
        for _ in 0..20 {
            let keys = fixture.keys().await;
            if !keys.iter().any(|key| key.contains(id)) {
                return Some(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        None
    })
    .await;
}
