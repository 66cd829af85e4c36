//! Failover of a primary: no request hangs or returns 500, and acknowledged replicated writes survive.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use redis::{Value, cmd, from_redis_value};

use crate::support::{
    Bodies, TestApp, TestRedis, TestResponse, eventually, print_duration, random_prefix,
};

/// The timeout of a failover on a busy machine.
const FAILOVER: Duration = Duration::from_secs(60);

/// Starts a replica that acknowledges changes only after a Redis replica has them.
async fn start_with_wait_replicas(redis: TestRedis) -> TestApp {
    let overrides = [
        ("redis.wait_replicas", "1"),
        ("redis.wait_timeout_ms", "2000"),
        ("redis.connect_timeout_ms", "1000"),
        ("redis.response_timeout_ms", "2000"),
    ];
    TestApp::start(Some(Arc::new(redis)), &random_prefix(), &overrides).await
}

/// Writes keys to a service until some are stored again after the outage, and returns the stored ones.
/// Uses the replica `before` until the outage, then `after`.
async fn write_through(
    [before, after]: [&TestApp; 2],
    service: &str,
    outage: impl Fn(),
) -> Vec<String> {
    let (mut stored, mut failed) = (Vec::new(), 0);
    let (mut outage_start, mut resumed): (Option<Instant>, bool) = (None, false);
    for n in 0.. {
        let key = format!("key{n}");
        let app = if stored.len() < 60 { before } else { after };
        let write = app.post(&format!("{service}/storage"));
        let sent_at = Instant::now();
        let response = TestResponse::send(write.form_body(&format!("{key}={key}"))).await;
        let elapsed = sent_at.elapsed();
        assert!(elapsed < Duration::from_secs(15), "{elapsed:?}");
        if response.status == 200 {
            stored.push(key);
            if let (true, false, Some(outage_start)) = (failed > 0, resumed, outage_start) {
                print_duration(
                    "from the loss of a primary to the first change",
                    outage_start.elapsed(),
                );
                resumed = true;
            }
            if failed > 0 && stored.len() > 100 {
                return stored;
            }
        } else {
            failed += 1;
            response.error_message("StoreUnavailable", 503);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if stored.len() == 60 && outage_start.is_none() {
            outage();
            outage_start = Some(Instant::now());
        }
        let since = outage_start.map_or(Duration::ZERO, |outage_start| outage_start.elapsed());
        assert!(since < FAILOVER, "{failed} writes failed in {since:?}");
    }
    stored
}

/// The replica may not have been used since the outage and may still have to detect it.
async fn assert_all_stored(app: &TestApp, service: &str, stored: &[String]) {
    let storage = eventually("a replica finds the new primary", async || {
        let read = TestResponse::send(app.get(&format!("{service}/storage"))).await;
        if read.status == 200 {
            return Some(read.json());
        }
        read.error_message("StoreUnavailable", 503);
        None
    })
    .await;
    for key in stored {
        assert_eq!(storage[key], *key.as_str(), "acknowledged");
    }
}

/// Returns the port of the primary that has the keys of a service.
async fn primary_of(app: &TestApp, service: &str) -> u16 {
    let redis = app.redis.as_ref().unwrap();
    let id = service.rsplit('/').next().unwrap();
    for address in redis.addresses() {
        let mut connection = redis.connection_to(&address).await;
        let key = format!("{}svc:{{{id}}}", app.prefix);
        let found = cmd("HGET").arg(key).arg("_service").to_owned();
        let role: Vec<Value> = cmd("ROLE").query_async(&mut connection).await.unwrap();
        let role: String = from_redis_value(role.into_iter().next().unwrap()).unwrap();
        let found: redis::RedisResult<Option<String>> = found.query_async(&mut connection).await;
        if role == "master" && matches!(found, Ok(Some(_))) {
            let address = address.to_string();
            return address.rsplit_once(':').unwrap().1.parse().unwrap();
        }
    }
    panic!("no primary has {service}");
}

/// Waits until keyspace notifications are subscribed on every primary except the dead one.
async fn wait_until_all_primaries_subscribed(redis: &TestRedis, dead: u16) {
    let dead = format!(":{dead}");
    for address in redis.addresses() {
        if address.to_string().ends_with(&dead) {
            continue;
        }
        let mut connection = redis.connection_to(&address).await;
        let numsub = cmd("PUBSUB")
            .arg("NUMSUB")
            .arg("__keyevent@0__:del")
            .to_owned();
        eventually("a primary has a subscriber", async || {
            let role: Vec<Value> = cmd("ROLE").query_async(&mut connection).await.unwrap();
            let role: String = from_redis_value(role.into_iter().next().unwrap()).unwrap();
            let (_, subscribers): (String, usize) =
                numsub.query_async(&mut connection).await.unwrap();
            (role != "master" || subscribers > 0).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn cluster_failover_preserves_acknowledged_writes() {
    let app = start_with_wait_replicas(TestRedis::cluster_with_replicas()).await;
    // The promoted server has no replica of its own to wait for.
    let unreplicated = app.start_replica().await;
    let service = app.create("a=1").await;
    let port = primary_of(&app, &service).await;
    let redis = app.redis.clone().unwrap();
    let stored = write_through([&app, &unreplicated], &service, || redis.kill(port)).await;
    assert_all_stored(&app, &service, &stored).await;
    wait_until_all_primaries_subscribed(&redis, port).await;
    let ready = TestResponse::send(unreplicated.get("/readyz")).await;
    assert_eq!(ready.status, 200);
    TestResponse::send(unreplicated.delete(&service))
        .await
        .assert_ok();
    let deleted = TestResponse::send(app.get(&service)).await;
    deleted.error_message("ServiceNotFound", 404);
}

#[tokio::test]
async fn sentinel_failover_preserves_acknowledged_writes() {
    let app = start_with_wait_replicas(TestRedis::sentinels_with_replicas().await).await;
    let service = app.create("a=1").await;
    let redis = app.redis.clone().unwrap();
    let port = primary_of(&app, &service).await;
    let stored = write_through([&app, &app], &service, || redis.kill(port)).await;
    assert_all_stored(&app, &service, &stored).await;
}
