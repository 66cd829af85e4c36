//! Many random changes: the state of each watcher ends as that of the store, and never goes back.

use futures_util::future::{join, join_all};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use super::{apply, watch, watch_request};
use crate::support::{
    Bodies, TestApp, TestResponse, event_stream::EventStream, on_every_kind_of_store,
};

on_every_kind_of_store!(watchers_see_the_last_of_many_changes);

const WRITERS: usize = 4;
const CHANGES: usize = 1_000;
const WATCHERS: usize = 6;
const KEYS: usize = 20;

/// Makes random changes of one storage.
async fn write_randomly(app: &TestApp, path: &str, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    for n in 0..CHANGES / WRITERS {
        let key = format!("key{}", random.random_range(0..KEYS));
        let request = match random.random_range(0..100) {
            0 => app.delete(path),
            1..20 => app.delete(&format!("{path}/{key}")),
            _ => app.post(path).form_body(&format!("{key}={seed} {n}")),
        };
        let changed = TestResponse::send(request).await;
        assert_eq!(changed.status, 200, "{}", changed.text());
    }
}

/// Follows a storage until the key `done` is there. Every third watcher reconnects now and then, with the last id, at
/// the next replica.
async fn follow(replicas: &[&TestApp], path: &str, n: usize) -> Value {
    let mut state = json!({});
    let mut last = 0;
    let mut stream = watch(replicas[n % replicas.len()], path).await;
    for received in 1.. {
        let event = stream.next().await.unwrap();
        let revision: u64 = event.id.parse().unwrap();
        assert!(revision > last, "{revision} after {last}");
        last = revision;
        apply(&mut state, &event);
        if state["done"] == "1" {
            break;
        }
        if n % 3 == 2 && received % 20 == 0 {
            let replica = replicas[(n + received) % replicas.len()];
            let resume = watch_request(replica, path).header("last-event-id", &event.id);
            stream = EventStream::open(resume).await;
        }
    }
    state
}

async fn watchers_see_the_last_of_many_changes(app: TestApp) {
    let other = match &app.redis {
        Some(_) => Some(app.start_replica().await),
        None => None,
    };
    let replicas: Vec<&TestApp> = [Some(&app), other.as_ref()].into_iter().flatten().collect();
    let service = app.create("start=1").await;
    let path = format!("{service}/storage");
    let seed: u64 = rand::random();
    let writers = (0..WRITERS).map(async |n| {
        let replica = replicas[n % replicas.len()];
        write_randomly(replica, &path, seed.wrapping_add(n as u64)).await;
    });
    let write = async {
        join_all(writers).await;
        let done = app.post(&path).form_body("done=1");
        assert_eq!(TestResponse::send(done).await.status, 200);
        app.storage(&service).await
    };
    let watchers = (0..WATCHERS).map(|n| follow(&replicas, &path, n));
    let (stored, states) = join(write, join_all(watchers)).await;
    for state in states {
        assert_eq!(state, stored, "seed {seed}");
    }
}
