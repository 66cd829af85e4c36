//! Redis over TLS, with a private certificate authority and optional client certificates.

use std::sync::Arc;

use redis::ConnectionAddr;
use redis_test::{server::RedisServer, utils::TlsFilePaths};
use serde_json::json;

use crate::support::{
    TestApp, TestRedis, TestResponse, eventually, ports::free_port, program::Program, random_prefix,
};

/// Starts a server that only accepts TLS; returns its URL and its files.
fn tls_server(requires_client_cert: bool) -> (TestRedis, String, TlsFilePaths) {
    let port = free_port();
    let address = ConnectionAddr::TcpTls {
        host: "127.0.0.1".to_owned(),
        port,
        insecure: true,
        tls_params: None,
    };
    let server = RedisServer::new_with_addr_and_modules(address, &[], requires_client_cert);
    let files = server.tls_paths.clone().unwrap();
    let url = format!("rediss://127.0.0.1:{port}");
    (TestRedis::single(server), url, files)
}

#[tokio::test]
async fn store_and_cleanup_work_over_tls() {
    for requires_client_cert in [false, true] {
        let (redis, url, files) = tls_server(requires_client_cert);
        let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
        let (ca, certificate) = (path(&files.ca_crt), path(&files.redis_crt));
        let key = path(&files.redis_key);
        // With one worker, the readiness is that of all requests.
        let mut overrides = vec![
            ("server.workers", "1"),
            ("redis.url", url.as_str()),
            ("redis.tls_ca_file", &ca),
        ];
        if requires_client_cert {
            overrides.push(("redis.tls_cert_file", &certificate));
            overrides.push(("redis.tls_key_file", &key));
        }
        let app = TestApp::start(Some(Arc::new(redis)), &random_prefix(), &overrides).await;
        eventually("the replica is ready", async || {
            let ready = TestResponse::send(app.get("/readyz")).await;
            (ready.status == 200).then_some(())
        })
        .await;
        let service = app.create("a=1").await;
        assert_eq!(app.storage(&service).await, json!({"a": "1"}));
        TestResponse::send(app.delete(&service)).await.assert_ok();
    }
}

#[tokio::test]
async fn untrusted_certificate_is_rejected() {
    let (_redis, url, _files) = tls_server(false);
    let mut program = Program::serve(&[("redis.url", &url)]);
    let address = program.address().await;
    let ready = reqwest::get(format!("http://{address}/readyz"))
        .await
        .unwrap();
    assert_eq!(ready.status(), 503);
    let read = format!("http://{address}/genesys/1/service/some-id/storage");
    assert_eq!(reqwest::get(read).await.unwrap().status(), 503);
}
