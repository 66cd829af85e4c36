//! Kills of replicas and Redis under load: all resources are released.

use std::{
    cell::{Cell, RefCell},
    fs,
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use futures_util::future::{join_all, join3};
use rand::RngExt;
use redis::{aio::MultiplexedConnection, cmd};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use switchboard::model::Timestamp;

use crate::support::{
    Bodies, TestResponse,
    bookings::{catalog, default_group_toml, eventually, keys_in, program::Program},
    connection_config, now,
};

mod lease;
mod storage_areas;
mod webhooks;

/// The numbers of the group; services with unknown ids book some of them until the end.
const NUMBERS: usize = 200;

/// A Redis with an append-only file that can be killed. It listens on a socket with a fixed name.
struct DurableRedis {
    folder: PathBuf,
    child: Option<Child>,
}

impl DurableRedis {
    fn new() -> Self {
        let name = format!("sb-{}", uuid::Uuid::new_v4().simple());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        let mut redis = Self {
            folder,
            child: None,
        };
        redis.start();
        redis
    }

    fn start(&mut self) {
        let mut server = Command::new("redis-server");
        server.current_dir(&self.folder).args(["--port", "0"]);
        server.args(["--unixsocket", "socket", "--appendonly", "yes"]);
        // With the default, changes are acknowledged before they are written if the disk is busy.
        server.args(["--appendfsync", "always"]);
        server.args(["--save", "", "--logfile", "log"]);
        server.stdin(Stdio::null()).stdout(Stdio::null());
        self.child = Some(server.spawn().unwrap());
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }

    fn url(&self) -> String {
        format!("redis+unix://{}/socket", self.folder.display())
    }

    async fn connection(&self) -> MultiplexedConnection {
        let client = redis::Client::open(self.url()).unwrap();
        let config = connection_config();
        eventually("Redis responds", async || {
            let connection = client.get_multiplexed_async_connection_with_config(&config);
            let mut connection = connection.await.ok()?;
            // It does not respond while it loads.
            let loaded = cmd("PING").exec_async(&mut connection).await;
            loaded.ok().map(|()| connection)
        })
        .await
    }
}

impl Drop for DurableRedis {
    fn drop(&mut self) {
        self.kill();
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// The clients' load on two replicas, at their current addresses.
struct Load {
    client: Client,
    addresses: RefCell<[Option<SocketAddr>; 2]>,
    succeeded: Cell<usize>,
    failed: Cell<usize>,
    stopped: Cell<bool>,
}

impl Load {
    /// Sends a request for a service to a replica; `None` if it was not served, for any reason.
    async fn send(&self, method: Method, path: &str, form: &str) -> Option<TestResponse> {
        let path = format!("service/{path}");
        self.send_with(method, &path, |request| request.form_body(form))
            .await
    }

    /// The same with a path of any API and a body.
    async fn send_with(
        &self,
        method: Method,
        path: &str,
        with_body: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Option<TestResponse> {
        let address = self.addresses.borrow()[rand::rng().random_range(0..2)];
        let response = async {
            let url = format!("http://{}/genesys/1/{path}", address?);
            let request = with_body(self.client.request(method, url));
            let response = request.timeout(Duration::from_secs(10)).send().await.ok()?;
            let (status, body) = (response.status(), response.bytes().await.ok()?);
            (status.as_u16() < 500).then(|| TestResponse {
                status,
                headers: reqwest::header::HeaderMap::new(),
                body: body.to_vec(),
            })
        };
        let response = response.await;
        let count = if response.is_some() {
            &self.succeeded
        } else {
            &self.failed
        };
        count.set(count.get() + 1);
        if response.is_none() {
            tokio::task::yield_now().await;
        }
        response
    }

    /// Books numbers, then abandons, deletes or matches the services, until stopped.
    async fn client(&self) {
        let form = "_provide_code=true&_booking_expiration_timeout=1800&_ttl=1800&a=1";
        let mut services: Vec<Value> = Vec::new();
        while !self.stopped.get() {
            let booked = self.send(Method::POST, "request-interaction", form).await;
            services.extend(booked.map(|response| response.json()));
            if services.len() < 4 {
                continue;
            }
            let at = rand::rng().random_range(0..services.len());
            let chosen = services.swap_remove(at);
            let text = |member: &str| chosen[member].as_str().unwrap().to_owned();
            let id = text("_id");
            let form = format!("_id={id}&_booking_expiration_timeout=1800");
            self.send(Method::POST, "request-access", &form).await;
            if rand::rng().random() {
                let (number, code) = (text("_access_number"), text("_access_code"));
                let call = format!("_access_number={number}&_access_code={code}");
                self.send(Method::POST, "match-interaction", &call).await;
            }
            if self.send(Method::DELETE, &id, "").await.is_none() {
                services.push(chosen);
            }
        }
    }

    /// Waits until this many more requests have succeeded or failed.
    async fn wait_for_requests(&self, count: &Cell<usize>, by: usize) {
        let before = count.get();
        let has_grown = async || (count.get() >= before + by).then_some(());
        eventually("requests are answered", has_grown).await;
    }
}

/// The settings of all replicas.
struct Fixture {
    redis: DurableRedis,
    url: String,
    catalog_file: crate::support::bookings::CatalogFile,
    prefix: String,
}

impl Fixture {
    fn settings(&self) -> [(&str, &str); 3] {
        let [url, prefix] = self.redis_settings();
        [url, prefix, ("catalog.file", self.catalog_file.path())]
    }

    fn redis_settings(&self) -> [(&str, &str); 2] {
        [("redis.url", &self.url), ("redis.prefix", &self.prefix)]
    }

    async fn replica(&self) -> (Program, SocketAddr) {
        let mut replica = Program::serve(&self.settings());
        let address = replica.address().await;
        (replica, address)
    }

    /// Returns the exit code and the output of `switchboard verify`.
    async fn verify_bookings(&self) -> (Option<i32>, String) {
        let exited = Program::run(&["verify"], &self.settings()).wait().await;
        (exited.code, exited.stdout)
    }

    /// Returns the keys of services and of their resources.
    async fn remaining_keys(&self) -> Vec<String> {
        let mut connection = self.redis.connection().await;
        let mut remaining = Vec::new();
        for kind in [
            "svc:*",
            "own:*",
            "idx:*",
            "grp:*:book*",
            "grp:*:index",
            "grp:*:codes",
        ] {
            let pattern = format!("{}{kind}", self.prefix);
            remaining.extend(keys_in(&mut connection, &pattern).await);
        }
        remaining
    }

    async fn service_keys(&self) -> Vec<String> {
        let mut connection = self.redis.connection().await;
        let keys = keys_in(&mut connection, &format!("{}svc:*", self.prefix)).await;
        let id = |key: &String| key.split(['{', '}']).nth(1).unwrap().to_owned();
        keys.iter().map(id).collect()
    }
}

/// Ends all services, half of them by expiration. Returns the latest expiration.
async fn delete_all_services(fixture: &Fixture, load: &Load) -> Timestamp {
    let services = fixture.service_keys().await;
    assert!(!services.is_empty());
    // From each request on: an end that has passed would be refused.
    let soon = || now().after(Duration::from_secs(3));
    let ends = services.iter().enumerate().map(async |(n, id)| {
        if id.starts_with("custom/") {
            return load.end_storage_area(id, n % 2 == 0).await;
        }
        eventually("the service is ended", async || {
            let (method, form) = if n % 2 == 0 {
                (Method::PUT, format!("expiration_time={}", soon()))
            } else {
                (Method::DELETE, String::new())
            };
            load.send(method, id, &form).await
        })
        .await;
    });
    join_all(ends).await;
    soon()
}

#[tokio::test]
async fn numbers_are_free_within_a_minute_after_kills_under_load() {
    let redis = DurableRedis::new();
    let mut fixture = Fixture {
        url: redis.url(),
        redis,
        catalog_file: catalog(&default_group_toml("CLUSTER", NUMBERS)),
        prefix: "kills:".to_owned(),
    };
    fixture.redis.connection().await;
    let (first, second) = (fixture.replica().await, fixture.replica().await);
    let load = Load {
        client: Client::new(),
        addresses: RefCell::new([Some(first.1), Some(second.1)]),
        succeeded: Cell::new(0),
        failed: Cell::new(0),
        stopped: Cell::new(false),
    };
    let mut replicas = [Some(first.0), Some(second.0)];
    let kills = async {
        load.wait_for_requests(&load.succeeded, 200).await;
        for _ in 0..3 {
            let (_, report) = fixture.verify_bookings().await;
            let lines = |prefix: &str| {
                report
                    .lines()
                    .filter(|line| line.starts_with(prefix))
                    .count()
            };
            assert!(lines("booked: DNIS 800") > 0, "{report}");
            assert_eq!(lines("lost"), 0, "{report}");
        }
        for index in [0, 1] {
            load.wait_for_requests(&load.succeeded, 60).await;
            load.addresses.borrow_mut()[index] = None;
            drop(replicas[index].take());
            load.wait_for_requests(&load.succeeded, 60).await;
            let (replica, address) = fixture.replica().await;
            replicas[index] = Some(replica);
            load.addresses.borrow_mut()[index] = Some(address);
            load.wait_for_requests(&load.succeeded, 60).await;

            fixture.redis.kill();
            load.wait_for_requests(&load.failed, 20).await;
            fixture.redis.start();
            load.wait_for_requests(&load.succeeded, 60).await;
        }
        load.stopped.set(true);
    };
    let clients = join_all((0..8).map(|_| load.client()));
    let storage_clients = join_all((0..2).map(|_| load.storage_client()));
    join3(clients, storage_clients, kills).await;

    // No replica can process the last notifications: all are killed at once.
    let end = delete_all_services(&fixture, &load).await;
    replicas = [None, None];
    fixture.redis.kill();
    let has_passed = async || (now() > end).then_some(());
    eventually("all services have ended", has_passed).await;
    fixture.redis.start();
    let started_at = Instant::now();
    let remaining = fixture.remaining_keys().await;
    assert!(!remaining.is_empty(), "the kills left no resources");
    let (code, report) = fixture.verify_bookings().await;
    assert_eq!(code, Some(1), "{report}");
    replicas[0] = Some(fixture.replica().await.0);
    loop {
        let remaining = fixture.remaining_keys().await;
        if remaining.is_empty() {
            break;
        }
        let elapsed = started_at.elapsed();
        assert!(
            elapsed < Duration::from_secs(60),
            "after {elapsed:?}: {remaining:?}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    fixture.assert_binaries_expire_soon().await;
    let (code, report) = fixture.verify_bookings().await;
    let clean = "0 booked, 0 orphaned, 0 lost, 0 leftover";
    assert_eq!((code, report.trim()), (Some(0), clean));
    let mut connection = fixture.redis.connection().await;
    let free = format!("{}grp:{{DNIS}}:free", fixture.prefix);
    let free: usize = cmd("ZCARD")
        .arg(free)
        .query_async(&mut connection)
        .await
        .unwrap();
    assert_eq!(free, NUMBERS);
    drop(replicas);
}
