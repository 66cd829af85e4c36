//! Redis closes connections: the next request is sent over a new one.

use std::{fs, sync::Arc, time::Duration};

use futures_util::future::join_all;
use redis::{Client, ConnectionAddr, TlsCertificates, cmd};
use redis_test::server::RedisServer;

use super::wait_until_ready;
use crate::support::{
    Bodies, TestApp, TestRedis, TestResponse, connection_config, dedicated_redis::DedicatedRedis,
    eventually, ports::free_port, program::Program, random_prefix, servers::RedisKind,
};

/// Closes all connections of clients to these servers.
async fn close_connections(servers: &[Client]) {
    for client in servers {
        let config = connection_config();
        let connection = client.get_multiplexed_async_connection_with_config(&config);
        let mut connection = connection.await.unwrap();
        let mut kill = cmd("CLIENT");
        kill.arg("KILL").arg("TYPE").arg("normal");
        let _: usize = kill.query_async(&mut connection).await.unwrap();
    }
}

async fn assert_no_request_fails(redis: TestRedis) {
    let clients = redis.addresses().into_iter();
    let clients: Vec<Client> = clients.map(|to| Client::open(to).unwrap()).collect();
    assert_no_request_fails_on(redis, &clients, &[]).await;
}

async fn assert_no_request_fails_on(
    redis: TestRedis,
    servers: &[Client],
    overrides: &[(&str, &str)],
) {
    let overrides = [&[("server.workers", "1")], overrides].concat();
    let app = TestApp::start(Some(Arc::new(redis)), &random_prefix(), &overrides).await;
    let service = app.create("a=1").await;
    for n in 0..20 {
        // A connection that is closed while it is opened is a failed attempt.
        wait_until_ready(&app).await;
        close_connections(servers).await;
        let request = match n % 4 {
            0 => app.post("/genesys/1/service/store").form_body("a=1"),
            1 => app.get(&format!("{service}/storage")),
            2 => app.post(&format!("{service}/storage")).form_body("b=2"),
            _ => app.get("/readyz"),
        };
        let response = TestResponse::send(request).await;
        assert!(response.status.is_success(), "{n}: {}", response.text());
    }
}

#[tokio::test]
async fn requests_succeed_after_redis_closed_the_connections() {
    assert_no_request_fails(TestRedis::dedicated()).await;
}

#[tokio::test]
async fn requests_succeed_after_sentinel_servers_closed_the_connections() {
    assert_no_request_fails(TestRedis::dedicated_kind(RedisKind::Sentinel)).await;
}

#[tokio::test]
async fn requests_succeed_after_a_cluster_closed_the_connections() {
    assert_no_request_fails(TestRedis::dedicated_kind(RedisKind::Cluster)).await;
}

#[tokio::test]
async fn requests_succeed_after_redis_closed_the_tls_connections() {
    let port = free_port();
    let address = ConnectionAddr::TcpTls {
        host: "127.0.0.1".to_owned(),
        port,
        insecure: true,
        tls_params: None,
    };
    let server = RedisServer::new_with_addr_and_modules(address, &[], false);
    let ca = server.tls_paths.clone().unwrap().ca_crt;
    let url = format!("rediss://127.0.0.1:{port}");
    let certificates = TlsCertificates {
        client_tls: None,
        root_cert: Some(fs::read(&ca).unwrap()),
    };
    let client = Client::build_with_tls(url.as_str(), certificates).unwrap();
    let overrides = [
        ("redis.url", url.as_str()),
        ("redis.tls_ca_file", ca.to_str().unwrap()),
    ];
    assert_no_request_fails_on(TestRedis::single(server), &[client], &overrides).await;
}

#[tokio::test]
async fn requests_that_fail_together_cause_one_reconnect() {
    let redis = DedicatedRedis::start(&[]).await;
    let url = redis.url();
    let settings = [("redis.url", url.as_str()), ("server.workers", "1")];
    let mut program = Program::serve(&settings);
    let create = format!("http://{}/genesys/1/service/store", program.address().await);
    let client = reqwest::Client::new();
    let send = async || TestResponse::send(client.post(&create).form_body("a=1")).await;
    assert_eq!(send().await.status, 200);
    // One of the worker and one of the cleanup.
    let open = eventually("both connections are open", async || {
        Some(program.count_log_events("redis connection opened")).filter(|count| *count == 2)
    })
    .await;
    redis.signal("STOP");
    let failed = join_all((0..20).map(|_| send()));
    let restart = async {
        // Nothing shows that all requests were sent to Redis.
        tokio::time::sleep(Duration::from_secs(1)).await;
        redis.kill();
        redis.spawn(&[]);
    };
    let (failed, ()) = tokio::join!(failed, restart);
    assert!(failed.iter().all(|response| response.status == 503));
    eventually("all connections are open again", async || {
        (program.count_log_events("redis connection opened") == 2 * open).then_some(())
    })
    .await;
    for _ in 0..50 {
        assert_eq!(send().await.status, 200);
    }
    assert_eq!(
        program.count_log_events("redis connection opened"),
        2 * open
    );
    assert_eq!(program.count_log_events("redis connection lost"), open);
}
