//! What a request costs Redis, counted where it arrives.
//!
//! MONITOR shows every command in the order Redis takes them, and who sent it. One worker has one
//! lane, so what comes over that lane between two marks is what one request sent; each command is
//! waited for before the next, except within a transaction, so commands are round trips. The lane's
//! own question whether Redis is there is left out, and so is what scripts do inside.

use std::{pin::Pin, sync::Arc};

use futures_util::{Stream, StreamExt};
use redis::{aio::MultiplexedConnection, cmd};
use reqwest::{Method, RequestBuilder};

use crate::support::{
    Bodies, CatalogFile, Multipart, TestApp, TestRedis, TestResponse,
    backends::{Backend, MockResponse, ors_service},
    random_prefix,
};

struct CommandMonitor {
    app: TestApp,
    connection: MultiplexedConnection,
    seen: Pin<Box<dyn Stream<Item = String>>>,
    marker_count: usize,
    /// Who sends the commands of requests, as MONITOR tells it.
    connection_name: String,
}

impl CommandMonitor {
    async fn new() -> Self {
        Self::start(&[]).await
    }

    /// One of a service with these settings; in its catalogue `store` is open.
    async fn start(settings: &[(&str, &str)]) -> Self {
        let redis = Arc::new(TestRedis::dedicated());
        let connection = redis.connection().await;
        let client = redis::Client::open(redis.url()).unwrap();
        let seen = client.get_async_monitor().await.unwrap().into_on_message();
        let mut one_lane = vec![("server.workers", "1")];
        one_lane.extend_from_slice(settings);
        let app = TestApp::start(Some(redis), &random_prefix(), &one_lane).await;
        let mut meter = Self {
            app,
            connection,
            seen: Box::pin(seen),
            marker_count: 0,
            connection_name: String::new(),
        };
        meter.find_connection().await;
        meter.load_scripts().await;
        meter
    }

    /// What Redis was sent since the last time this was asked.
    async fn commands_since_last(&mut self) -> Vec<String> {
        self.marker_count += 1;
        let mark = format!("mark {}", self.marker_count);
        let mut echo = cmd("ECHO");
        echo.arg(&mark);
        echo.exec_async(&mut self.connection).await.unwrap();
        let mut lines = Vec::new();
        loop {
            let line = self.seen.next().await.unwrap();
            if line.contains(&mark) {
                return lines;
            }
            lines.push(line);
        }
    }

    /// Finds the lane by a read that only this test makes.
    async fn find_connection(&mut self) {
        let read = self.app.get("/genesys/1/service/who-is-it/storage");
        TestResponse::send(read)
            .await
            .error_message("ServiceNotFound", 404);
        let lines = self.commands_since_last().await;
        let mut lines = lines.iter();
        let line = lines.find(|line| line.contains("who-is-it")).unwrap();
        sender(line).clone_into(&mut self.connection_name);
    }

    /// Has every script run once, for Redis must be told each the first time.
    async fn load_scripts(&mut self) {
        let service = self.app.create("a=1").await;
        let file = file_body(&service, &self.app);
        TestResponse::send(file).await.assert_empty();
        let create = self.app.post("/genesys/1/service/store");
        let create = create.header("Idempotency-Key", "order-4711-of-0002");
        TestResponse::send(create).await.service_id();
        for (method, path) in [
            (Method::DELETE, format!("{service}/storage/map")),
            (Method::DELETE, format!("{service}/storage")),
            (Method::PUT, format!("{service}?ttl=60")),
            (Method::DELETE, service),
        ] {
            let answer = TestResponse::send(self.app.request(method, &path)).await;
            assert_eq!(answer.status, 200, "{path}");
        }
    }

    /// The commands that `request`, which must succeed, sends over the lane.
    async fn commands_of(&mut self, request: RequestBuilder) -> Vec<String> {
        self.commands_since_last().await;
        let answer = TestResponse::send(request).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let lines = self.commands_since_last().await;
        let ours = lines
            .iter()
            .filter(|line| sender(line) == self.connection_name);
        let commands = ours.map(|line| command(line).to_owned());
        commands.filter(|command| command != "PING").collect()
    }
}

/// `0 127.0.0.1:4242` of `1700000000.123456 [0 127.0.0.1:4242] "HGET" "key" "field"`.
fn sender(line: &str) -> &str {
    let (_, rest) = line.split_once('[').unwrap();
    rest.split_once(']').unwrap().0
}

/// `HGET` of the same.
fn command(line: &str) -> &str {
    line.split('"').nth(1).unwrap()
}

fn file_body(service: &str, app: &TestApp) -> RequestBuilder {
    let body = Multipart::new().file("map", "map.png", "image/png", b"bytes");
    let request = app.post(&format!("{service}/storage"));
    request.multipart_body(body)
}

#[tokio::test]
async fn a_read_a_write_a_create_and_a_delete_take_one_round_trip_each() {
    let mut meter = CommandMonitor::new().await;
    let service = meter.app.create("a=1&b=2").await;
    let at = |rest: &str| format!("{service}/storage{rest}");
    let app = &meter.app;
    let operations = [
        ("read one key", app.get(&at("/a")), vec!["HGET"]),
        ("read all", app.get(&at("")), vec!["EVALSHA"]),
        (
            "write",
            app.post(&at("")).form_body("a=3&c=4"),
            vec!["EVALSHA"],
        ),
        ("delete one key", app.delete(&at("/a")), vec!["EVALSHA"]),
        ("clear", app.delete(&at("")), vec!["EVALSHA"]),
        (
            "create",
            app.post("/genesys/1/service/store").form_body("a=1&b=2"),
            // Sent together.
            vec!["ZADD", "EVALSHA"],
        ),
        // Sent together.
        (
            "delete",
            app.delete(&service),
            vec!["ZADD", "ZREM", "EVALSHA"],
        ),
    ];
    for (operation, request, expected) in operations {
        let commands = meter.commands_of(request).await;
        assert_eq!(commands, expected, "{operation}");
    }
}

