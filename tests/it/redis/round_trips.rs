//! The cost of a request in Redis commands.
//!
//! `MONITOR` lists all commands in order with their senders. A worker has one multiplexed connection, so
//! the commands over it between two marks are those of one request. Each command waits for the previous
//! one, except within a transaction, so commands are round trips. Health checks of the connection and
//! commands within scripts are excluded.

use std::{pin::Pin, sync::Arc, time::Instant};

use futures_util::{Stream, StreamExt};
use redis::{aio::MultiplexedConnection, cmd};
use reqwest::{Method, RequestBuilder};

use crate::support::{
    Bodies, CatalogFile, Multipart, TestApp, TestRedis, TestResponse,
    backends::{Backend, MockResponse, ors_service},
    random_prefix,
};

mod storages;

struct CommandMonitor {
    app: TestApp,
    connection: MultiplexedConnection,
    lines: Pin<Box<dyn Stream<Item = String>>>,
    marker_count: usize,
    /// The sender of request commands, as in the output of `MONITOR`.
    connection_name: String,
    started: Instant,
    health_checks: u64,
}

impl CommandMonitor {
    async fn new() -> Self {
        Self::start(&[]).await
    }

    /// Starts a service with these settings, whose catalog has an open `store`.
    async fn start(settings: &[(&str, &str)]) -> Self {
        let redis = Arc::new(TestRedis::dedicated());
        let connection = redis.connection().await;
        let client = redis::Client::open(redis.url()).unwrap();
        let lines = client.get_async_monitor().await.unwrap().into_on_message();
        let mut all_settings = vec![("server.workers", "1")];
        all_settings.extend_from_slice(settings);
        let app = TestApp::start(Some(redis), &random_prefix(), &all_settings).await;
        let mut monitor = Self {
            app,
            connection,
            lines: Box::pin(lines),
            marker_count: 0,
            connection_name: String::new(),
            started: Instant::now(),
            health_checks: 0,
        };
        monitor.find_connection().await;
        monitor.load_scripts().await;
        monitor
    }

    /// Returns the commands since the last call.
    async fn commands_since_last(&mut self) -> Vec<String> {
        self.marker_count += 1;
        let mark = format!("mark {}", self.marker_count);
        let mut echo = cmd("ECHO");
        echo.arg(&mark);
        echo.exec_async(&mut self.connection).await.unwrap();
        let mut lines = Vec::new();
        loop {
            let line = self.lines.next().await.unwrap();
            if line.contains(&mark) {
                return lines;
            }
            lines.push(line);
        }
    }

    /// Finds the multiplexed connection by a unique read.
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

    /// Runs every script once, because each is loaded at its first use.
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
            let response = TestResponse::send(self.app.request(method, &path)).await;
            assert_eq!(response.status, 200, "{path}");
        }
    }

    /// Returns the commands that `request`, which must succeed, sends over the multiplexed connection.
    async fn commands_of(&mut self, request: RequestBuilder) -> Vec<String> {
        self.commands_since_last().await;
        let response = TestResponse::send(request).await;
        assert_eq!(response.status, 200, "{}", response.text());
        self.own_commands().await
    }

    /// Returns the commands over the multiplexed connection since the last call.
    async fn own_commands(&mut self) -> Vec<String> {
        let lines = self.commands_since_last().await;
        let own = lines
            .iter()
            .filter(|line| sender(line) == self.connection_name);
        let mut commands: Vec<String> = own.map(|line| command(line).to_owned()).collect();
        let all = commands.len();
        commands.retain(|command| command != "TIME");
        // One per second, so not one per request.
        self.health_checks += (all - commands.len()) as u64;
        assert!(self.health_checks <= self.started.elapsed().as_secs() + 2);
        commands
    }
}

/// `0 127.0.0.1:4242` of `1700000000.123456 [0 127.0.0.1:4242] "HGET" "key" "field"`.
fn sender(line: &str) -> &str {
    let (_, rest) = line.split_once('[').unwrap();
    rest.split_once(']').unwrap().0
}

/// The command of the same line.
fn command(line: &str) -> &str {
    line.split('"').nth(1).unwrap()
}

fn file_body(service: &str, app: &TestApp) -> RequestBuilder {
    let body = Multipart::new().file("map", "map.png", "image/png", b"bytes");
    let request = app.post(&format!("{service}/storage"));
    request.multipart_body(body)
}

