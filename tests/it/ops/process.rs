//! The program as users run it: its output and its exit codes.

use std::{net::TcpListener, time::Duration};

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::support::{
    CatalogFile, RawConnection, TestRedis,
    dedicated_redis::DedicatedRedis,
    eventually,
    ports::free_port,
    program::{ExitedProgram, Program},
};

mod accept;
mod checks;
#[cfg(target_os = "linux")]
mod memory;
mod node_status;
mod shutdown;

/// Creates a service with one key and returns its storage.
async fn run_example(program: &mut Program) -> Value {
    let base = format!("http://{}/genesys/1/service", program.address().await);
    let client = Client::new();
    let create = client.post(format!("{base}/store")).body("{\"a\":\"1\"}");
    let create = create.header("content-type", "application/json");
    let response = create.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let created: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    let path = format!("{base}/{}/storage", created["_id"].as_str().unwrap());
    let storage = client.get(path).send().await.unwrap();
    serde_json::from_slice(&storage.bytes().await.unwrap()).unwrap()
}

/// Sends SIGTERM and waits for the exit.
async fn terminate(program: Program) -> ExitedProgram {
    program.signal("TERM");
    program.wait().await
}

#[tokio::test]
async fn many_idle_clients_do_not_exhaust_the_open_file_limit() {
    let mut program = Program::serve_with_files(64);
    let address = program.address().await;
    let mut idle = Vec::new();
    for _ in 0..200 {
        let mut client = TcpStream::connect(address).await.unwrap();
        let request = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
        client.write_all(request).await.unwrap();
        let mut status = [0; 12];
        let read = timeout(Duration::from_secs(20), client.read_exact(&mut status));
        read.await.unwrap().unwrap();
        assert_eq!(&status, b"HTTP/1.1 200");
        idle.push(client);
    }
}

#[tokio::test]
async fn it_logs_its_address_serves_and_stops_on_a_signal() {
    for signal in ["TERM", "INT"] {
        let mut program = Program::serve(&[]);
        assert_eq!(run_example(&mut program).await, json!({"a": "1"}));
        program.signal(signal);
        let ended = program.wait().await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert_eq!(ended.stdout, "");
        // The only warning.
        let warnings = ended.log_messages("WARN");
        assert_eq!(warnings.len(), 1, "{}", ended.stderr);
        assert!(warnings[0].contains("this process only"), "{warnings:?}");
        assert_eq!(ended.log_messages("ERROR"), Vec::<String>::new());
        let messages = ended.log_messages("INFO");
        assert!(
            messages.iter().any(|line| line.contains("curl")),
            "{messages:?}"
        );
    }
}

