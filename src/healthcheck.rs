//! `switchboard healthcheck`: checks the health of the service with these settings, for images and other
//! environments without `curl`.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs},
    time::Duration,
};

use reqwest::{Response, StatusCode, header::ACCEPT};
use serde::Deserialize;
use thiserror::Error;

use crate::{http_client, model::readiness::Reason, settings::Settings, tls_errors::error_chain};

/// An error of a health check.
#[derive(Debug, Error)]
pub enum HealthcheckError {
    /// The response has a status other than 200, and the cause is not an operator who set the replica OFFLINE.
    #[error("{0}")]
    Unhealthy(String),
    /// The service cannot be reached or does not respond.
    #[error("{}", error_chain(.0))]
    Unreachable(#[from] reqwest::Error),
    /// The address of the service is unknown.
    #[error(transparent)]
    UnknownAddress(#[from] io::Error),
}

/// Timeout of the connection, and of the complete response; the service checks its store before it responds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);
/// Larger than any response.
const MAX_RESPONSE_BYTES: usize = 4096;
/// The host name of the request. It is resolved to the addresses of the service.
const HOST: &str = "localhost";

/// The parts of the response of `/readyz` that are needed here.
#[derive(Deserialize)]
struct Readiness {
    reasons: Vec<ReadinessReason>,
}

#[derive(Deserialize)]
struct ReadinessReason {
    reason: String,
    blocking: bool,
    message: String,
}

impl Readiness {
    /// Whether the replica is not ready only because an operator set it OFFLINE. It serves requests; a restart would set
    /// it ONLINE.
    fn is_only_offline(&self) -> bool {
        let blocking = self.reasons.iter().filter(|one| one.blocking);
        let blocking: Vec<_> = blocking.map(|one| one.reason.as_str()).collect();
        blocking == [Reason::Offline.name()]
    }

    fn describe(&self) -> String {
        let reasons = self.reasons.iter();
        let reasons = reasons.map(|one| format!("{}: {}", one.reason, one.message));
        reasons.collect::<Vec<_>>().join("; ")
    }
}

/// Requests `path` from the first address of `server.listen`. Returns the protocol and the status of the response, and
/// why a healthy replica is not ready.
///
/// # Errors
/// [`HealthcheckError`].
pub async fn probe(settings: &Settings, path: &str) -> Result<String, HealthcheckError> {
    let addresses = probe_addresses(&settings.server.listen)?;
    let scheme = if settings.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let response = request(scheme, &addresses, path).await?;
    let status = format!("{:?} {}", response.version(), response.status());
    if response.status() == StatusCode::OK {
        return Ok(status);
    }
    // The status is known, even if the body is not read completely.
    let body = read_text(response).await.unwrap_or_default();
    evaluate(&status, &body)
}

/// The result for a response with a status other than 200.
fn evaluate(status: &str, body: &str) -> Result<String, HealthcheckError> {
    let readiness = serde_json::from_str::<Readiness>(body).ok();
    let is_healthy = readiness.as_ref().is_some_and(Readiness::is_only_offline);
    let reasons = readiness.map_or_else(|| body.to_owned(), |readiness| readiness.describe());
    let text = format!("{status}: {reasons}");
    if is_healthy {
        Ok(text)
    } else {
        Err(HealthcheckError::Unhealthy(text))
    }
}

async fn request(scheme: &str, addresses: &[SocketAddr], path: &str) -> reqwest::Result<Response> {
    let client = http_client::builder()
        .resolve_to_addrs(HOST, addresses)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(RESPONSE_TIMEOUT)
        // It does not name the loopback address, and the request contains no secret.
        .tls_danger_accept_invalid_certs(true)
        .build()?;
    let port = addresses.first().map_or(0, SocketAddr::port);
    client
        .get(format!("{scheme}://{HOST}:{port}{path}"))
        .header(ACCEPT, "application/json")
        .send()
        .await
}

/// The beginning of a body.
async fn read_text(mut response: Response) -> reqwest::Result<String> {
    let mut body = Vec::new();
    while body.len() < MAX_RESPONSE_BYTES
        && let Some(chunk) = response.chunk().await?
    {
        body.extend_from_slice(&chunk);
    }
    body.truncate(MAX_RESPONSE_BYTES);
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// The addresses of a service that listens on `listen`, best first: the loopback address if it listens on
/// all addresses. `[::]` accepts IPv4 connections too, and only those if the system has no IPv6.
fn probe_addresses(listen: &str) -> io::Result<Vec<SocketAddr>> {
    let mut addresses = listen.to_socket_addrs()?;
    let address = addresses.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
    if address.port() == 0 {
        let reason = "server.listen has port 0, so the actual port is unknown";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    let ipv4 = SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()));
    let ipv6 = SocketAddr::from((Ipv6Addr::LOCALHOST, address.port()));
    Ok(match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => vec![ipv4],
        IpAddr::V6(ip) if ip.is_unspecified() => vec![ipv6, ipv4],
        _ => vec![address],
    })
}

/// An address for connections from the same machine to a service that listens on `address`: a listener on
/// all IPv6 addresses accepts IPv4 connections too.
#[must_use]
pub fn reachable_address(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        return SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()));
    }
    address
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
        thread,
    };

    use super::*;

    /// A listener on IPv4 only, as that of a system without IPv6.
    #[tokio::test]
    async fn the_next_address_is_used_if_the_first_refuses() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap();
        let refusing = SocketAddr::from(([127, 0, 0, 2], open.port()));
        let error = request("http", &[refusing], "/livez").await.unwrap_err();
        let error = HealthcheckError::from(error).to_string();
        assert!(error.contains("refused"), "{error}");
        let server = thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let bytes = connection.read(&mut request).unwrap();
            connection
                .write_all(b"HTTP/1.1 503 x\r\ncontent-length: 2\r\n\r\nno")
                .unwrap();
            String::from_utf8_lossy(&request[..bytes]).into_owned()
        });
        let response = request("http", &[refusing, open], "/livez").await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(read_text(response).await.unwrap(), "no");
        let request = server.join().unwrap();
        assert!(request.starts_with("GET /livez HTTP/1.1\r\n"), "{request}");
    }

    #[test]
    fn a_replica_that_is_only_offline_is_healthy() {
        let offline = r#"{"reason":"offline","blocking":true,"message":"set","since":""}"#;
        let full = r#"{"reason":"store_full","blocking":false,"message":"full","since":""}"#;
        let draining = r#"{"reason":"draining","blocking":true,"message":"ends","since":""}"#;
        let result = |reasons: &[&str]| {
            let body = format!(
                r#"{{"status":"not_ready","reasons":[{}]}}"#,
                reasons.join(",")
            );
            evaluate("503", &body).map_err(|error| error.to_string())
        };
        assert_eq!(result(&[offline]).unwrap(), "503: offline: set");
        assert!(result(&[offline, full]).is_ok());
        let text = "503: draining: ends; offline: set";
        assert_eq!(result(&[draining, offline]).unwrap_err(), text);
        assert!(evaluate("503", "not JSON").is_err());
    }

    #[test]
    fn a_listener_on_all_addresses_is_probed_on_loopback() {
        for (listen, expected) in [
            ("0.0.0.0:8080", &["127.0.0.1:8080"][..]),
            ("[::]:8080", &["[::1]:8080", "127.0.0.1:8080"]),
            ("192.0.2.7:80", &["192.0.2.7:80"]),
        ] {
            let addresses = probe_addresses(listen).unwrap();
            let addresses: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
            assert_eq!(addresses, expected);
        }
        let error = probe_addresses("127.0.0.1:0").unwrap_err().to_string();
        assert!(error.contains("server.listen"), "{error}");
    }
}
