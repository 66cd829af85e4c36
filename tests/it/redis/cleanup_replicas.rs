//! The cleanup of ended services by any running replica.

use std::{sync::Arc, time::Duration};

use redis::{aio::MultiplexedConnection, cmd};

use crate::support::{
    Bodies, Multipart, TestApp, TestRedis, TestResponse, eventually,
    proxy::{Proxy, ProxyMode},
    random_prefix,
    stores::{in_ms, keys_under, test_bytes},
};

/// A dedicated Redis, because its configuration and subscriptions are inspected.
struct Fixture {
    redis: Arc<TestRedis>,
    connection: MultiplexedConnection,
    prefix: String,
    /// The database number.
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
        let response: redis::Value = config.query_async(&mut connection).await.unwrap();
        redis::from_redis_value(response).unwrap_or_default()
    }

    /// The flags of `notify-keyspace-events`, sorted.
    async fn flags(&self) -> String {
        let response = self.config(&["GET", "notify-keyspace-events"]).await;
        let mut flags: Vec<char> = response[1].chars().collect();
        flags.sort_unstable();
        flags.into_iter().collect()
    }

    /// Waits until this many replicas are subscribed to all notifications.
    async fn wait_for_subscribers(&self, replicas: u64) {
        let channel = |event| format!("__keyevent@{}__:{event}", self.database);
        let channels = ["del", "expired", "evicted"].map(channel);
        let mut numsub = cmd("PUBSUB");
        numsub.arg("NUMSUB").arg(&channels);
        let mut connection = self.connection.clone();
        eventually("the replicas are subscribed", async || {
            type Counts = Vec<(String, u64)>;
            let counts: Counts = numsub.query_async(&mut connection).await.unwrap();
            let all_subscribed = counts.iter().all(|(_, count)| *count == replicas);
            all_subscribed.then_some(())
        })
        .await;
    }

    async fn keys(&self) -> Vec<String> {
        let mut connection = self.connection.clone();
        keys_under(&mut connection, &self.prefix).await
    }

    /// Waits until exactly the keys `expected` remain.
    async fn wait_until_only(&self, expected: &[String]) {
        eventually("all other keys are deleted", async || {
            let keys = self.keys().await;
            let all_present = expected.iter().all(|key| keys.contains(key));
            assert!(all_present, "{expected:?} of {keys:?}");
            (keys.len() == expected.len()).then_some(())
        })
        .await;
    }
}

/// Creates a service with a string and a file of three chunks.
async fn create_with_file(app: &TestApp) -> String {
    let body = Multipart::new().text("a", "1");
    let body = body.file("map", "map.bin", "image/png", &test_bytes(600_000));
    let create = app.post("/genesys/1/service/store").multipart_body(body);
    TestResponse::send(create).await.service_id()
}

#[tokio::test]
async fn any_replica_releases_binaries_of_deleted_service() {
    let fixture = Fixture::new().await;
    let (first, second) = (fixture.replica().await, fixture.replica().await);
    fixture.wait_for_subscribers(2).await;
    for (creator, deleter) in [(&first, &first), (&first, &second), (&second, &first)] {
        let service = create_with_file(creator).await;
        assert!(fixture.keys().await.len() > 1);
        TestResponse::send(deleter.delete(&service))
            .await
            .assert_ok();
        fixture.wait_until_only(&[]).await;
    }
}

#[tokio::test]
async fn replica_cleans_up_services_of_stopped_replica() {
    let fixture = Fixture::new().await;
    let (first, second) = (fixture.replica().await, fixture.replica().await);
    fixture.wait_for_subscribers(2).await;
    let service = create_with_file(&first).await;
    first.stop().await;
    fixture.wait_for_subscribers(1).await;
    TestResponse::send(second.delete(&service))
        .await
        .assert_ok();
    fixture.wait_until_only(&[]).await;
}

#[tokio::test]
async fn expired_service_leaves_no_keys() {
    let fixture = Fixture::new().await;
    let app = fixture.replica().await;
    fixture.wait_for_subscribers(1).await;
    let service = create_with_file(&app).await;
    let end = format!("expiration_time={}", in_ms(3_000));
    TestResponse::send(app.put(&service).form_body(&end))
        .await
        .assert_empty();
    fixture.wait_until_only(&[]).await;
}

#[tokio::test]
async fn cleanup_does_not_touch_active_service() {
    let fixture = Fixture::new().await;
    let (first, second) = (fixture.replica().await, fixture.replica().await);
    fixture.wait_for_subscribers(2).await;
    let active = create_with_file(&first).await;
    let expected = fixture.keys().await;
    for app in [&first, &second, &first, &second] {
        let deleted = create_with_file(app).await;
        TestResponse::send(app.delete(&deleted)).await.assert_ok();
    }
    fixture.wait_until_only(&expected).await;
    let read = second.get(&format!("{active}/storage/binary/map"));
    assert!(TestResponse::send(read).await.body == test_bytes(600_000));
}

#[tokio::test]
async fn broken_subscription_is_restored() {
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
async fn existing_notification_flags_are_preserved() {
    let fixture = Fixture::new().await;
    fixture
        .config(&["SET", "notify-keyspace-events", "Kl"])
        .await;
    let app = fixture.replica().await;
    fixture.wait_for_subscribers(1).await;
    // A replica subscribes before it enables the notifications.
    eventually("the replica has enabled its notifications", async || {
        (fixture.flags().await != "Kl").then_some(())
    })
    .await;
    assert_eq!(fixture.flags().await, "EKeglx");
    let service = create_with_file(&app).await;
    TestResponse::send(app.delete(&service)).await.assert_ok();
    fixture.wait_until_only(&[]).await;
}

#[tokio::test]
async fn sufficient_notification_flags_are_unchanged() {
    let fixture = Fixture::new().await;
    for flags in ["AE", "Eegx"] {
        fixture
            .config(&["SET", "notify-keyspace-events", flags])
            .await;
        let app = fixture.replica().await;
        fixture.wait_for_subscribers(1).await;
        // A replica handles notifications only after it has read the flags.
        let service = create_with_file(&app).await;
        TestResponse::send(app.delete(&service)).await.assert_ok();
        fixture.wait_until_only(&[]).await;
        assert_eq!(fixture.flags().await, flags);
        app.stop().await;
    }
}

#[tokio::test]
async fn notifications_of_other_database_are_used() {
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
async fn cleanup_works_without_config_right() {
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
async fn unresponsive_subscription_is_restored() {
    let fixture = Fixture::new().await;
    let proxy = Proxy::to_redis(&fixture.redis);
    let url = proxy.url();
    let overrides = [
        ("redis.url", url.as_str()),
        ("redis.response_timeout_ms", "300"),
        ("redis.connect_timeout_ms", "1000"),
    ];
    let app = TestApp::start(Some(fixture.redis.clone()), &fixture.prefix, &overrides).await;
    fixture.wait_for_subscribers(1).await;
    // Existing connections remain unresponsive; new ones work.
    proxy.set_mode(ProxyMode::Stall);
    proxy.restore();
    // One service after another: until the subscription is restored, notifications are lost.
    eventually(
        "the resources of a deleted service are released",
        async || {
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
        },
    )
    .await;
}
