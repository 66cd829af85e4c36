//! Replicas and Redis killed under load: whatever was in flight, everything is given back.

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
use reqwest::{Client, Method};
use serde_json::Value;
use switchboard::store::Timestamp;

use crate::support::{
    Bodies, TestResponse,
    bookings::{catalog, default_group_toml, eventually, keys_in, program::Program},
    connection_config, now,
};

mod lease;

/// Numbers of the group; services that nobody knows the id of hold some until all is over.
const NUMBERS: usize = 200;

/// A Redis that keeps what it has acknowledged, and can be killed. On a socket, whose name stays.
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
        let patient = connection_config();
        eventually("Redis answers", async || {
            let connection = client.get_multiplexed_async_connection_with_config(&patient);
            let mut connection = connection.await.ok()?;
            // While it loads it does not.
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

/// What clients do at two replicas, wherever these listen at the moment.
struct Load {
    client: Client,
    addresses: RefCell<[Option<SocketAddr>; 2]>,
    succeeded: Cell<usize>,
    failed: Cell<usize>,
    stopped: Cell<bool>,
}

impl Load {
    /// Sends a request to a replica; `None` where nobody did it, whatever the reason.
    async fn send(&self, method: Method, path: &str, form: &str) -> Option<TestResponse> {
        let door = self.addresses.borrow()[rand::rng().random_range(0..2)];
        let answered = async {
            let url = format!("http://{}/genesys/1/service/{path}", door?);
            let request = self.client.request(method, url).form_body(form);
            let response = request.timeout(Duration::from_secs(10)).send().await.ok()?;
            let (status, body) = (response.status(), response.bytes().await.ok()?);
            (status.as_u16() < 500).then(|| TestResponse {
                status,
                headers: reqwest::header::HeaderMap::new(),
                body: body.to_vec(),
            })
        };
        let answered = answered.await;
        let count = if answered.is_some() {
            &self.succeeded
        } else {
            &self.failed
        };
        count.set(count.get() + 1);
        if answered.is_none() {
            tokio::task::yield_now().await;
        }
        answered
    }

    /// Books, and then lets be, ends or matches what was booked, until it is over.
    async fn client(&self) {
        let form = "_provide_code=true&_booking_expiration_timeout=1800&_ttl=1800&a=1";
        let mut waiting: Vec<Value> = Vec::new();
        while !self.stopped.get() {
            let booked = self.send(Method::POST, "request-interaction", form).await;
            waiting.extend(booked.map(|answer| answer.json()));
            if waiting.len() < 4 {
                continue;
            }
            let at = rand::rng().random_range(0..waiting.len());
            let chosen = waiting.swap_remove(at);
            let text = |member: &str| chosen[member].as_str().unwrap().to_owned();
            let id = text("_id");
            let more = format!("_id={id}&_booking_expiration_timeout=1800");
            self.send(Method::POST, "request-access", &more).await;
            if rand::rng().random() {
                let (number, code) = (text("_access_number"), text("_access_code"));
                let call = format!("_access_number={number}&_access_code={code}");
                self.send(Method::POST, "match-interaction", &call).await;
            }
            if self.send(Method::DELETE, &id, "").await.is_none() {
                waiting.push(chosen);
            }
        }
    }

    /// Waits until so many more requests have come to something, or to nothing.
    async fn wait_for_requests(&self, count: &Cell<usize>, by: usize) {
        let before = count.get();
        let grown = async || (count.get() >= before + by).then_some(());
        eventually("requests are answered", grown).await;
    }
}

/// The settings of all replicas.
struct Fixture {
    redis: DurableRedis,
    url: String,
    catalogue: crate::support::bookings::CatalogFile,
    prefix: String,
}

impl Fixture {
    fn settings(&self) -> [(&str, &str); 3] {
        [
            ("redis.url", &self.url),
            ("redis.prefix", &self.prefix),
            ("catalog.file", self.catalogue.path()),
        ]
    }

    async fn replica(&self) -> (Program, SocketAddr) {
        let mut replica = Program::serve(&self.settings());
        let address = replica.address().await;
        (replica, address)
    }

    /// What `switchboard verify` prints, and what it ends with.
    async fn verify_bookings(&self) -> (Option<i32>, String) {
        let audit = Program::run(&["verify"], &self.settings()).wait().await;
        (audit.code, audit.stdout)
    }

    /// Keys of services, and of all that has to do with them.
    async fn remaining_keys(&self) -> Vec<String> {
        let mut connection = self.redis.connection().await;
        let mut left = Vec::new();
        for kind in [
            "svc:*",
            "own:*",
            "idx:*",
            "grp:*:book*",
            "grp:*:index",
            "grp:*:codes",
        ] {
            let pattern = format!("{}{kind}", self.prefix);
            left.extend(keys_in(&mut connection, &pattern).await);
        }
        left
    }

    async fn service_keys(&self) -> Vec<String> {
        let mut connection = self.redis.connection().await;
        let keys = keys_in(&mut connection, &format!("{}svc:*", self.prefix)).await;
        let id = |key: &String| key.split(['{', '}']).nth(1).unwrap().to_owned();
        keys.iter().map(id).collect()
    }
}

/// Ends all services, half of them by their time. Gives the last end.
async fn delete_all_services(house: &Fixture, load: &Load) -> Timestamp {
    let services = house.service_keys().await;
    assert!(!services.is_empty());
    let end = now().after(Duration::from_millis(1_500));
    let form = format!("expiration_time={end}");
    let ends = services.iter().enumerate().map(async |(n, id)| {
        let (method, form) = if n % 2 == 0 {
            (Method::PUT, form.as_str())
        } else {
            (Method::DELETE, "")
        };
        eventually("its end is told", async || {
            load.send(method.clone(), id, form).await
        })
        .await;
    });
    join_all(ends).await;
    end
}

#[tokio::test]
async fn after_kills_under_load_every_number_is_free_within_a_minute() {
    let redis = DurableRedis::new();
    let mut house = Fixture {
        url: redis.url(),
        redis,
        catalogue: catalog(&default_group_toml("CLUSTER", NUMBERS)),
        prefix: "kills:".to_owned(),
    };
    house.redis.connection().await;
    let (one, other) = (house.replica().await, house.replica().await);
    let load = Load {
        client: Client::new(),
        addresses: RefCell::new([Some(one.1), Some(other.1)]),
        succeeded: Cell::new(0),
        failed: Cell::new(0),
        stopped: Cell::new(false),
    };
    let mut replicas = [Some(one.0), Some(other.0)];
    let trouble = async {
        load.wait_for_requests(&load.succeeded, 200).await;
        for _ in 0..3 {
            let (_, told) = house.verify_bookings().await;
            let lines = |what: &str| told.lines().filter(|line| line.starts_with(what)).count();
            assert!(lines("held DNIS 800") > 0, "{told}");
            assert_eq!(lines("lost"), 0, "{told}");
        }
        for victim in [0, 1] {
            load.wait_for_requests(&load.succeeded, 60).await;
            load.addresses.borrow_mut()[victim] = None;
            drop(replicas[victim].take());
            load.wait_for_requests(&load.succeeded, 60).await;
            let (replica, address) = house.replica().await;
            replicas[victim] = Some(replica);
            load.addresses.borrow_mut()[victim] = Some(address);
            load.wait_for_requests(&load.succeeded, 60).await;

            house.redis.kill();
            load.wait_for_requests(&load.failed, 20).await;
            house.redis.start();
            load.wait_for_requests(&load.succeeded, 60).await;
        }
        load.stopped.set(true);
    };
    let clients = async || join_all((0..8).map(|_| load.client())).await;
    join3(clients(), async {}, trouble).await;

    // The last ends are told to nobody: all are killed at once.
    let end = delete_all_services(&house, &load).await;
    replicas = [None, None];
    house.redis.kill();
    let over = async || (now() > end).then_some(());
    eventually("all services have ended", over).await;
    house.redis.start();
    let since = Instant::now();
    let left = house.remaining_keys().await;
    assert!(!left.is_empty(), "the kills left nothing to do");
    let (code, told) = house.verify_bookings().await;
    assert_eq!(code, Some(1), "{told}");
    replicas[0] = Some(house.replica().await.0);
    loop {
        let left = house.remaining_keys().await;
        if left.is_empty() {
            break;
        }
        let waited = since.elapsed();
        assert!(
            waited < Duration::from_secs(60),
            "after {waited:?}: {left:?}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (code, told) = house.verify_bookings().await;
    let nothing = "0 held, 0 held by nobody, 0 lost, 0 left over";
    assert_eq!((code, told.trim()), (Some(0), nothing));
    let mut connection = house.redis.connection().await;
    let free = format!("{}grp:{{DNIS}}:free", house.prefix);
    let free: usize = cmd("ZCARD")
        .arg(free)
        .query_async(&mut connection)
        .await
        .unwrap();
    assert_eq!(free, NUMBERS);
    drop(replicas);
}
