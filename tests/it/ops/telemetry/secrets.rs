//! Secrets are neither logged nor exported.

use reqwest::{Client, Method};

use super::create;
use crate::support::{
    CatalogFile, Multipart, TestRedis,
    backends::{Backend, MockResponse},
    metrics::Metrics,
    program::Program,
    proxy::{self, Proxy},
    random_prefix,
};

/// Uses all features of a program that logs everything, with secrets in all inputs.
#[tokio::test]
async fn no_secret_is_logged_or_exported() {
    let backend =
        Backend::new(|_| MockResponse::Json(500, "{\"s3cret-answer\": 1}".to_owned())).await;
    let catalog = catalog(&backend);
    let redis = TestRedis::shared();
    let proxy = Proxy::to_redis(&redis);
    let (url, prefix) = (proxy.url(), random_prefix());
    let settings = [
        ("redis.url", url.as_str()),
        ("redis.prefix", &prefix),
        ("catalog.file", catalog.path()),
        ("auth.api_keys", "s3cret-key"),
        ("log.level", "debug"),
        ("log.requests", "all"),
        ("rate_limit.creates_per_address", "1000"),
    ];
    let environment = [
        ("TOKEN", "s3cret-token"),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "http://s3cret-otel@127.0.0.1:1",
        ),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=s3cret-header"),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
    ];
    let mut program = Program::serve_with_environment(&settings, &environment);
    let address = program.address().await;
    let client = Client::new();
    let send = async |method: Method, path: &str, body: &'static str| {
        let request = client.request(method, format!("http://{address}{path}"));
        let request = request
            .header("x-api-key", "s3cret-key")
            .basic_auth("s3cret-user", Some("s3cret-password"))
            .header("gms_user", "s3cret-person")
            // Each request has its own key, because a key is bound to the request.
            .header(
                "idempotency-key",
                format!("s3cret-idempotency-{}", body.len()),
            );
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let response = request.body(body).send().await.unwrap();
        response.text().await.unwrap()
    };
    let mut ids = Vec::new();
    for (definition, body) in [
        ("store", "s3cret-name=s3cret-value&_ttl=3600"),
        (
            "interact",
            "_phone_number=6504661234&_provide_code=true&a=s3cret-value",
        ),
    ] {
        let path = format!("/genesys/1/service/{definition}?s3cret-query=s3cret-value");
        let response = send(Method::POST, &path, body).await;
        let json: serde_json::Value = serde_json::from_str(&response).unwrap();
        ids.push(json["_id"].as_str().unwrap().to_owned());
    }
    let service = format!("/genesys/1/service/{}", ids[0]);
    let file = Multipart::new().file("s3cret-file", "s3cret.png", "image/png", b"s3cret-bytes");
    let upload = client.post(format!("http://{address}{service}/storage"));
    let upload = upload.header("content-type", Multipart::CONTENT_TYPE);
    let upload = upload.header("x-api-key", "s3cret-key");
    let upload = upload.basic_auth("s3cret-user", Some("s3cret-password"));
    assert_eq!(
        upload.body(file.bytes()).send().await.unwrap().status(),
        200
    );
    for (method, path) in [
        (Method::GET, "/storage"),
        (Method::GET, "/storage/s3cret-name"),
        (Method::GET, "/storage/s3cret-absent"),
        (Method::GET, "/storage/binary/s3cret-file"),
        (Method::POST, "/s3cret-request"),
        (Method::DELETE, "/storage/s3cret-file"),
        (Method::PUT, "?ttl=s3cret"),
        (Method::DELETE, ""),
        (Method::GET, "/s3cret/%FF"),
    ] {
        send(method, &format!("{service}{path}"), "").await;
    }
    let guess = "_access_number=8003449999&_phone_number=6504661234&_access_code=s3cret-code";
    send(Method::POST, "/genesys/1/service/match", guess).await;
    send(Method::POST, "/genesys/1/service/chat", "q=s3cret-pair").await;
    send(Method::GET, "/genesys/s3cret", "").await;
    send(Method::from_bytes(b"S3CRET").unwrap(), "/genesys", "").await;
    let unauthorized = client.get(format!("http://{address}{service}"));
    let unauthorized = unauthorized.basic_auth("s3cret-user", Some("s3cret-guess"));
    assert_eq!(unauthorized.send().await.unwrap().status(), 401);
    let metrics = Metrics::scrape(address).await.text;
    // Errors of the store are logged too.
    proxy.set_mode(proxy::ProxyMode::Close);
    let interaction = format!("/genesys/1/service/{}", ids[1]);
    for path in [format!("{interaction}/storage"), interaction] {
        send(Method::GET, &path, "").await;
    }

    program.signal("TERM");
    let ended = program.wait().await;
    assert_eq!(ended.code, Some(0));
    // It did log, down to the configured level.
    assert!(ended.stderr.contains("\"message\":\"request\""));
    assert!(ended.stderr.contains("\"level\":\"DEBUG\""));
    for output in [&ended.stderr, &ended.stdout, &metrics] {
        assert_no_secrets(output, &ids);
    }
}

fn catalog(backend: &Backend) -> CatalogFile {
    CatalogFile::new(&format!(
        "[services.store]\n_type = \"builtin\"\n_service = \"store\"\nusername = \"s3cret-user\"\n\
         password = \"s3cret-password\"\n\
         [services.interact]\n_type = \"builtin\"\n_service = \"request-interaction\"\n\
         [services.match]\n_type = \"builtin\"\n_service = \"match-interaction\"\n\
         [services.chat]\n_type = \"http\"\n_service = \"{0}/start?q={{q}}\"\n\
         \"_header.Authorization\" = \"${{TOKEN}}\"\n\
         [resources.DNIS]\n_allocation_strategy = \"RANDOM\"\nnumbers = [\"8003449999\"]\n",
        backend.url()
    ))
}

fn assert_no_secrets(output: &str, ids: &[String]) {
    let lines = output.lines().filter(|line| {
        let line = line.to_lowercase();
        line.contains("s3cret") || line.contains("6504661234")
    });
    let lines: Vec<&str> = lines.collect();
    assert!(lines.is_empty(), "{lines:#?}");
    for id in ids {
        assert!(!output.contains(id.as_str()), "{id}");
    }
}

/// At the most detailed level, which includes the log of dependencies.
#[tokio::test]
async fn an_id_is_never_logged_in_full() {
    let mut program = Program::serve(&[("log.level", "trace"), ("log.requests", "all")]);
    let address = program.address().await;
    let service = create(address, "store", "a=1").await;
    let id = service.rsplit('/').next().unwrap();
    for path in ["", "/storage", "/storage/a", "/storage/b"] {
        super::request(address, Method::GET, &format!("{service}{path}")).await;
    }
    program.signal("TERM");
    let ended = program.wait().await;
    assert!(ended.stderr.contains("\"message\":\"request\""));
    assert!(!ended.stderr.contains(id), "{}", ended.stderr);
}
