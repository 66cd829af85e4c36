//! `[server]`: listeners, threads, timeouts of client connections.

use std::{net::Ipv6Addr, num::NonZero, thread, time::Duration};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer};

use super::{
    route_groups::RouteGroups,
    values::{self, integer, networks, seconds},
};

const MAX_WORKERS: u64 = 256;

/// `[server]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// `host:port`; the host is a name, an IPv4 address, or IPv6 in brackets. Port 0 binds a free one.
    #[serde(deserialize_with = "address")]
    pub listen: String,
    /// The route groups of `listen`.
    pub public: RouteGroups,
    /// A second address, which serves all route groups.
    #[serde(deserialize_with = "optional_address")]
    pub private_listen: Option<String>,
    /// Proxies whose `X-Forwarded-For` is trusted.
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// Worker threads, 1 to 256; 0 in the setting is replaced by the number of CPUs.
    #[serde(deserialize_with = "workers")]
    pub workers: usize,
    /// Timeout for the head of a request; never zero.
    #[serde(rename = "request_header_timeout_seconds")]
    #[serde(deserialize_with = "seconds::<1, 3600, _>")]
    pub request_header_timeout: Duration,
    /// Timeout for a pause in a request body or in reading a response; never zero.
    #[serde(rename = "body_idle_timeout_seconds")]
    #[serde(deserialize_with = "seconds::<1, 3600, _>")]
    pub body_idle_timeout: Duration,
    /// Timeout of an idle connection between two requests; zero closes it after each.
    #[serde(rename = "keep_alive_seconds")]
    #[serde(deserialize_with = "seconds::<0, 3600, _>")]
    pub keep_alive: Duration,
    /// Maximum number of connections of one worker, at least 1.
    #[serde(deserialize_with = "integer::<1, 1_000_000, _, _>")]
    pub connections_per_worker: usize,
    /// Time after SIGTERM in which new requests are still served; may be zero.
    #[serde(rename = "drain_seconds", deserialize_with = "seconds::<0, 3600, _>")]
    pub drain: Duration,
    /// Time after `drain` for requests in flight to finish; may be zero.
    #[serde(rename = "shutdown_timeout_seconds")]
    #[serde(deserialize_with = "seconds::<0, 3600, _>")]
    pub shutdown: Duration,
}

const ADDRESS: &str = "expected host:port, such as 127.0.0.1:8080, localhost:8080 or [::1]:8080";

fn address<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    values::parsed(from, ADDRESS, |text| {
        let address = text.trim();
        is_host_and_port(address).then(|| address.to_owned())
    })
}

fn optional_address<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    values::parsed(from, ADDRESS, |text| {
        let address = Some(text.trim().to_owned()).filter(|address| !address.is_empty());
        address
            .as_deref()
            .is_none_or(is_host_and_port)
            .then_some(address)
    })
}

/// Whether `address` has the form of an address. Whether the host exists shows only when binding.
fn is_host_and_port(address: &str) -> bool {
    let Some((host, port)) = address.rsplit_once(':') else {
        return false;
    };
    let is_host_char = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    let in_brackets = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let is_valid_host = in_brackets.map_or_else(
        || !host.is_empty() && host.bytes().all(is_host_char),
        |host| host.parse::<Ipv6Addr>().is_ok(),
    );
    // `u16::from_str` would accept a leading plus.
    is_valid_host && port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

fn workers<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    Ok(match integer::<0, MAX_WORKERS, D, usize>(from)? {
        // If the number of CPUs is not available, one worker is correct, only slower.
        0 => thread::available_parallelism()
            .map_or(1, NonZero::get)
            .min(256),
        workers => workers,
    })
}