#[tokio::test]
async fn basic_operations_take_one_round_trip() {
    let mut monitor = CommandMonitor::new().await;
    let service = monitor.app.create("a=1&b=2").await;
    let path = |rest: &str| format!("{service}/storage{rest}");
    let app = &monitor.app;
    let operations = [
        ("read one key", app.get(&path("/a")), vec!["HGET"]),
        ("read all", app.get(&path("")), vec!["EVALSHA"]),
        (
            "write",
            app.post(&path("")).form_body("a=3&c=4"),
            vec!["EVALSHA"],
        ),
        ("delete one key", app.delete(&path("/a")), vec!["EVALSHA"]),
        ("clear", app.delete(&path("")), vec!["EVALSHA"]),
        (
            "create",
            app.post("/genesys/1/service/store").form_body("a=1&b=2"),
            // Sent in one pipeline.
            vec!["ZADD", "EVALSHA"],
        ),
        // Sent in one pipeline.
        (
            "delete",
            app.delete(&service),
            vec!["ZADD", "ZREM", "EVALSHA"],
        ),
    ];
    for (operation, request, expected) in operations {
        let commands = monitor.commands_of(request).await;
        assert_eq!(commands, expected, "{operation}");
    }
}

#[tokio::test]
async fn operations_with_several_commands() {
    let mut monitor = CommandMonitor::new().await;
    let service = monitor.app.create("a=1").await;
    let stored = TestResponse::send(file_body(&service, &monitor.app)).await;
    stored.assert_empty();
    let app = &monitor.app;
    let binary = format!("{service}/storage/binary/map");
    let key = format!("{service}/storage/map");
    let idempotent = app.post("/genesys/1/service/store");
    let operations = [
        ("describe", app.get(&service), 2),
        ("find a binary", app.request(Method::HEAD, &binary), 1),
        // The contents are read over pooled connections.
        ("read a binary", app.get(&binary), 1),
        // Two of the four are one round trip.
        ("replace a binary", file_body(&service, app), 4),
        ("remove a binary", app.delete(&key), 2),
        // Sent in one pipeline.
        ("change the end", app.put(&service).form_body("ttl=60"), 3),
        // Of the five, two and two are one round trip.
        (
            "create with an Idempotency-Key",
            idempotent.header("Idempotency-Key", "order-4711-of-0001"),
            5,
        ),
    ];
    for (operation, request, expected) in operations {
        let commands = monitor.commands_of(request).await;
        assert_eq!(commands.len(), expected, "{operation}: {commands:?}");
    }
}

#[tokio::test]
async fn backend_request_takes_one_round_trip() {
    let backend = Backend::new_ors(|_| MockResponse::ok("{}")).await;
    let store = "[services.store]\n_type = 'builtin'\n_service = 'store'\n";
    let catalog_file = CatalogFile::new(&(ors_service(&[&backend.url()]) + store));
    let mut monitor = CommandMonitor::start(&[("catalog.file", catalog_file.path())]).await;
    let create = || monitor.app.post("/genesys/1/service/chat").form_body("a=1");
    let service = TestResponse::send(create()).await.service_id();
    let request = monitor.app.post(&format!("{service}/ixn/chat/send"));
    // The script finds no chat, and returns the definition and the session of the service.
    assert_eq!(
        monitor.commands_of(request.form_body("b=2")).await,
        ["EVALSHA"]
    );
    let other = monitor.app.post(&format!("{service}/other"));
    assert_eq!(monitor.commands_of(other).await, ["HMGET"]);
    // Create the service; then record its session, read its resources and finish the create. Updates of
    // the index and the list are sent in the same pipelines.
    let create = monitor.app.post("/genesys/1/service/chat").form_body("a=1");
    let commands = monitor.commands_of(create).await;
    let mut expected = ["ZADD", "EVALSHA"].repeat(2);
    expected.extend(["ZADD", "ZADD", "EVALSHA"].repeat(2));
    assert_eq!(commands, expected);
}

#[tokio::test]
async fn requests_to_a_chat_take_one_round_trip() {
    let mut monitor = CommandMonitor::new().await;
    let created = TestResponse::send(monitor.app.post("/genesys/1/service/request-chat")).await;
    let service = created.service_id();
    let post = |app: &TestApp, request: &str| app.post(&format!("{service}/ixn/chat{request}"));
    let start = post(&monitor.app, "").form_body("firstName=Ann");
    // The definition, the user data, and one round trip with the cleanup index and the list of chats.
    let expected = ["HMGET", "EVALSHA", "ZADD", "ZADD", "EVALSHA"];
    assert_eq!(monitor.commands_of(start).await, expected);
    for request in [
        "/refresh?transcriptPosition=0",
        "/refresh",
        "/send?message=x",
        "/startTyping",
        "/transcript",
    ] {
        let request = post(&monitor.app, request);
        assert_eq!(monitor.commands_of(request).await, ["EVALSHA"]);
    }
    // The list of chats is updated after the end.
    let end = post(&monitor.app, "/disconnect");
    let commands = monitor.commands_of(end).await;
    assert_eq!(commands, ["EVALSHA", "ZADD", "ZREM"]);
}

