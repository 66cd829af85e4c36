//! Rolling restarts: a replica that stops loses no request.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use futures_util::future::join_all;
use reqwest::{Client, StatusCode};
use serde_json::Value;
use tokio::task::JoinSet;

use super::terminate;
use crate::support::{
    TestRedis,
    certificate::{Certificate, CertificateFiles},
    eventually,
    program::Program,
    random_prefix,
};

async fn get(client: &Client, address: SocketAddr, path: &str) -> (StatusCode, bool, String) {
    let response = client.get(format!("http://{address}{path}")).send().await;
    let response = response.unwrap();
    let closes = response
        .headers()
        .get("connection")
        .is_some_and(|value| value == "close");
    (response.status(), closes, response.text().await.unwrap())
}

#[tokio::test]
async fn after_sigterm_it_is_not_ready_at_once_and_serves_while_draining() {
    let mut program = Program::serve(&[("server.drain_seconds", "3600")]);
    let address = program.address().await;
    let client = Client::new();
    let status = "/genesys/1/admin/node/status";
    let (ready, closes, _) = get(&client, address, "/readyz").await;
    assert_eq!((ready, closes), (StatusCode::OK, false));
    assert_eq!(get(&client, address, status).await.2, "ONLINE");
    program.signal("TERM");
    eventually("it is not ready", async || {
        let (ready, ..) = get(&client, address, "/readyz").await;
        (ready == StatusCode::SERVICE_UNAVAILABLE).then_some(())
    })
    .await;
    let (offline, _, text) = get(&client, address, status).await;
    assert_eq!((offline.as_u16(), text.as_str()), (503, "OFFLINE"));
    // It serves, on new connections too, and closes each after one request.
    for client in [client, Client::new()] {
        let (live, closes, _) = get(&client, address, "/livez").await;
        assert_eq!((live, closes), (StatusCode::OK, true));
        let create = "/genesys/1/service/store?a=1";
        let (created, closes, _) = get(&client, address, create).await;
        assert_eq!((created, closes), (StatusCode::OK, true));
    }
    assert!(program.is_running());
    // A second signal ends the drain.
    let ended = terminate(program).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[tokio::test]
async fn the_drain_ends_by_itself_and_an_interrupt_skips_it() {
    for (drain, signal) in [("1", "TERM"), ("3600", "INT")] {
        let mut program = Program::serve(&[("server.drain_seconds", drain)]);
        program.address().await;
        program.signal(signal);
        let ended = program.wait().await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn the_healthcheck_command_reports_readiness_and_liveness() {
    let certificate = Certificate::generate();
    let files = CertificateFiles::write(&certificate);
    for tls in [&[][..], &files.settings()] {
        let mut settings = tls.to_vec();
        settings.push(("server.drain_seconds", "3600"));
        let mut program = Program::serve(&settings);
        let address = program.address().await.to_string();
        let probe = async |arguments: &[&str]| {
            let mut settings = tls.to_vec();
            settings.push(("server.listen", address.as_str()));
            Program::run(arguments, &settings).wait().await
        };
        for arguments in [&["healthcheck"][..], &["healthcheck", "--live"]] {
            let ended = probe(arguments).await;
            assert_eq!(ended.code, Some(0), "{}", ended.stderr);
            assert!(ended.stdout.contains("200 OK"), "{}", ended.stdout);
        }
        program.signal("TERM");
        eventually("it is not ready", async || {
            let ended = probe(&["healthcheck"]).await;
            (ended.code == Some(1)).then_some(())
        })
        .await;
        assert_eq!(probe(&["healthcheck", "--live"]).await.code, Some(0));
        assert_eq!(terminate(program).await.code, Some(0));
        let ended = probe(&["healthcheck", "--live"]).await;
        assert_eq!(ended.code, Some(69), "{}", ended.stdout);
        assert!(ended.stderr.contains("refused"), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn a_listener_on_the_unspecified_ipv6_address_serves_ipv4_and_ipv6() {
    let mut program = Program::serve(&[("server.listen", "[::]:0")]);
    let address = program.address().await;
    let mut addresses = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()))];
    // Otherwise the system has no IPv6.
    if address.is_ipv6() {
        addresses.push(SocketAddr::from((Ipv6Addr::LOCALHOST, address.port())));
    }
    for address in addresses {
        let (ready, ..) = get(&Client::new(), address, "/readyz").await;
        assert_eq!(ready, StatusCode::OK, "{address}");
    }
    let listen = format!("[::]:{}", address.port());
    let probe = async || {
        let settings = [("server.listen", listen.as_str())];
        Program::run(&["healthcheck"], &settings).wait().await
    };
    let ended = probe().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(terminate(program).await.code, Some(0));
    assert_eq!(probe().await.code, Some(69));
}

/// A load balancer with the replicas and the readiness of each at its last check.
#[derive(Default)]
struct LoadBalancer {
    replicas: Mutex<Vec<(SocketAddr, bool)>>,
    turns: AtomicUsize,
}

impl LoadBalancer {
    fn add(&self, address: SocketAddr) {
        self.replicas.lock().unwrap().push((address, false));
    }

    fn remove(&self, address: SocketAddr) {
        self.replicas
            .lock()
            .unwrap()
            .retain(|(known, _)| *known != address);
    }

    /// Checks the readiness of all replicas.
    async fn check_readiness(&self, client: &Client) {
        let all = self.replicas.lock().unwrap().clone();
        let checks = all.into_iter().map(async |(address, _)| {
            let url = format!("http://{address}/readyz");
            let response = client.get(url).send().await;
            (
                address,
                response.is_ok_and(|response| response.status() == 200),
            )
        });
        let checked = join_all(checks).await;
        for (known, ready) in self.replicas.lock().unwrap().iter_mut() {
            let found = checked.iter().find(|(address, _)| address == known);
            *ready = found.map_or(*ready, |(_, ready)| *ready);
        }
    }

    fn is_ready(&self, address: SocketAddr) -> bool {
        self.replicas.lock().unwrap().contains(&(address, true))
    }

    /// The next ready replica, round-robin.
    fn next(&self) -> Option<SocketAddr> {
        let replicas = self.replicas.lock().unwrap();
        let ready: Vec<SocketAddr> = replicas
            .iter()
            .filter(|(_, ready)| *ready)
            .map(|(address, _)| *address)
            .collect();
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        ready.get(turn % ready.len().max(1)).copied()
    }

    /// Sends one request. If the connection is refused, it goes to the next replica; any other error is a
    /// lost request.
    async fn send(&self, client: &Client, path: &str) -> (StatusCode, String) {
        loop {
            let Some(address) = self.next() else {
                tokio::task::yield_now().await;
                continue;
            };
            let sent = client.post(format!("http://{address}{path}")).send().await;
            match sent {
                Ok(response) => return (response.status(), response.text().await.unwrap()),
                Err(error) if error.is_connect() => {}
                Err(error) => panic!("a request was lost: {error:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_rolling_restart_loses_no_request() {
    let (redis, prefix) = (TestRedis::shared(), random_prefix());
    let url = redis.url();
    let settings = [
        ("redis.url", url.as_str()),
        ("redis.prefix", &prefix),
        ("redis.response_timeout_ms", "20000"),
        ("redis.connect_timeout_ms", "20000"),
        // Longer than the test may not be scheduled.
        ("server.drain_seconds", "4"),
    ];
    let balancer = Arc::new(LoadBalancer::default());
    let client = Client::new();
    let stop = Arc::new(AtomicBool::new(false));
    let start = async || {
        let mut program = Program::serve(&settings);
        let address = program.address().await;
        balancer.add(address);
        eventually("it is ready", async || {
            balancer.check_readiness(&client).await;
            balancer.is_ready(address).then_some(())
        })
        .await;
        (program, address)
    };
    let mut replicas = vec![start().await, start().await];

    let mut load = JoinSet::new();
    for _ in 0..8 {
        let (balancer, stop, client) = (Arc::clone(&balancer), Arc::clone(&stop), client.clone());
        load.spawn(async move {
            let mut count = 0;
            while !stop.load(Ordering::Relaxed) {
                let create = "/genesys/1/service/store?a=1";
                let (status, text) = balancer.send(&client, create).await;
                assert_eq!(status, StatusCode::OK, "{text}");
                let created: Value = serde_json::from_str(&text).unwrap();
                let id = created["_id"].as_str().unwrap();
                let update = format!("/genesys/1/service/{id}/update?b=2");
                let (status, text) = balancer.send(&client, &update).await;
                assert_eq!(status, StatusCode::OK, "{text}");
                count += 1;
            }
            count
        });
    }
    for _ in 0..2 {
        let (old, address) = replicas.remove(0);
        old.signal("TERM");
        eventually("it is not ready", async || {
            balancer.check_readiness(&client).await;
            (!balancer.is_ready(address)).then_some(())
        })
        .await;
        let ended = old.wait().await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert_eq!(ended.log_messages("ERROR"), Vec::<String>::new());
        balancer.remove(address);
        replicas.push(start().await);
    }
    stop.store(true, Ordering::Relaxed);
    let counts: Vec<usize> = load.join_all().await;
    assert!(counts.iter().all(|count| *count > 10), "{counts:?}");
}
