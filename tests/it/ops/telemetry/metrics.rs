//! Metrics, and their encoding.

use std::{
    collections::BTreeSet,
    io::Write,
    net::SocketAddr,
    process::{Command, Stdio},
};

use reqwest::{Client, Method};

use super::{create, request};
use crate::support::{
    CatalogFile, Multipart, RawConnection, TestRedis,
    backends::{Backend, MockResponse},
    eventually,
    metrics::Metrics,
    program::Program,
    proxy::{self, Proxy},
    random_prefix,
};

const STORAGE_KEY_ROUTE: &str = "route=\"/genesys/1/service/{id}/storage/{key}\"";
const SERVICE_ROUTE: &str = "route=\"/genesys/1/service/{service}\"";

/// A timeout of Redis that is longer than the timeout of the tests.
const NO_TIMEOUT: [(&str, &str); 1] = [("redis.response_timeout_ms", "60000")];

/// Waits until `is_expected` holds for the metrics.
pub(super) async fn wait_for_metrics(
    address: SocketAddr,
    what: &str,
    is_expected: impl Fn(&Metrics) -> bool,
) {
    eventually(what, async || {
        let metrics = Metrics::scrape(address).await;
        is_expected(&metrics).then_some(())
    })
    .await;
}

#[tokio::test]
async fn requests_are_counted_by_labels_with_fixed_values_only() {
    let mut program = Program::serve(&[("server.workers", "2")]);
    let address = program.address().await;
    let service = create(address, "store", "secret=value").await;
    for _ in 0..20 {
        let path = format!("{service}/storage/secret");
        assert_eq!(request(address, Method::GET, &path).await, 200);
    }
    for path in ["/storage/none", "/storage/nor-this"] {
        request(address, Method::GET, &format!("{service}{path}")).await;
    }
    request(address, Method::from_bytes(b"BREW").unwrap(), &service).await;
    request(address, Method::GET, "/made/up").await;
    request(address, Method::GET, "/made").await;

    let metrics = Metrics::scrape(address).await;
    for (sample, count) in [
        (
            format!("{SERVICE_ROUTE},method=\"POST\",status=\"200\""),
            1.0,
        ),
        (
            format!("{STORAGE_KEY_ROUTE},method=\"GET\",status=\"200\""),
            20.0,
        ),
        (
            format!("{STORAGE_KEY_ROUTE},method=\"GET\",status=\"404\",exception=\"KeyNotFound\""),
            2.0,
        ),
        (
            format!(
                "{SERVICE_ROUTE},method=\"other\",status=\"405\",exception=\"MethodNotAllowed\""
            ),
            1.0,
        ),
        (
            "route=\"none\",method=\"GET\",status=\"404\",exception=\"NotFound\"".to_owned(),
            2.0,
        ),
    ] {
        let value = metrics.value(&format!("http_requests_total{{{sample}}}"));
        assert!((value - count).abs() < 0.5, "{sample}: {}", metrics.text);
    }
    let taken =
        format!("http_request_duration_seconds_count{{{STORAGE_KEY_ROUTE},method=\"GET\"}}");
    assert!(
        (metrics.value(&taken) - 22.0).abs() < 0.5,
        "{}",
        metrics.text
    );
    // The scrape itself.
    assert!((metrics.value("http_requests_in_flight") - 1.0).abs() < 0.5);
    assert!(!metrics.text.contains("made"), "{}", metrics.text);
    assert!(!metrics.text.contains("BREW"), "{}", metrics.text);
    assert!(!metrics.text.contains("secret"), "{}", metrics.text);
    let id = service.rsplit('/').next().unwrap();
    assert!(!metrics.text.contains(id), "{}", metrics.text);
}

#[tokio::test]
async fn errors_are_counted_by_exception() {
    let mut program = Program::serve(&[]);
    let address = program.address().await;
    let client = Client::new();
    for body in ["{", "[]", "{}"] {
        let url = format!("http://{address}/genesys/1/service/store");
        let create = client.post(url).header("content-type", "application/json");
        create.body(body).send().await.unwrap();
    }
    let metrics = Metrics::scrape(address).await;
    for (labels, count) in [
        ("status=\"500\",exception=\"UnreadableJson\"", 2.0),
        ("status=\"200\"", 1.0),
        ("status=\"500\"", 0.0),
    ] {
        let value = metrics.value(&format!(
            "http_requests_total{{{SERVICE_ROUTE},method=\"POST\",{labels}}}"
        ));
        assert!((value - count).abs() < 0.5, "{labels}: {}", metrics.text);
    }
}