#[tokio::test]
async fn what_takes_more_than_one_command_takes_this_many() {
    let mut meter = CommandMonitor::new().await;
    let service = meter.app.create("a=1").await;
    let stored = TestResponse::send(file_body(&service, &meter.app)).await;
    stored.assert_empty();
    let app = &meter.app;
    let binary = format!("{service}/storage/binary/map");
    let key = format!("{service}/storage/map");
    let repeatable = app.post("/genesys/1/service/store");
    let operations = [
        ("describe", app.get(&service), 2),
        ("look for a binary", app.request(Method::HEAD, &binary), 1),
        // Its bytes come over other connections, so that nothing waits behind them.
        ("read a binary", app.get(&binary), 1),
        // Two of the four are one round trip.
        ("replace a binary", file_body(&service, app), 4),
        ("remove a binary", app.delete(&key), 2),
        // Sent together.
        ("move the end", app.put(&service).form_body("ttl=60"), 3),
        // Of the five, two and two are one round trip.
        (
            "create under an Idempotency-Key",
            repeatable.header("Idempotency-Key", "order-4711-of-0001"),
            5,
        ),
    ];
    for (operation, request, expected) in operations {
        let commands = meter.commands_of(request).await;
        assert_eq!(commands.len(), expected, "{operation}: {commands:?}");
    }
}

#[tokio::test]
async fn a_request_to_a_backend_takes_one_round_trip() {
    let backend = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let store = "[services.store]\n_type = 'builtin'\n_service = 'store'\n";
    let catalogue = CatalogFile::new(&(ors_service(&[&backend.url()]) + store));
    let mut meter = CommandMonitor::start(&[("catalog.file", catalogue.path())]).await;
    let create = || meter.app.post("/genesys/1/service/chat").form_body("a=1");
    let service = TestResponse::send(create()).await.service_id();
    let request = meter.app.post(&format!("{service}/ixn/chat/send"));
    assert_eq!(meter.commands_of(request.form_body("b=2")).await, ["HMGET"]);
    // Make it; then note its session, find out what it holds, settle it. What keeps the index and the list
    // is sent together with each.
    let create = meter.app.post("/genesys/1/service/chat").form_body("a=1");
    let commands = meter.commands_of(create).await;
    let mut expected = ["ZADD", "EVALSHA"].repeat(2);
    expected.extend(["ZADD", "ZADD", "EVALSHA"].repeat(2));
    assert_eq!(commands, expected);
}

#[tokio::test]
async fn many_keys_take_as_many_round_trips_as_one() {
    let mut meter = CommandMonitor::new().await;
    let pairs: Vec<String> = (0..900).map(|n| format!("key{n}=value")).collect();
    let pairs = pairs.join("&");
    let create = meter.app.post("/genesys/1/service/store");
    let commands = meter.commands_of(create.form_body(&pairs)).await;
    assert_eq!(commands, ["ZADD", "EVALSHA"]);
    let service = meter.app.create("").await;
    let path = format!("{service}/storage");
    let write = meter.app.post(&path).form_body(&pairs);
    assert_eq!(meter.commands_of(write).await, ["EVALSHA"]);
    let read = meter.app.get(&path);
    assert_eq!(meter.commands_of(read).await, ["EVALSHA"]);
}

#[tokio::test]
async fn what_a_request_shows_is_looked_up_only_where_it_opens_some_locks_and_not_all() {
    let catalogue = "[services.store]\n_type = 'builtin'\n_service = 'store'\n\
        [services.vault]\n_type = 'builtin'\n_service = 'store'\npassword = 'hunter2'\n";
    let catalogue = CatalogFile::new(catalogue);
    let mut meter = CommandMonitor::start(&[("catalog.file", catalogue.path())]).await;
    let service = meter.app.create("a=1").await;
    let read = |app: &TestApp| app.get(&format!("{service}/storage/a"));
    let keyed = read(&meter.app).basic_auth("any", Some("hunter2"));
    assert_eq!(meter.commands_of(keyed).await, ["HGET"]);
    let open = read(&meter.app);
    assert_eq!(meter.commands_of(open).await, ["HGET", "HGET"]);
    let create = meter.app.post("/genesys/1/service/vault");
    let create = create.basic_auth("any", Some("hunter2"));
    assert_eq!(meter.commands_of(create).await, ["ZADD", "EVALSHA"]);
}

#[tokio::test]
async fn a_limit_that_is_set_costs_one_command_each() {
    let limits = [
        ("rate_limit.creates_per_address", "1000"),
        ("rate_limit.creates_per_service", "1000"),
    ];
    let mut meter = CommandMonitor::start(&limits).await;
    let create = meter.app.post("/genesys/1/service/store");
    let commands = meter.commands_of(create).await;
    assert_eq!(commands, ["EVALSHA", "EVALSHA", "ZADD", "EVALSHA"]);
}
