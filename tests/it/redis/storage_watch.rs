//! Watchers of a storage through crashes: the last state arrives at every watcher while replicas are killed.
//!
//! `STORAGE_WATCH_CHANGES` sets the size of a longer run.

use std::{
    env,
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use futures_util::future::{join_all, join3};
use rand::RngExt;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::{
    api::storage_watch::apply,
    support::{
        Bodies, TestRedis, TestResponse, event_stream::EventStream, program::Program, proxy::Proxy,
        random_prefix,
    },
};

const REPLICAS: usize = 3;
const WRITERS: usize = 6;
const WATCHERS: usize = 12;
const KEYS: usize = 30;
/// The time without any event after which a watcher has failed: more than that between heartbeats.
const TIMEOUT: Duration = Duration::from_secs(60);

#[expect(clippy::disallowed_methods, reason = "the size of a longer run")]
fn changes() -> usize {
    let changes = env::var("STORAGE_WATCH_CHANGES");
    changes.map_or(3_000, |value| value.parse().unwrap())
}

/// Requests to the replicas in turn.
struct Replicas {
    client: Client,
    addresses: Vec<SocketAddr>,
    next: AtomicUsize,
}

impl Replicas {
    fn url(&self, path: &str) -> String {
        let n = self.next.fetch_add(1, Relaxed) % self.addresses.len();
        format!("http://{}{path}", self.addresses[n])
    }

    /// Makes this number of random changes; those whose response is lost may or may not be made.
    async fn write(&self, path: &str, changes: usize) {
        for n in 0..changes {
            let random = rand::rng().random_range(0..1_000);
            let key = format!("key{}", random % KEYS);
            let request = match random {
                0 => self.client.delete(self.url(path)),
                1..200 => self.client.delete(self.url(&format!("{path}/{key}"))),
                _ => {
                    let write = self.client.post(self.url(path));
                    write.form_body(&format!("{key}={random} {n}"))
                }
            };
            if request.send().await.is_err() {
                sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// Repeats a request until it succeeds.
    async fn ask(&self, path: &str, form: Option<&str>) -> TestResponse {
        loop {
            let request = match form {
                Some(form) => self.client.post(self.url(path)).form_body(form),
                None => self.client.get(self.url(path)),
            };
            if let Ok(response) = request.send().await
                && response.status() == 200
                && let Ok(response) = TestResponse::try_from_response(response).await
            {
                return response;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Follows a storage until the key `done` is there, over any number of streams.
    async fn watch(&self, path: &str) -> Value {
        let (mut state, mut last) = (json!({}), 0_u64);
        loop {
            let request = self.client.get(self.url(path));
            let request = request.header("accept", "text/event-stream");
            let request = request.header("last-event-id", last.to_string());
            let Ok(response) = request.send().await else {
                sleep(Duration::from_millis(20)).await;
                continue;
            };
            if response.status() != StatusCode::OK {
                sleep(Duration::from_millis(20)).await;
                continue;
            }
            let mut stream = EventStream::from_response(response);
            while let Some(event) = timeout(TIMEOUT, stream.next()).await.unwrap() {
                let revision: u64 = event.id.parse().unwrap();
                assert!(revision > last, "{revision} after {last}");
                last = revision;
                apply(&mut state, &event);
                if state["done"] == "1" {
                    return state;
                }
            }
        }
    }
}

async fn start_replica(redis: &TestRedis, prefix: &str, proxy: &Proxy) -> Program {
    let mut settings = redis.settings();
    settings.push(("redis.prefix", prefix.to_owned()));
    let settings: Vec<(&str, &str)> = settings.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let mut replica = Program::serve(&settings);
    proxy.set_target(&replica.address().await.to_string());
    replica
}

#[tokio::test]
async fn last_state_arrives_while_replicas_are_killed() {
    let (redis, prefix) = (TestRedis::dedicated(), random_prefix());
    let proxies: Vec<Proxy> = (0..REPLICAS).map(|_| Proxy::new("127.0.0.1:1")).collect();
    let mut running = Vec::new();
    for proxy in &proxies {
        running.push(start_replica(&redis, &prefix, proxy).await);
    }
    let replicas = Replicas {
        client: Client::new(),
        addresses: proxies.iter().map(|proxy| proxy.address).collect(),
        next: AtomicUsize::new(0),
    };
    let created = replicas.ask("/genesys/1/service/store", Some("a=1")).await;
    let path = format!("{}/storage", created.service_id());
    let is_written = AtomicBool::new(false);
    let write = async {
        let writers = (0..WRITERS).map(|_| replicas.write(&path, changes() / WRITERS));
        join_all(writers).await;
        is_written.store(true, Relaxed);
        replicas.ask(&path, Some("done=1")).await;
        replicas.ask(&path, None).await.json()
    };
    let kill = async {
        let mut kills = 0;
        while !is_written.load(Relaxed) || kills < REPLICAS {
            sleep(Duration::from_millis(700)).await;
            let victim = kills % REPLICAS;
            drop(running.remove(victim));
            sleep(Duration::from_millis(200)).await;
            let replica = start_replica(&redis, &prefix, &proxies[victim]).await;
            running.insert(victim, replica);
            kills += 1;
        }
    };
    let watch = join_all((0..WATCHERS).map(|_| replicas.watch(&path)));
    let (stored, (), states) = join3(write, kill, watch).await;
    // Binaries are in streams only, and there are none.
    for state in states {
        assert_eq!(state, stored);
    }
}
