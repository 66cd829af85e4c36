//! `[redis]`: the shared store.

use std::time::Duration;

use redis::{ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, TlsCertificates};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

use super::{
    error::Contradiction,
    pem,
    values::{self, choice, integer, millis, seconds, secret, text, user_name},
};
use url::UrlError;

mod url;

/// `[redis]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// URLs that the Redis client accepts, including credentials: one server, or all sentinels or
    /// members of a Cluster, which differ in the address only. Empty means the embedded store.
    #[serde(rename = "url", deserialize_with = "one_url")]
    pub urls: Vec<SecretString>,
    /// The user of the data servers, if the URLs contain none.
    #[serde(deserialize_with = "user_name")]
    pub username: Option<String>,
    /// The password, with or without a user. Never empty.
    #[serde(deserialize_with = "secret")]
    pub password: Option<SecretString>,
    /// The topology of the servers.
    #[serde(deserialize_with = "choice")]
    pub mode: RedisMode,
    /// The name of the primary on the sentinels; not empty in mode `sentinel`.
    #[serde(deserialize_with = "text")]
    pub sentinel_master: String,
    /// The user of the sentinels; the URL has the one of the data servers.
    #[serde(deserialize_with = "user_name")]
    pub sentinel_username: Option<String>,
    /// The password of the sentinels.
    #[serde(deserialize_with = "secret")]
    pub sentinel_password: Option<SecretString>,
    /// Trusted certificate authorities in PEM; `None` means those of the system.
    #[serde(rename = "tls_ca_file", deserialize_with = "pem::authorities")]
    pub tls_authorities: Option<String>,
    /// The client certificate in PEM, and its intermediate certificates.
    #[serde(rename = "tls_cert_file", deserialize_with = "pem::certificate")]
    pub tls_certificate: Option<String>,
    /// The private key of the client certificate in PEM.
    #[serde(rename = "tls_key_file", deserialize_with = "pem::private_key")]
    pub tls_key: Option<SecretString>,
    /// Prefix of all keys: 1 to 64 visible ASCII characters without braces.
    #[serde(deserialize_with = "prefix")]
    pub prefix: String,
    /// Timeout for opening a connection; never zero.
    #[serde(rename = "connect_timeout_ms")]
    #[serde(deserialize_with = "millis::<1, 60_000, _>")]
    pub connect_timeout: Duration,
    /// Timeout for the response to one command; never zero.
    #[serde(rename = "response_timeout_ms")]
    #[serde(deserialize_with = "millis::<1, 60_000, _>")]
    pub response_timeout: Duration,
    /// Pooled connections per worker and server, in addition to the multiplexed one; at least 1.
    #[serde(deserialize_with = "integer::<1, 256, _, _>")]
    pub pool_size: usize,
    /// Timeout for getting a pooled connection; never zero.
    #[serde(rename = "pool_timeout_ms")]
    #[serde(deserialize_with = "millis::<1, 60_000, _>")]
    pub pool_wait_timeout: Duration,
    /// Maximum number of store operations in flight per worker, at least 1.
    #[serde(deserialize_with = "integer::<1, 1_000_000, _, _>")]
    pub max_in_flight: usize,
    /// Redis replicas that must confirm a change before it is acknowledged; 0 waits for none.
    #[serde(deserialize_with = "integer::<0, 16, _, _>")]
    pub wait_replicas: usize,
    /// Timeout for their confirmation; never zero.
    #[serde(rename = "wait_timeout_ms")]
    #[serde(deserialize_with = "millis::<1, 60_000, _>")]
    pub wait_timeout: Duration,
    /// Maximum clock skew to Redis of a ready replica; `None` disables the check.
    #[serde(rename = "max_clock_skew_seconds", deserialize_with = "clock_skew")]
    pub max_clock_skew: Option<Duration>,
}

/// `redis.mode`
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum RedisMode {
    /// One server.
    Single,
    /// The primary that the sentinels report.
    Sentinel,
    /// A Redis Cluster.
    Cluster,
}

impl Redis {
    /// Addresses without credentials and the mode, for messages to operators.
    #[must_use]
    pub fn location(&self) -> String {
        let addresses: Vec<String> = self
            .urls
            .iter()
            .filter_map(|url| url.expose_secret().into_connection_info().ok())
            .map(|info| info.addr().to_string())
            .collect();
        let mode = match self.mode {
            RedisMode::Single => "single",
            RedisMode::Sentinel => "sentinels",
            RedisMode::Cluster => "cluster",
        };
        if addresses.is_empty() {
            return "embedded store".to_owned();
        }
        format!("{}, {mode}", addresses.join(", "))
    }

    /// The certificates for `rediss` URLs in the type of the Redis client.
    #[must_use]
    pub fn certificates(&self) -> TlsCertificates {
        let bytes = |pem: &str| pem.as_bytes().to_vec();
        let client = self.tls_certificate.as_deref().zip(self.tls_key.as_ref());
        TlsCertificates {
            root_cert: self.tls_authorities.as_deref().map(bytes),
            client_tls: client.map(|(certificate, key)| ClientTlsConfig {
                client_cert: bytes(certificate),
                client_key: bytes(key.expose_secret()),
            }),
        }
    }

