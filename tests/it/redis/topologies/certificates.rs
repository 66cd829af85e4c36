//! Server certificates that TLS rejects: the error explains the problem of the certificate.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

use reqwest::{Client, StatusCode};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    CatalogFile, backends::http_service, dedicated_redis::DedicatedRedis, eventually,
    ports::free_port, program::Program,
};

/// A self-signed certificate for 127.0.0.1 and its key.
struct Files {
    folder: TempDir,
}

impl Files {
    /// Creates an X.509 version 3 certificate with these basic constraints.
    fn version_3(constraints: &str) -> Self {
        let files = Self::request();
        files.write(
            "extensions",
            &format!("{constraints}subjectAltName=IP:127.0.0.1\n"),
        );
        files.sign(&["-extfile", &files.path("extensions")]);
        assert!(files.text().contains("Version: 3"), "{}", files.text());
        files
    }

    /// Creates an X.509 version 1 certificate, without extensions.
    fn version_1() -> Self {
        let files = Self::request();
        files.sign(&[]);
        if !files.text().contains("Version: 1 ") {
            // Newer versions of OpenSSL create version 3 by default.
            files.sign(&["-x509v1"]);
        }
        assert!(files.text().contains("Version: 1 "), "{}", files.text());
        files
    }

    fn request() -> Self {
        let files = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let (key, request) = (files.path("key"), files.path("request"));
        let arguments = ["-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1"];
        let file_options = ["-keyout", &key, "-out", &request];
        openssl(&[&["req", "-new"][..], &arguments, &file_options].concat());
        files
    }

    fn sign(&self, options: &[&str]) {
        let (key, request) = (self.path("key"), self.path("request"));
        let certificate = self.path("certificate");
        let sign = [
            "x509", "-req", "-days", "2", "-in", &request, "-signkey", &key,
        ];
        openssl(&[&sign[..], &["-out", &certificate], options].concat());
    }

    fn text(&self) -> String {
        openssl(&["x509", "-noout", "-text", "-in", &self.path("certificate")])
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn path(&self, name: &str) -> String {
        let path: &Path = self.folder.path();
        path.join(name).to_str().unwrap().to_owned()
    }
}

fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "openssl {arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// A TLS server with a certificate. It is killed when it is dropped.
struct Server(Child, u16);

impl Server {
    fn start(files: &Files) -> Self {
        let port = free_port();
        let accept = format!("127.0.0.1:{port}");
        let (certificate, key) = (files.path("certificate"), files.path("key"));
        let mut command = Command::new("openssl");
        command.args(["s_server", "-www", "-accept", &accept]);
        command.args(["-cert", &certificate, "-key", &key]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Self(command.stderr(Stdio::null()).spawn().unwrap(), port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Starts a Redis over TLS with this certificate, and a program that trusts the certificate.
fn serve_on_redis(files: &Files) -> (DedicatedRedis, Program) {
    let server = DedicatedRedis::not_started();
    let url = server.url();
    let port = url.rsplit(':').next().unwrap();
    let (certificate, key) = (files.path("certificate"), files.path("key"));
    server.spawn(&[
        ("port", "0"),
        ("tls-port", port),
        ("tls-cert-file", &certificate),
        ("tls-key-file", &key),
        ("tls-ca-cert-file", &certificate),
        ("tls-auth-clients", "no"),
    ]);
    let url = url.replace("redis://", "rediss://");
    let program = Program::serve_on(&url, &[("redis.tls_ca_file", &certificate)]);
    (server, program)
}

/// Certificates that TLS rejects, with the name of the error and the advice.
fn rejected_certificates() -> [(Files, &'static str, &'static str); 2] {
    [
        (
            Files::version_3("basicConstraints=critical,CA:TRUE\n"),
            "CaUsedAsEndEntity",
            "basicConstraints=CA:FALSE",
        ),
        (
            Files::version_1(),
            "UnsupportedCertVersion",
            "create one of version 3, with subjectAltName",
        ),
    ]
}

/// Whether `field` of a log line explains a rejected certificate with the name of the error and the advice.
fn is_explained(line: &Value, field: &str, (name, advice): (&str, &str)) -> bool {
    let text = line[field].as_str().unwrap_or_default();
    [name, advice, "docs/"]
        .iter()
        .all(|part| text.contains(part))
}

#[tokio::test]
async fn rejected_redis_certificate_is_explained() {
    for (files, name, advice) in rejected_certificates() {
        let (_server, mut program) = serve_on_redis(&files);
        let address = program.address().await;
        eventually("the readiness explains the certificate", async || {
            let request = Client::new().get(format!("http://{address}/readyz"));
            let response = request.header("accept", "application/json").send().await;
            let response = response.unwrap();
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            let body = response.bytes().await.unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            let message = body["message"].as_str().unwrap();
            (message.starts_with("the TLS connection to Redis failed: ")
                && message.contains(advice))
            .then_some(())
        })
        .await;
        program
            .wait_for_log_event("redis connection failed", |line| {
                is_explained(line, "detail", (name, advice))
            })
            .await;
    }
}

#[tokio::test]
async fn rejected_backend_certificate_is_explained() {
    for (files, name, advice) in rejected_certificates() {
        let server = Server::start(&files);
        let catalog_file =
            CatalogFile::new(&http_service(&format!("https://127.0.0.1:{}/x", server.1)));
        let authority = files.path("certificate");
        let settings = [
            ("catalog.file", catalog_file.path()),
            ("backend.ca_file", &authority),
        ];
        let mut program = Program::serve(&settings);
        let address = program.address().await;
        let create = format!("http://{address}/genesys/1/service/web");
        eventually("the backend is up", async || {
            let response = Client::new().post(&create).send().await.unwrap();
            assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
            let lines = program.log_events("backend TLS connection failed");
            (!lines.is_empty()).then_some(())
        })
        .await;
        program
            .wait_for_log_event("backend TLS connection failed", |line| {
                is_explained(line, "reason", (name, advice))
            })
            .await;
    }
}

#[tokio::test]
async fn certificate_following_the_advice_is_accepted() {
    // Self-signed, but not a CA certificate.
    let files = Files::version_3("basicConstraints=critical,CA:FALSE\n");
    let (_server, mut program) = serve_on_redis(&files);
    let address = program.address().await;
    eventually("the replica is ready", async || {
        let response = reqwest::get(format!("http://{address}/readyz")).await;
        (response.unwrap().status() == StatusCode::OK).then_some(())
    })
    .await;
}