#[tokio::test]
async fn every_metric_has_a_help_text_and_promtool_reports_no_problem() {
    let redis = TestRedis::shared();
    let mut program = Program::serve_on(&redis.url(), &[]);
    let address = program.address().await;
    create(address, "store", "a=1").await;
    wait_for_metrics(address, "all metrics are exported", |metrics| {
        metrics.has("services_active")
    })
    .await;
    let text = Metrics::scrape(address).await.text;

    let mut tool = Command::new("promtool");
    let tool = run_tool(tool.args(["check", "metrics"]), &text);
    assert_eq!(tool, "", "promtool check metrics");

    let with_help: BTreeSet<&str> = names(&text, "# HELP ").collect();
    let with_type: BTreeSet<&str> = names(&text, "# TYPE ").collect();
    assert_eq!(with_help, with_type);
    let documented = include_str!("../../../../docs/observability.md");
    for name in with_help {
        let name = name.strip_prefix("switchboard_").unwrap();
        assert!(
            documented.contains(&format!("`{name}")),
            "{name} is not in docs/observability.md"
        );
    }
}

fn names<'t>(text: &'t str, prefix: &'t str) -> impl Iterator<Item = &'t str> {
    let lines = text
        .lines()
        .filter_map(move |line| line.strip_prefix(prefix));
    lines.map(|line| line.split(' ').next().unwrap())
}

/// The output of a command for this input. `make test` installs promtool.
pub(super) fn run_tool(command: &mut Command, input: &str) -> String {
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let tool = command.stderr(Stdio::piped()).spawn();
    let mut tool = tool.unwrap_or_else(|error| panic!("promtool (Debian: prometheus): {error}"));
    let mut stdin = tool.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = tool.wait_with_output().unwrap();
    let output = [output.stdout, output.stderr].concat();
    String::from_utf8(output).unwrap()
}

