//! A primary dies, and another server takes over: nothing hangs, nothing is a 500, and what was
//! acknowledged to have reached a replica is there.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use redis::{Value, cmd, from_redis_value};

use crate::support::{
    Bodies, TestApp, TestRedis, TestResponse, eventually, print_duration, random_prefix,
};

/// How long a failover may take on a busy machine.
const FAILOVER: Duration = Duration::from_secs(60);

/// A service that has every change reach a replica before it is acknowledged.
async fn start_with_wait_replicas(redis: TestRedis) -> TestApp {
    let overrides = [
        ("redis.wait_replicas", "1"),
        ("redis.wait_timeout_ms", "2000"),
        ("redis.connect_timeout_ms", "1000"),
        ("redis.response_timeout_ms", "2000"),
    ];
    TestApp::start(Some(Arc::new(redis)), &random_prefix(), &overrides).await
}

/// Writes keys to a service until some are stored again after the outage; gives those that were stored.
/// Who writes before and after it are replicas.
async fn write_through(
    [before, after]: [&TestApp; 2],
    service: &str,
    outage: impl Fn(),
) -> Vec<String> {
    let (mut stored, mut failed) = (Vec::new(), 0);
    let (mut began, mut resumed): (Option<Instant>, bool) = (None, false);
    for n in 0.. {
        let key = format!("key{n}");
        let app = if stored.len() < 60 { before } else { after };
        let write = app.post(&format!("{service}/storage"));
        let asked = Instant::now();
        let answer = TestResponse::send(write.form_body(&format!("{key}={key}"))).await;
        let took = asked.elapsed();
        assert!(took < Duration::from_secs(15), "{took:?}");
        if answer.status == 200 {
            stored.push(key);
            if let (true, false, Some(began)) = (failed > 0, resumed, began) {
                print_duration(
                    "from the death of a primary to the first change",
                    began.elapsed(),
                );
                resumed = true;
            }
            if failed > 0 && stored.len() > 100 {
                return stored;
            }
        } else {
            failed += 1;
            answer.error_message("StoreUnavailable", 503);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if stored.len() == 60 && began.is_none() {
            outage();
            began = Some(Instant::now());
        }
        let since = began.map_or(Duration::ZERO, |began| began.elapsed());
        assert!(since < FAILOVER, "{failed} writes failed in {since:?}");
    }
    stored
}

/// What is asked may be a replica that nobody has asked since the outage: it still has to find out.
async fn assert_all_there(app: &TestApp, service: &str, stored: &[String]) {
    let held = eventually("a replica finds who has the data", async || {
        let read = TestResponse::send(app.get(&format!("{service}/storage"))).await;
        if read.status == 200 {
            return Some(read.json());
        }
        read.error_message("StoreUnavailable", 503);
        None
    })
    .await;
    for key in stored {
        assert_eq!(held[key], *key.as_str(), "acknowledged");
    }
}

/// The port of the primary that has the keys of a service.
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

/// Waits until services that end are listened for on every primary but the one that is dead.
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
        eventually("a primary is listened to", async || {
            let role: Vec<Value> = cmd("ROLE").query_async(&mut connection).await.unwrap();
            let role: String = from_redis_value(role.into_iter().next().unwrap()).unwrap();
            let (_, listening): (String, usize) =
                numsub.query_async(&mut connection).await.unwrap();
            (role != "master" || listening > 0).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_primary_of_a_cluster_dies_and_its_replica_takes_over() {
    let app = start_with_wait_replicas(TestRedis::cluster_with_replicas()).await;
    // Who took over has no replica of its own that could be waited for.
    let hasty = app.start_replica().await;
    let service = app.create("a=1").await;
    let port = primary_of(&app, &service).await;
    let redis = app.redis.clone().unwrap();
    let stored = write_through([&app, &hasty], &service, || redis.kill(port)).await;
    assert_all_there(&app, &service, &stored).await;
    wait_until_all_primaries_subscribed(&redis, port).await;
    let ready = TestResponse::send(hasty.get("/readyz")).await;
    assert_eq!(ready.status, 200);
    TestResponse::send(hasty.delete(&service)).await.assert_ok();
    let gone = TestResponse::send(app.get(&service)).await;
    gone.error_message("ServiceNotFound", 404);
}

#[tokio::test]
async fn a_primary_behind_sentinels_dies_and_a_replica_takes_over() {
    let app = start_with_wait_replicas(TestRedis::sentinels_with_replicas().await).await;
    let service = app.create("a=1").await;
    let redis = app.redis.clone().unwrap();
    let port = primary_of(&app, &service).await;
    let stored = write_through([&app, &app], &service, || redis.kill(port)).await;
    assert_all_there(&app, &service, &stored).await;
}
