//! Backends behind TLS.

use std::sync::Arc;

use redis_test::utils::build_keys_and_certs_for_tls;
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use switchboard::settings::Settings;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::support::{
    Bodies, TestApp, TestResponse,
    backends::{http_service, start_app},
};

/// Starts a backend that responds to every request with `{}` over TLS. Returns its port.
async fn listen(config: ServerConfig) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut stream = acceptor.accept(stream).await.ok()?;
                let mut bytes = [0; 4096];
                while stream.read(&mut bytes).await.ok()? > 0 {
                    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
                    stream.write_all(answer.as_bytes()).await.ok()?;
                    stream.flush().await.ok()?;
                }
                Some(())
            });
        }
    });
    port
}

#[tokio::test]
async fn backend_certificates_are_verified_with_the_configured_ca_only() {
    let folder = tempfile::tempdir().unwrap();
    let files = build_keys_and_certs_for_tls(&folder);
    let chain = CertificateDer::pem_file_iter(&files.redis_crt).unwrap();
    let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(&files.redis_key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let port = listen(config).await;
    let app = TestApp::on_memory().await;
    let services = http_service(&format!("https://127.0.0.1:{port}/x"));
    let authorities = files.ca_crt.to_str().unwrap();
    let trusting = start_app(&app, &services, &[("backend.ca_file", authorities)]).await;
    let create = trusting.post("/genesys/1/service/web");
    TestResponse::send(create).await.service_id();
    let strict = start_app(&app, &services, &[]).await;
    let create = strict.post("/genesys/1/service/web");
    let message = TestResponse::send(create)
        .await
        .error_message("BackendUnreachable", 502);
    assert_eq!(
        message,
        "HTTP request failed: cannot connect to the backend"
    );
    let settings = [("backend.ca_file", authorities), ("admin.password", "p")];
    let plain = start_app(&app, &services.replace("https", "http"), &settings).await;
    let create = plain.post("/genesys/1/service/web");
    TestResponse::send(create)
        .await
        .error_message("BackendUnreachable", 502);
    // A stored entry is the first to use TLS.
    let put = plain.put("/genesys/1/admin/services/late");
    let options = format!(r#"{{"_type":"http","_service":"https://127.0.0.1:{port}/x"}}"#);
    let put = put.basic_auth("admin", Some("p")).json_body(&options);
    assert_eq!(TestResponse::send(put).await.status, 201);
    let create = plain.post("/genesys/1/service/late");
    TestResponse::send(create).await.service_id();
}

#[test]
fn an_invalid_ca_file_is_rejected() {
    for file in ["/nowhere.pem", "Cargo.toml"] {
        let result = Settings::load(None, [("SWITCHBOARD__BACKEND__CA_FILE", file)]);
        let message = result.unwrap_err().to_string();
        assert!(
            message.starts_with("setting `backend.ca_file`"),
            "{message}"
        );
    }
}
