//! `switchboard healthcheck`: checks the health of the service with these settings, for images and other
//! environments without `curl`.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, Stream,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use thiserror::Error;

use crate::settings::Settings;

/// An error of a health check.
#[derive(Debug, Error)]
pub enum HealthcheckError {
    /// The response has a status other than 200.
    #[error("{0}")]
    Unhealthy(String),
    /// The service cannot be reached or does not respond.
    #[error(transparent)]
    Unreachable(#[from] io::Error),
}

/// Timeout of each step; the service checks its store before it responds.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Larger than any response.
const MAX_RESPONSE_BYTES: u64 = 4096;

/// Requests `path` from the first address of `server.listen`. Returns the status line of the response.
///
/// # Errors
/// [`HealthcheckError`].
pub fn probe(settings: &Settings, path: &str) -> Result<String, HealthcheckError> {
    let mut socket = connect(&probe_addresses(&settings.server.listen)?)?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    socket.set_write_timeout(Some(TIMEOUT))?;
    let response = if settings.tls.is_some() {
        let mut tls = tls_connection().map_err(io::Error::other)?;
        send_request(&mut Stream::new(&mut tls, &mut socket), path)?
    } else {
        send_request(&mut socket, path)?
    };
    let status = response.lines().next().unwrap_or_default().to_owned();
    if status.split(' ').nth(1) == Some("200") {
        return Ok(status);
    }
    let body = response.rsplit("\r\n\r\n").next().unwrap_or_default();
    if status.is_empty() {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Err(HealthcheckError::Unhealthy(format!("{status}: {body}")))
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

/// Connects to the first of `addresses` that accepts; if none does, returns the error of the last one.
fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut error = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect_timeout(address, TIMEOUT) {
            Ok(socket) => return Ok(socket),
            Err(failed) => error = failed,
        }
    }
    Err(error)
}

fn send_request(stream: &mut (impl Read + Write), path: &str) -> io::Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut response = String::new();
    match stream
        .take(MAX_RESPONSE_BYTES)
        .read_to_string(&mut response)
    {
        // A missing close_notify is accepted: only the status is used.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !response.is_empty() => {}
        read => drop(read?),
    }
    Ok(response)
}

fn tls_connection() -> Result<ClientConnection, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let config = config.with_safe_default_protocol_versions()?;
    let config = config
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AcceptAnyCertificate(provider)))
        .with_no_client_auth();
    let name = ServerName::from(IpAddr::from([127, 0, 0, 1]));
    ClientConnection::new(Arc::new(config), name)
}

/// The service's certificate does not name the loopback address, and the request contains no secret.
#[derive(Debug)]
struct AcceptAnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_next_address_is_used_if_the_first_refuses() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").unwrap();
        let refusing = closed.local_addr().unwrap();
        drop(closed);
        assert_eq!(
            connect(&[refusing, open]).unwrap().peer_addr().unwrap(),
            open
        );
        let refused = connect(&[open, refusing][1..]).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
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