#[tokio::test]
async fn round_trips_are_independent_of_key_count() {
    let mut monitor = CommandMonitor::new().await;
    let pairs: Vec<String> = (0..900).map(|n| format!("key{n}=value")).collect();
    let pairs = pairs.join("&");
    let create = monitor.app.post("/genesys/1/service/store");
    let commands = monitor.commands_of(create.form_body(&pairs)).await;
    assert_eq!(commands, ["ZADD", "EVALSHA"]);
    let service = monitor.app.create("").await;
    let path = format!("{service}/storage");
    let write = monitor.app.post(&path).form_body(&pairs);
    assert_eq!(monitor.commands_of(write).await, ["EVALSHA"]);
    let read = monitor.app.get(&path);
    assert_eq!(monitor.commands_of(read).await, ["EVALSHA"]);
}

#[tokio::test]
async fn definition_is_read_only_for_partial_access() {
    let catalog_file = "[services.store]\n_type = 'builtin'\n_service = 'store'\n\
        [services.vault]\n_type = 'builtin'\n_service = 'store'\npassword = 'hunter2'\n";
    let catalog_file = CatalogFile::new(catalog_file);
    let mut monitor = CommandMonitor::start(&[("catalog.file", catalog_file.path())]).await;
    let service = monitor.app.create("a=1").await;
    let read = |app: &TestApp| app.get(&format!("{service}/storage/a"));
    let keyed = read(&monitor.app).basic_auth("any", Some("hunter2"));
    assert_eq!(monitor.commands_of(keyed).await, ["HGET"]);
    let open = read(&monitor.app);
    assert_eq!(monitor.commands_of(open).await, ["HGET", "HGET"]);
    let create = monitor.app.post("/genesys/1/service/vault");
    let create = create.basic_auth("any", Some("hunter2"));
    assert_eq!(monitor.commands_of(create).await, ["ZADD", "EVALSHA"]);
}

#[tokio::test]
async fn each_rate_limit_costs_one_command() {
    let limits = [
        ("rate_limit.creates_per_address", "1000"),
        ("rate_limit.creates_per_service", "1000"),
    ];
    let mut monitor = CommandMonitor::start(&limits).await;
    let create = monitor.app.post("/genesys/1/service/store");
    let commands = monitor.commands_of(create).await;
    assert_eq!(commands, ["EVALSHA", "EVALSHA", "ZADD", "EVALSHA"]);
}

#[tokio::test]
async fn storage_areas_take_one_round_trip_and_custom_ids_two_to_create() {
    let mut monitor = CommandMonitor::new().await;
    let as_user = |method, path: &str| {
        let request = monitor.app.request(method, &format!("/genesys/1/{path}"));
        request.header("gms_user", "ann")
    };
    let post = |path: &str| as_user(Method::POST, path).form_body("a=1");
    let created = TestResponse::send(post("storage/600")).await.json();
    let id = created["id"].as_str().unwrap().to_owned();
    // The scripts are loaded at their first use.
    for _ in 0..2 {
        TestResponse::send(post("storage/session1/600")).await;
    }
    let app = &monitor.app;
    let plain = format!("/genesys/1/storage/{id}");
    let write = ["ZADD", "EVALSHA"];
    let operations = [
        ("create", post("storage/600"), write.to_vec()),
        ("read one key", app.get(&format!("{plain}/a")), vec!["HGET"]),
        ("read all", app.get(&plain), vec!["EVALSHA"]),
        // A custom id and a plain one are read at the same time.
        (
            "read one key by custom id",
            as_user(Method::GET, "storage/session1/a"),
            vec!["HMGET", "HGET"],
        ),
        (
            "update",
            app.post(&format!("{plain}/600")).form_body("a=2"),
            write.to_vec(),
        ),
        // Meanwhile it checks the plain id.
        (
            "update by custom id",
            post("storage/session1/600"),
            [&write[..], &["HGET"]].concat(),
        ),
        (
            "update under custom",
            post("storage/custom/session1/600"),
            [&write[..], &["HGET"]].concat(),
        ),
        // The second round trip is the create.
        (
            "create by custom id",
            post("storage/session2/600"),
            [&write[..], &["HGET"], &write].concat(),
        ),
        (
            "create under custom",
            post("storage/custom/session3/600"),
            [&write[..], &["HGET"], &write].concat(),
        ),
        (
            "delete one key",
            app.delete(&format!("{plain}/a")),
            vec!["EVALSHA"],
        ),
        (
            "delete",
            app.delete(&plain),
            vec!["ZADD", "ZREM", "EVALSHA"],
        ),
        (
            "delete by custom id",
            as_user(Method::DELETE, "storage/session1"),
            vec!["ZADD", "ZREM", "EVALSHA"],
        ),
    ];
    for (operation, request, expected) in operations {
        let commands = monitor.commands_of(request).await;
        assert_eq!(commands, expected, "{operation}");
    }
}
