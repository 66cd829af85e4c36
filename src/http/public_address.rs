//! The address under which clients reach this server.

use std::net::IpAddr;

use actix_web::{HttpRequest, http::header::HOST};
use ipnet::IpNet;
use url::Url;

use crate::service::PublicAddress;

/// The address in the `Host` of a request or, if the peer is a trusted proxy, in `X-Forwarded-Host` and
/// `X-Forwarded-Proto`.
pub(super) fn public_address(request: &HttpRequest, trusted: &[IpNet]) -> PublicAddress {
    let peer = request.peer_addr().map(|peer| peer.ip().to_canonical());
    let is_trusted = |peer: IpAddr| trusted.iter().any(|network| network.contains(&peer));
    let is_proxied = peer.is_some_and(is_trusted);
    let header = |name: &str| request.headers().get(name)?.to_str().ok();
    // Several proxies append to the header; the first element is that of the client.
    let first = |value: &'_ str| {
        value
            .split(',')
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let forwarded = |name| header(name).filter(|_| is_proxied).map(first);
    let tls = match forwarded("x-forwarded-proto") {
        Some(scheme) => scheme.eq_ignore_ascii_case("https"),
        None => request.app_config().secure(),
    };
    let scheme = if tls { "https" } else { "http" };
    let named = header(HOST.as_str()).or_else(|| request.uri().host());
    let host = forwarded("x-forwarded-host").or_else(|| named.map(str::to_owned));
    let parse = |host: String| {
        let url = Url::parse(&format!("{scheme}://{}", host.trim())).ok()?;
        let port = url.port_or_known_default()?;
        Some((url.host_str()?.to_owned(), port))
    };
    let default_port = if tls { 443 } else { 80 };
    let (host, port) = host
        .and_then(parse)
        .unwrap_or_else(|| ("localhost".to_owned(), default_port));
    PublicAddress { host, port, tls }
}

/// The same as the beginning of a URL: `https://host:port`.
pub(super) fn base_url(request: &HttpRequest, trusted: &[IpNet]) -> String {
    let PublicAddress { host, port, tls } = public_address(request, trusted);
    let scheme = if tls { "https" } else { "http" };
    format!("{scheme}://{host}:{port}")
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn address(peer: &str, headers: &[(&str, &str)]) -> (String, u16, bool) {
        let mut request =
            TestRequest::default().peer_addr((peer.parse::<IpAddr>().unwrap(), 4242).into());
        for (name, value) in headers {
            request = request.insert_header((*name, *value));
        }
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let PublicAddress { host, port, tls } =
            public_address(&request.to_http_request(), &trusted);
        (host, port, tls)
    }

    #[test]
    fn only_a_trusted_proxy_replaces_the_host() {
        let forwarded = [
            ("host", "inner:8080"),
            ("x-forwarded-host", "chat.example.com, inner:8080"),
            ("x-forwarded-proto", "https,http"),
        ];
        let proxied = ("chat.example.com".to_owned(), 443, true);
        assert_eq!(address("10.0.0.1", &forwarded), proxied);
        let direct = ("inner".to_owned(), 8080, false);
        assert_eq!(address("192.0.2.1", &forwarded), direct);
        let malformed = ("localhost".to_owned(), 80, false);
        assert_eq!(address("192.0.2.1", &[("host", "a b/<script>")]), malformed);
    }
}