    /// Splits the list of URLs, and checks the settings that depend on each other.
    pub(super) fn validate(&mut self) -> Result<(), Contradiction> {
        if self.username.is_some() && self.password.is_none() {
            let expected = "expected a password, because redis.username is set";
            return Err(("redis.password", expected));
        }
        if self.sentinel_username.is_some() && self.sentinel_password.is_none() {
            let expected = "expected a password, because redis.sentinel_username is set";
            return Err(("redis.sentinel_password", expected));
        }
        if self.mode == RedisMode::Sentinel && self.sentinel_master.is_empty() {
            let expected = "expected the name of the primary on the sentinels";
            return Err(("redis.sentinel_master", expected));
        }
        self.check_client_certificate()?;
        if let Some(text) = self.urls.pop() {
            self.urls = self.split_urls(text.expose_secret())?;
        }
        Ok(())
    }

    fn check_client_certificate(&self) -> Result<(), Contradiction> {
        let (setting, expected) = match (&self.tls_certificate, &self.tls_key) {
            (Some(certificate), Some(key)) if !pem::is_pair(certificate, key) => (
                "redis.tls_key_file",
                "expected the private key of the certificate in redis.tls_cert_file",
            ),
            (Some(_), None) => (
                "redis.tls_key_file",
                "expected the private key of redis.tls_cert_file",
            ),
            (None, Some(_)) => (
                "redis.tls_cert_file",
                "expected the certificate of redis.tls_key_file",
            ),
            _ => return Ok(()),
        };
        Err((setting, expected))
    }

    fn split_urls(&self, text: &str) -> Result<Vec<SecretString>, Contradiction> {
        let invalid = |error| match error {
            _ if self.mode == RedisMode::Single && url::is_list(text) => SEVERAL_SERVERS,
            UrlError::InvalidPart(expected) => expected,
            UrlError::Malformed => self.expected_url(),
        };
        let invalid = |error| ("redis.url", invalid(error));
        let urls = match self.mode {
            RedisMode::Single => vec![text.trim().to_owned()],
            RedisMode::Sentinel | RedisMode::Cluster => url::parse_list(text).map_err(invalid)?,
        };
        for url in &urls {
            url::validate(url).map_err(invalid)?;
            // The error is dropped: it may contain a part of the URL.
            let server = url.as_str().into_connection_info().ok();
            self.check_server(&server.ok_or(UrlError::Malformed).map_err(invalid)?)?;
        }
        Ok(urls.into_iter().map(SecretString::from).collect())
    }

    fn check_server(&self, server: &ConnectionInfo) -> Result<(), Contradiction> {
        let options = server.redis_settings();
        if options.username().is_some() || options.password().is_some() {
            // User and password are allowed in the URL or in settings of their own, not in both.
            let given = match (&self.username, &self.password) {
                (Some(_), _) => Some("redis.username"),
                (None, Some(_)) => Some("redis.password"),
                (None, None) => None,
            };
            if let Some(setting) = given {
                return Err((setting, IN_URL_AND_SETTING));
            }
        }
        let expected = match server.addr() {
            ConnectionAddr::Unix(_) if self.mode != RedisMode::Single => self.expected_url(),
            _ if self.mode == RedisMode::Cluster && options.db() != 0 => {
                "expected database 0: a Redis Cluster has no other"
            }
            _ => return Ok(()),
        };
        Err(("redis.url", expected))
    }

    fn expected_url(&self) -> &'static str {
        match self.mode {
            RedisMode::Single => {
                "expected a URL of the form redis://host:port/database, rediss://host:port/database, \
                 unix:/path or redis+unix:///path, or nothing for the embedded store"
            }
            RedisMode::Sentinel => {
                "expected URLs of sentinels, separated by commas: redis://host:26379/database,host:26379"
            }
            RedisMode::Cluster => {
                "expected URLs of members of the Cluster, separated by commas: redis://host:6379,host:6379"
            }
        }
    }
}

const SEVERAL_SERVERS: &str = "expected a URL of the form redis://host:port/database with one host; for several hosts, set \
                               redis.mode to sentinel or cluster";

const IN_URL_AND_SETTING: &str = "expected nothing, because redis.url contains a user or a password: remove them from \
                                  the URL, or leave redis.username and redis.password empty";

/// The setting as it is. It depends on the mode whether it is a list.
fn one_url<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<SecretString>, D::Error> {
    Ok(secret(from)?.into_iter().collect())
}

fn clock_skew<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let skew = seconds::<0, 86_400, D>(from)?;
    Ok(Some(skew).filter(|skew| !skew.is_zero()))
}

fn prefix<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let expected = "expected 1 to 64 visible ASCII characters, no spaces, no { or }";
    values::parsed(from, expected, |prefix| {
        let is_visible = prefix.bytes().all(|b| b.is_ascii_graphic());
        let is_valid =
            is_visible && (1..=64).contains(&prefix.len()) && !prefix.contains(['{', '}']);
        is_valid.then(|| prefix.to_owned())
    })
}
