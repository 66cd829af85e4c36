//! Server certificates that TLS refuses: the error says what is wrong with the certificate.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
};

use reqwest::{Client, StatusCode};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    CatalogFile, backends::http_service, dedicated_redis::DedicatedRedis, eventually,
    program::Program,
};

/// A certificate for 127.0.0.1 that signs itself, and its key.
struct Files {
    folder: TempDir,
}

impl Files {
    /// One of X.509 version 3, with these basic constraints.
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

    /// One of X.509 version 1, without extensions.
    fn version_1() -> Self {
        let files = Self::request();
        files.sign(&[]);
        if !files.text().contains("Version: 1 ") {
            // Newer versions of openssl make version 3 by default.
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
        let files_of_it = ["-keyout", &key, "-out", &request];
        openssl(&[&["req", "-new"][..], &arguments, &files_of_it].concat());
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

/// A TLS server with a certificate. Dropped, it is killed.
struct Server(Child, u16);

impl Server {
    fn start(files: &Files) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
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

/// A Redis over TLS with this certificate, and its URL.
fn redis(files: &Files) -> (DedicatedRedis, String) {
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
    (server, url)
}

/// Certificates that TLS refuses, with the name of the error and the advice.
fn refused() -> [(Files, &'static str, &'static str); 2] {
    [
        (
            Files::version_3("basicConstraints=critical,CA:TRUE\n"),
            "CaUsedAsEndEntity",
            "basicConstraints=CA:FALSE",
        ),
        (
            Files::version_1(),
            "UnsupportedCertVersion",
            "make one of version 3, with subjectAltName",
        ),
    ]
}

/// Waits for the log line with `message` whose `field` contains all of `parts`.
async fn logged(program: &Program, message: &str, field: &str, parts: &[&str]) {
    eventually(
        &format!("{message:?} with {parts:?} is logged"),
        async || {
            let lines = program.log_events(message);
            let text = |line: &Value| line[field].as_str().unwrap_or_default().to_owned();
            let mut texts = lines.iter().map(text);
            texts
                .any(|text| parts.iter().all(|part| text.contains(part)))
                .then_some(())
        },
    )
    .await;
}

#[tokio::test]
async fn the_certificate_of_redis_is_explained() {
    for (files, name, advice) in refused() {
        let (_server, url) = redis(&files);
        let authority = files.path("certificate");
        let settings = [
            ("redis.url", url.as_str()),
            ("redis.tls_ca_file", &authority),
        ];
        let mut program = Program::serve(&settings);
        let address = program.address().await;
        eventually("readiness names the certificate", async || {
            let request = Client::new().get(format!("http://{address}/readyz"));
            let answer = request.header("accept", "application/json").send().await;
            let answer = answer.unwrap();
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
            let body = answer.bytes().await.unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            let message = body["message"].as_str().unwrap();
            (message.starts_with("the TLS connection to Redis failed: ")
                && message.contains(advice))
            .then_some(())
        })
        .await;
        logged(
            &program,
            "Redis connection failed; requests fail until it succeeds",
            "detail",
            &[name, advice, "docs/"],
        )
        .await;
    }
}

#[tokio::test]
async fn the_certificate_of_a_backend_is_explained() {
    for (files, name, advice) in refused() {
        let server = Server::start(&files);
        let catalogue =
            CatalogFile::new(&http_service(&format!("https://127.0.0.1:{}/x", server.1)));
        let authority = files.path("certificate");
        let settings = [
            ("catalog.file", catalogue.path()),
            ("backend.ca_file", &authority),
        ];
        let mut program = Program::serve(&settings);
        let address = program.address().await;
        let create = format!("http://{address}/genesys/1/service/web");
        eventually("the backend listens", async || {
            let answer = Client::new().post(&create).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
            let lines = program.log_events("a backend cannot be reached by TLS");
            (!lines.is_empty()).then_some(())
        })
        .await;
        let message = "a backend cannot be reached by TLS";
        logged(&program, message, "reason", &[name, advice, "docs/"]).await;
    }
}

#[tokio::test]
async fn a_certificate_made_as_the_advice_says_is_accepted() {
    // One that is its own authority, and is none.
    let files = Files::version_3("basicConstraints=critical,CA:FALSE\n");
    let (_server, url) = redis(&files);
    let authority = files.path("certificate");
    let settings = [
        ("redis.url", url.as_str()),
        ("redis.tls_ca_file", &authority),
    ];
    let mut program = Program::serve(&settings);
    let address = program.address().await;
    eventually("it is ready", async || {
        let answer = reqwest::get(format!("http://{address}/readyz")).await;
        (answer.unwrap().status() == StatusCode::OK).then_some(())
    })
    .await;
}
