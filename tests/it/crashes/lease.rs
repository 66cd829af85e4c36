//! One replica cleans up; when it dies another one does.

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

/// Two replicas on a Redis of their own, and a look at who asks what the ended held.
struct ReplicaPair {
    redis: TestRedis,
    connection: MultiplexedConnection,
    catalogue: CatalogFile,
    /// Connections, as Redis names them, that took what an ended service held.
    cleanup_connections: Arc<Mutex<BTreeSet<String>>>,
}

impl ReplicaPair {
    async fn new() -> Self {
        let redis = TestRedis::dedicated();
        let client = redis::Client::open(redis.url()).unwrap();
        let mut seen = client
            .get_async_monitor()
            .await
            .unwrap()
            .into_on_message::<String>();
        let cleaners = Arc::<Mutex<BTreeSet<String>>>::default();
        let into = Arc::clone(&cleaners);
        let take = concat!(
            include_str!("../../../src/store/redis/scripts/clock.lua"),
            include_str!("../../../src/store/redis/scripts/claim_cleanup.lua"),
        );
        let take = redis::Script::new(take).get_hash().to_owned();
        tokio::spawn(async move {
            while let Some(line) = seen.next().await {
                if line.contains("\"EVALSHA\"") && line.contains(&take) {
                    let sender = line.split(['[', ']']).nth(1).unwrap();
                    into.lock().unwrap().insert(sender.to_owned());
                }
            }
        });
        Self {
            connection: redis.connection().await,
            redis,
            catalogue: catalog(&default_group_toml("CLUSTER", 20)),
            cleanup_connections: cleaners,
        }
    }

    async fn replica(&self) -> (Program, String) {
        let url = self.redis.url();
        let settings = [
            ("redis.url", url.as_str()),
            ("catalog.file", self.catalogue.path()),
        ];
        let mut replica = Program::serve(&settings);
        let address = replica.address().await;
        (replica, format!("http://{address}/genesys/1/service"))
    }

    /// Who has the lease.
    async fn cleanup_leader(&self) -> String {
        let mut connection = self.connection.clone();
        eventually("somebody cleans up", async || {
            connection
                .get::<_, Option<String>>("sb1:lease:cleanup")
                .await
                .unwrap()
        })
        .await
    }

    /// Books at one door, ends at the other.
    async fn book_and_end(&self, [book, end]: [&str; 2], count: usize) {
        let client = Client::new();
        for _ in 0..count {
            let form = "_booking_expiration_timeout=1800";
            let request = client.post(format!("{book}/request-interaction"));
            let booked = TestResponse::send(request.form_body(form)).await;
            assert_eq!(booked.status, 200, "{}", booked.text());
            let id = booked.json()["_id"].as_str().unwrap().to_owned();
            let ended = TestResponse::send(client.delete(format!("{end}/{id}"))).await;
            assert_eq!(ended.status, 200, "{}", ended.text());
        }
    }

    /// Waits until nothing is held any more.
    async fn wait_until_all_released(&self) {
        let mut connection = self.connection.clone();
        eventually("all is given back", async || {
            let owns = keys_in(&mut connection, "sb1:own:*").await;
            let booked = keys_in(&mut connection, "sb1:grp:*:booked").await;
            (owns.is_empty() && booked.is_empty()).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn one_replica_cleans_up_and_when_it_is_killed_the_other_does() {
    let pair = ReplicaPair::new().await;
    let (first, at_first) = pair.replica().await;
    let leader = pair.cleanup_leader().await;
    let (_second, at_second) = pair.replica().await;
    for doors in [[&*at_first, &*at_second], [&*at_second, &*at_first]] {
        pair.book_and_end(doors, 15).await;
        pair.wait_until_all_released().await;
    }
    assert_eq!(pair.cleanup_leader().await, leader);
    let cleaners = pair.cleanup_connections.lock().unwrap().clone();
    assert_eq!(cleaners.len(), 1, "one does it: {cleaners:?}");

    drop(first); // killed, and it has told nobody
    let since = Instant::now();
    pair.book_and_end([&at_second, &at_second], 15).await;
    pair.wait_until_all_released().await;
    let took = since.elapsed();
    assert!(took < Duration::from_secs(12), "{took:?}");
    assert_ne!(pair.cleanup_leader().await, leader);
    assert_eq!(pair.cleanup_connections.lock().unwrap().len(), 2);

    // It is back: the one that took over goes on.
    let successor = pair.cleanup_leader().await;
    let (_third, at_third) = pair.replica().await;
    pair.book_and_end([&at_third, &at_second], 15).await;
    pair.wait_until_all_released().await;
    assert_eq!(pair.cleanup_leader().await, successor);
    assert_eq!(pair.cleanup_connections.lock().unwrap().len(), 2);
}
