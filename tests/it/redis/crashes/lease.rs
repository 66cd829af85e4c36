//! One replica runs the cleanup; if it fails, another one takes over.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use redis::{AsyncCommands, aio::MultiplexedConnection};
use reqwest::Client;

use crate::support::{
    Bodies, TestRedis, TestResponse,
    bookings::{CatalogFile, catalog, default_group_toml, eventually, keys_in, program::Program},
};

/// Two replicas on a dedicated Redis, and a monitor of the cleanup.
struct ReplicaPair {
    redis: TestRedis,
    connection: MultiplexedConnection,
    catalog_file: CatalogFile,
    /// The connections, by their address in `MONITOR`, that claimed the cleanup of a service.
    cleanup_connections: Arc<Mutex<BTreeSet<String>>>,
}

impl ReplicaPair {
    async fn new() -> Self {
        let redis = TestRedis::dedicated();
        let client = redis::Client::open(redis.url()).unwrap();
        let mut monitor = client
            .get_async_monitor()
            .await
            .unwrap()
            .into_on_message::<String>();
        let connections = Arc::<Mutex<BTreeSet<String>>>::default();
        let sink = Arc::clone(&connections);
        let script = concat!(
            include_str!("../../../../src/store/redis/scripts/clock.lua"),
            include_str!("../../../../src/store/redis/scripts/events.lua"),
            include_str!("../../../../src/store/redis/scripts/claim_cleanup.lua"),
        );
        let script_hash = redis::Script::new(script).get_hash().to_owned();
        tokio::spawn(async move {
            while let Some(line) = monitor.next().await {
                if line.contains("\"EVALSHA\"") && line.contains(&script_hash) {
                    let sender = line.split(['[', ']']).nth(1).unwrap();
                    sink.lock().unwrap().insert(sender.to_owned());
                }
            }
        });
        Self {
            connection: redis.connection().await,
            redis,
            catalog_file: catalog(&default_group_toml("CLUSTER", 20)),
            cleanup_connections: connections,
        }
    }

    async fn replica(&self) -> (Program, String) {
        let url = self.redis.url();
        let settings = [
            ("redis.url", url.as_str()),
            ("catalog.file", self.catalog_file.path()),
        ];
        let mut replica = Program::serve(&settings);
        let address = replica.address().await;
        (replica, format!("http://{address}/genesys/1/service"))
    }

    /// Returns the id of the cleanup leader.
    async fn cleanup_leader(&self) -> String {
        let mut connection = self.connection.clone();
        eventually("a replica is cleanup leader", async || {
            connection
                .get::<_, Option<String>>("sb1:lease:cleanup")
                .await
                .unwrap()
        })
        .await
    }

    /// Books at one replica, deletes at the other.
    async fn book_and_end(&self, [book, delete]: [&str; 2], count: usize) {
        let client = Client::new();
        for _ in 0..count {
            let form = "_booking_expiration_timeout=1800";
            let request = client.post(format!("{book}/request-interaction"));
            let booked = TestResponse::send(request.form_body(form)).await;
            assert_eq!(booked.status, 200, "{}", booked.text());
            let id = booked.json()["_id"].as_str().unwrap().to_owned();
            let deleted = TestResponse::send(client.delete(format!("{delete}/{id}"))).await;
            assert_eq!(deleted.status, 200, "{}", deleted.text());
        }
    }

    /// Waits until all resources are released.
    async fn wait_until_all_released(&self) {
        let mut connection = self.connection.clone();
        eventually("all resources are released", async || {
            let owned = keys_in(&mut connection, "sb1:own:*").await;
            let booked = keys_in(&mut connection, "sb1:grp:*:booked").await;
            (owned.is_empty() && booked.is_empty()).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn cleanup_leadership_fails_over() {
    let pair = ReplicaPair::new().await;
    let (first, first_url) = pair.replica().await;
    let leader = pair.cleanup_leader().await;
    let (_second, second_url) = pair.replica().await;
    for urls in [[&*first_url, &*second_url], [&*second_url, &*first_url]] {
        pair.book_and_end(urls, 15).await;
        pair.wait_until_all_released().await;
    }
    assert_eq!(pair.cleanup_leader().await, leader);
    let connections = pair.cleanup_connections.lock().unwrap().clone();
    assert_eq!(
        connections.len(),
        1,
        "only the leader cleans up: {connections:?}"
    );

    drop(first); // killed without releasing the lease
    let killed_at = Instant::now();
    pair.book_and_end([&second_url, &second_url], 15).await;
    pair.wait_until_all_released().await;
    let elapsed = killed_at.elapsed();
    assert!(elapsed < Duration::from_secs(12), "{elapsed:?}");
    assert_ne!(pair.cleanup_leader().await, leader);
    eventually(
        "the monitor has read the claims of the successor",
        async || (pair.cleanup_connections.lock().unwrap().len() == 2).then_some(()),
    )
    .await;

    // After the restart, the successor remains the leader.
    let successor = pair.cleanup_leader().await;
    let (_third, third_url) = pair.replica().await;
    pair.book_and_end([&third_url, &second_url], 15).await;
    pair.wait_until_all_released().await;
    assert_eq!(pair.cleanup_leader().await, successor);
    assert_eq!(pair.cleanup_connections.lock().unwrap().len(), 2);
}
