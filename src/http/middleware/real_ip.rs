//! The address of the client.

use std::net::{IpAddr, SocketAddr};

use actix_web::HttpRequest;
use ipnet::IpNet;

/// The client's address: the peer of the connection or, if the peer is a trusted proxy, the last address in
/// `X-Forwarded-For` that is not a trusted proxy. The client can forge all addresses before that one.
pub(in crate::http) fn client_address(request: &HttpRequest, trusted: &[IpNet]) -> Option<IpAddr> {
    let mut address = request.peer_addr()?.ip().to_canonical();
    let lines = request.headers().get_all("x-forwarded-for");
    let lines: Vec<&str> = lines.filter_map(|value| value.to_str().ok()).collect();
    let hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
    for hop in hops {
        if !trusted.iter().any(|network| network.contains(&address)) {
            break;
        }
        let Some(next) = parse_hop_address(hop.trim()) else {
            break;
        };
        address = next.to_canonical();
    }
    Some(address)
}

/// Parses an address, with or without a port.
fn parse_hop_address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse::<IpAddr>().ok();
    address.or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn client_address_of(peer: &str, forwarded: &[&str]) -> String {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let peer: IpAddr = peer.parse().unwrap();
        let mut request = TestRequest::default().peer_addr(SocketAddr::new(peer, 4242));
        for line in forwarded {
            request = request.append_header(("X-Forwarded-For", *line));
        }
        let address = client_address(&request.to_http_request(), &trusted);
        address.unwrap().to_string()
    }

    #[test]
    fn only_trusted_proxies_set_the_client_address() {
        for (peer, forwarded, expected) in [
            ("192.0.2.1", &[][..], "192.0.2.1"),
            ("192.0.2.1", &["198.51.100.7"], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("::ffff:10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("fd00::1", &["2001:db8::7"], "2001:db8::7"),
            // The first address comes from the client and is ignored.
            ("10.0.0.1", &["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["203.0.113.9", "198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["203.0.113.9,10.2.3.4"], "203.0.113.9"),
            ("10.0.0.1", &["198.51.100.7:5050"], "198.51.100.7"),
            ("10.0.0.1", &["[2001:db8::7]:5050"], "2001:db8::7"),
            ("10.0.0.1", &["[2001:db8::7]"], "2001:db8::7"),
            ("10.0.0.1", &["203.0.113.9, unknown"], "10.0.0.1"),
        ] {
            let found = client_address_of(peer, forwarded);
            assert_eq!(found, expected, "{peer} {forwarded:?}");
        }
    }
}