#[tokio::test]
async fn metrics_of_all_replicas_are_exported_by_one_of_them() {
    let redis = TestRedis::shared();
    let (url, prefix) = (redis.url(), random_prefix());
    let settings = [("redis.url", url.as_str()), ("redis.prefix", &prefix)];
    let mut programs = [Program::serve(&settings), Program::serve(&settings)];
    let mut addresses = Vec::new();
    for program in &mut programs {
        addresses.push(program.address().await);
    }
    create(addresses[0], "store", "a=1").await;
    create(
        addresses[1],
        "request-interaction",
        "_phone_number=6504669999",
    )
    .await;
    eventually("one of them exports them", async || {
        let mut scrapes = Vec::new();
        for address in &addresses {
            scrapes.push(Metrics::scrape(*address).await);
        }
        let sum = |name| scrapes.iter().map(|one| one.value(name)).sum::<f64>();
        let all = [
            ("cleanup_leader", 1.0),
            ("keyspace_notifications_enabled", 2.0),
            ("services_active", 2.0),
            ("access_numbers_booked{group=\"DNIS\"}", 1.0),
            ("ready{reason=\"ready\"}", 2.0),
        ];
        let lag = scrapes.iter().filter(|one| one.has("cleanup_lag_seconds"));
        let is_expected = all
            .iter()
            .all(|(name, value)| (sum(name) - value).abs() < 0.5);
        // The numbers of a shared group can be booked again.
        let mut shared = scrapes.iter();
        assert!(!shared.any(|one| one.has("access_numbers_free{group=\"DNIS\"}")));
        let quarantined = scrapes
            .iter()
            .filter(|one| one.has("access_numbers_quarantined{group=\"DNIS\"}"));
        (is_expected && lag.count() == 1 && quarantined.count() == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn without_redis_metrics_are_served_except_for_unknown_values() {
    let redis = TestRedis::shared();
    let proxy = Proxy::to_redis(&redis);
    let mut program = Program::serve_on(&proxy.url(), &[]);
    let address = program.address().await;
    let service = create(address, "store", "a=1").await;
    wait_for_metrics(address, "it is the cleanup leader", |metrics| {
        metrics.has("services_active") && metrics.value("ready{reason=\"ready\"}") > 0.5
    })
    .await;
    // One of the worker and one of the cleanup.
    let connections = Metrics::scrape(address).await.value("redis_connections");
    assert!((connections - 2.0).abs() < 0.5, "{connections}");

    proxy.set_mode(proxy::ProxyMode::Close);
    wait_for_metrics(address, "the metrics show the outage", |metrics| {
        metrics.value("ready{reason=\"ready\"}") < 0.5
            && metrics.value("redis_connections") < 0.5
            && metrics.value("redis_disconnects_total") > 1.5
            && metrics.value("cleanup_leader") < 0.5
            && !metrics.has("services_active")
            && !metrics.has("cleanup_lag_seconds")
    })
    .await;
    let path = format!("{service}/storage/a");
    assert_eq!(request(address, Method::GET, &path).await, 503);
    let failed = "store_errors_total{reason=\"unavailable\"}";
    assert!(Metrics::scrape(address).await.value(failed) > 0.5);

    proxy.restore();
    wait_for_metrics(address, "the metrics show the recovery", |metrics| {
        metrics.value("ready{reason=\"ready\"}") > 0.5 && metrics.has("services_active")
    })
    .await;
}

#[tokio::test]
async fn metrics_are_served_while_redis_does_not_respond() {
    let redis = TestRedis::shared();
    let proxy = Proxy::to_redis(&redis);
    let mut program = Program::serve_on(&proxy.url(), &NO_TIMEOUT);
    let address = program.address().await;
    create(address, "store", "a=1").await;
    proxy.set_mode(proxy::ProxyMode::Stall);
    let metrics = Metrics::scrape(address).await;
    assert!(
        metrics.value("ready{reason=\"ready\"}") < 0.5,
        "{}",
        metrics.text
    );
}

#[tokio::test]
async fn store_operations_bytes_of_binaries_and_backend_requests_are_counted() {
    let backend = Backend::new(|_| MockResponse::Json(503, "{}".to_owned())).await;
    let catalog = CatalogFile::new(&format!(
        "[services.store]\n_type = \"builtin\"\n_service = \"store\"\n\
         [services.chat]\n_type = \"http\"\n_service = \"http://{}/start\"\n",
        backend.address
    ));
    let mut program = Program::serve(&[("catalog.file", catalog.path())]);
    let address = program.address().await;
    let service = create(address, "store", "a=1").await;
    let client = Client::new();
    let write = client.post(format!("http://{address}{service}/storage"));
    let file = Multipart::new().file("map", "map.png", "image/png", &vec![7; 300_000]);
    let write = write.header("content-type", Multipart::CONTENT_TYPE);
    let written = write.body(file.bytes()).send().await.unwrap();
    assert_eq!(written.status(), 200);
    let binary = format!("http://{address}{service}/storage/binary/map");
    let part = client.get(binary).header("range", "bytes=0-99");
    assert_eq!(part.send().await.unwrap().bytes().await.unwrap().len(), 100);
    let chat = request(address, Method::POST, "/genesys/1/service/chat");
    assert_eq!(chat.await, 502);

    let metrics = Metrics::scrape(address).await;
    for (sample, count) in [
        ("store_operations_total{operation=\"create\"}", 2.0),
        ("store_operations_total{operation=\"write_chunk\"}", 2.0),
        ("binary_bytes_total{direction=\"in\"}", 300_000.0),
        ("binary_bytes_total{direction=\"out\"}", 100.0),
        ("backend_requests_total{outcome=\"http_error\"}", 1.0),
        ("store_operations_in_flight", 0.0),
    ] {
        let value = metrics.value(sample);
        assert!((value - count).abs() < 0.5, "{sample}: {}", metrics.text);
    }
    let timed = metrics.value("store_operation_duration_seconds_count");
    let operations = metrics.sum("store_operations_total");
    assert!((timed - operations).abs() < 1.5, "{}", metrics.text);
}

#[tokio::test]
async fn a_client_that_disconnects_first_is_counted_as_499() {
    let redis = TestRedis::shared();
    let proxy = Proxy::to_redis(&redis);
    let mut program = Program::serve_on(&proxy.url(), &NO_TIMEOUT);
    let address = program.address().await;
    let service = create(address, "store", "a=1").await;
    proxy.set_mode(proxy::ProxyMode::Stall);
    let read = format!("{service}/storage/a");
    let mut wire = RawConnection::connect_to(address).await;
    wire.send(format!("GET {read} HTTP/1.1\r\nHost: x\r\n\r\n"))
        .await;
    wait_for_metrics(address, "the operation is in flight", |metrics| {
        metrics.value("store_operations_in_flight") > 0.5
    })
    .await;
    wire.reset();
    let disconnected =
        format!("http_requests_total{{{STORAGE_KEY_ROUTE},method=\"GET\",status=\"499\"}}");
    wait_for_metrics(address, "the disconnect is counted", |metrics| {
        metrics.value(&disconnected) > 0.5
    })
    .await;
}

#[tokio::test]
async fn metrics_belong_to_the_admin_group_and_can_be_disabled() {
    let settings = [
        ("server.public", "client"),
        ("server.private_listen", "127.0.0.1:0"),
    ];
    let mut program = Program::serve(&settings);
    let (public, private) = (program.address().await, program.private_address().await);
    assert_eq!(request(public, Method::GET, "/metrics").await, 404);
    assert!(
        (Metrics::scrape(private)
            .await
            .value("ready{reason=\"ready\"}")
            - 1.0)
            .abs()
            < 0.5
    );

    let mut program = Program::serve(&[("metrics.enabled", "false")]);
    let address = program.address().await;
    assert_eq!(request(address, Method::GET, "/metrics").await, 404);
}