#[tokio::test]
async fn on_redis_it_logs_no_warnings() {
    // With persistence, because the checks of Redis warn otherwise.
    let redis = DedicatedRedis::start(&[("appendonly", "yes")]).await;
    let mut program = Program::serve(&[("redis.url", &redis.url())]);
    assert_eq!(run_example(&mut program).await, json!({"a": "1"}));
    let ended = terminate(program).await;
    assert_eq!(ended.code, Some(0));
    for level in ["WARN", "ERROR"] {
        assert_eq!(ended.log_messages(level), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_request_in_flight_is_finished_before_it_stops() {
    let mut program = Program::serve(&[]);
    let mut wire = RawConnection::connect_to(program.address().await).await;
    let head = "POST /genesys/1/service/store HTTP/1.1\r\nHost: x\r\n\
                Content-Type: application/json\r\nContent-Length: 9\r\n";
    wire.send(head).await;
    wire.send("Expect: 100-continue\r\n\r\n").await;
    // The program reads the body, so the request is in flight.
    assert_eq!(wire.read_head().await.status, StatusCode::CONTINUE);
    program.signal("TERM");
    let address = program.address().await;
    eventually("it accepts no more connections", async || {
        let connected = TcpStream::connect(address).await;
        connected.is_err().then_some(())
    })
    .await;
    assert!(program.is_running());
    wire.send("{\"a\":\"1\"}").await;
    assert_eq!(wire.read_response().await.status, StatusCode::OK);
    drop(wire);
    assert_eq!(program.wait().await.code, Some(0));
}

#[tokio::test]
async fn it_waits_for_requests_no_longer_than_the_shutdown_timeout() {
    let mut program = Program::serve(&[("server.shutdown_timeout_seconds", "0")]);
    let mut wire = RawConnection::connect_to(program.address().await).await;
    wire.send("POST /genesys/1/service/store HTTP/1.1\r\nHost: x\r\n")
        .await;
    wire.send("Content-Length: 9\r\nExpect: 100-continue\r\n\r\n")
        .await;
    assert_eq!(wire.read_head().await.status, StatusCode::CONTINUE);
    let ended = terminate(program).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[tokio::test]
async fn an_address_in_use_is_an_error_that_ends_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = Program::serve(&[("server.listen", &address)]).wait().await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains(&address), "{}", ended.stderr);
    assert!(ended.stderr.contains("server.listen"), "{}", ended.stderr);
}

#[tokio::test]
async fn the_environment_overrides_the_settings_file() {
    let in_use = TcpListener::bind("127.0.0.1:0").unwrap();
    let in_use = in_use.local_addr().unwrap().to_string();
    let catalog = "[services.shelf]\n_type = \"builtin\"\n_service = \"store\"\n";
    let catalog = CatalogFile::new(catalog);
    let file = CatalogFile::new(&format!(
        "[server]\nlisten = {in_use:?}\nworkers = 1\n[catalog]\nfile = {:?}\n",
        catalog.path()
    ));
    let arguments = ["--config", file.path()];
    let mut program = Program::run(&arguments, &[("server.listen", "127.0.0.1:0")]);
    let address = program.address().await;
    assert_ne!(address.to_string(), in_use);
    let base = format!("http://{address}/genesys/1/service");
    for (name, status) in [("shelf", 200), ("store", 404)] {
        let create = Client::new().post(format!("{base}/{name}")).send();
        assert_eq!(create.await.unwrap().status(), status, "{name}");
    }
    assert_eq!(terminate(program).await.code, Some(0));
}

#[tokio::test]
async fn a_password_in_the_url_of_redis_is_never_logged() {
    let closed = format!("127.0.0.1:{}", free_port());
    let redis = TestRedis::shared();
    for server in [format!("redis://{closed}"), redis.url()] {
        // Connecting or authenticating fails; both are logged.
        let url = server.replace("//", "//clerk:hunter2@");
        let settings = [("redis.url", url.as_str()), ("log.level", "trace")];
        let mut program = Program::serve(&settings);
        let base = format!("http://{}", program.address().await);
        let create = Client::new().post(format!("{base}/genesys/1/service/store"));
        assert_eq!(create.send().await.unwrap().status(), 503);
        let ended = terminate(program).await;
        assert_eq!(ended.code, Some(0));
        assert!(!ended.log_messages("WARN").is_empty(), "{}", ended.stderr);
        assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
        assert_eq!(ended.stdout, "");
    }
}

#[tokio::test]
async fn a_redis_without_the_right_to_config_is_one_warning() {
    let redis = DedicatedRedis::start(&[("appendonly", "yes")]).await;
    let rules = "SETUSER clerk on >hunter2 ~* &* +@all -config";
    let acl = redis::cmd("ACL")
        .arg(rules.split(' ').collect::<Vec<_>>())
        .to_owned();
    let mut connection = redis.connection().await.unwrap();
    acl.exec_async(&mut connection).await.unwrap();
    let url = redis.url().replace("//", "//clerk:hunter2@");
    let mut program = Program::serve(&[("redis.url", &url)]);
    assert_eq!(run_example(&mut program).await, json!({"a": "1"}));
    let listening = redis::cmd("PUBSUB")
        .arg("NUMSUB")
        .arg("__keyevent@0__:expired")
        .to_owned();
    eventually("it subscribes nevertheless", async || {
        let (_, number): (String, u64) = listening.query_async(&mut connection).await.unwrap();
        (number == 1).then_some(())
    })
    .await;
    eventually("it has probed the notifications", async || {
        (program.count_log_events("notify-keyspace-events") > 0).then_some(())
    })
    .await;
    let ended = terminate(program).await;
    let warnings = ended.log_messages("WARN");
    assert_eq!(warnings.len(), 1, "{}", ended.stderr);
    assert!(
        warnings[0].contains("notify-keyspace-events"),
        "{warnings:?}"
    );
    assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
}
