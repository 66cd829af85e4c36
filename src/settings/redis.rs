//! `[redis]`: the shared store.

use std::{fs, path::PathBuf, time::Duration};

use redis::{
    Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, TlsCertificates,
};
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use super::{
    error::SettingsError,
    load::{millis, not_empty},
    provenance::Layers,
    secrets::without_line_end,
};
use url::UrlError;

mod url;

const URL: &str = "redis.url";

/// `[redis]`
#[derive(Clone, Debug)]
pub struct Redis {
    /// URLs that the Redis client accepts, including credentials: one server, or all sentinels or
    /// members of a Cluster, which differ in the address only. Empty means the embedded store.
    pub urls: Vec<SecretString>,
    /// The user of the data servers, if the URLs contain none.
    pub username: Option<String>,
    /// The password, with or without a user. Never empty.
    pub password: Option<SecretString>,
    /// The topology of the servers.
    pub mode: RedisMode,
    /// The name of the primary on the sentinels; empty in other modes.
    pub sentinel_master: String,
    /// The user of the sentinels; the URL has the one of the data servers.
    pub sentinel_username: Option<String>,
    /// The password of the sentinels.
    pub sentinel_password: Option<SecretString>,
    /// Certificates, for `rediss` URLs.
    pub tls: RedisTls,
    /// Prefix of all keys: 1 to 64 visible ASCII characters without braces.
    pub prefix: String,
    /// Timeout for opening a connection; never zero.
    pub connect_timeout: Duration,
    /// Timeout for the response to one command; never zero.
    pub response_timeout: Duration,
    /// Pooled connections per worker and server, in addition to the multiplexed one; at least 1.
    pub pool_size: usize,
    /// Timeout for getting a pooled connection; never zero.
    pub pool_wait_timeout: Duration,
    /// Maximum number of store operations in flight per worker, at least 1.
    pub max_in_flight: usize,
    /// Redis replicas that must confirm a change before it is acknowledged; 0 waits for none.
    pub wait_replicas: usize,
    /// Timeout for their confirmation; never zero.
    pub wait_timeout: Duration,
    /// Maximum clock skew to Redis of a ready replica; `None` disables the check.
    pub max_clock_skew: Option<Duration>,
}

/// `redis.mode`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedisMode {
    /// One server.
    Single,
    /// The primary that the sentinels report.
    Sentinel,
    /// A Redis Cluster.
    Cluster,
}

/// Certificates in PEM, as read from the files.
#[derive(Clone, Debug, Default)]
pub struct RedisTls {
    /// Trusted certificate authorities; `None` means those of the system.
    pub ca: Option<Vec<u8>>,
    /// The client certificate.
    pub client: Option<ClientCertificate>,
}

/// A certificate and its key, in PEM.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// The certificate and its intermediate certificates.
    pub certificate: Vec<u8>,
    /// The private key.
    pub key: SecretSlice<u8>,
}

impl Redis {
    pub(super) fn from_layers(from: &Layers) -> Result<Self, SettingsError> {
        let mode = mode(from)?;
        let tls = tls(from)?;
        let urls = urls(from, mode, &tls)?;
        let (username, password) = credentials(from, "redis.username", "redis.password")?;
        let (sentinel_username, sentinel_password) =
            credentials(from, "redis.sentinel_username", "redis.sentinel_password")?;
        Ok(Self {
            urls,
            username,
            password,
            mode,
            sentinel_master: sentinel_master(from, mode)?,
            sentinel_username,
            sentinel_password,
            tls,
            prefix: prefix(from)?,
            connect_timeout: millis(from, "redis.connect_timeout_ms")?,
            response_timeout: millis(from, "redis.response_timeout_ms")?,
            pool_size: from.number("redis.pool_size", 1..=256)?,
            pool_wait_timeout: millis(from, "redis.pool_timeout_ms")?,
            max_in_flight: from.number("redis.max_in_flight", 1..=1_000_000)?,
            wait_replicas: from.number("redis.wait_replicas", 0..=16)?,
            wait_timeout: millis(from, "redis.wait_timeout_ms")?,
            max_clock_skew: max_clock_skew(from)?,
        })
    }
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
}

impl RedisTls {
    /// The certificates in the type of the Redis client.
    #[must_use]
    pub fn certificates(&self) -> TlsCertificates {
        TlsCertificates {
            root_cert: self.ca.clone(),
            client_tls: self.client.as_ref().map(|client| ClientTlsConfig {
                client_cert: client.certificate.clone(),
                client_key: client.key.expose_secret().to_vec(),
            }),
        }
    }
}

/// A user name without a password is an error: Redis would get neither.
fn credentials(
    from: &Layers,
    username: &str,
    password: &str,
) -> Result<(Option<String>, Option<SecretString>), SettingsError> {
    let user = not_empty(without_line_end(&from.text(username)?).to_owned());
    let secret = from.secret(password)?;
    if user.is_some() && secret.is_none() {
        let expected = format!("expected a password, because {username} is set");
        return Err(from.invalid(password, &expected));
    }
    Ok((user, secret))
}

fn max_clock_skew(from: &Layers) -> Result<Option<Duration>, SettingsError> {
    let seconds = from.number("redis.max_clock_skew_seconds", 0..=86_400)?;
    Ok((seconds > 0).then(|| Duration::from_secs(seconds)))
}

fn mode(from: &Layers) -> Result<RedisMode, SettingsError> {
    match from.trimmed_text("redis.mode")?.as_str() {
        "single" => Ok(RedisMode::Single),
        "sentinel" => Ok(RedisMode::Sentinel),
        "cluster" => Ok(RedisMode::Cluster),
        _ => {
            let expected = "expected \"single\", \"sentinel\" or \"cluster\"";
            Err(from.invalid("redis.mode", expected))
        }
    }
}

fn urls(
    from: &Layers,
    mode: RedisMode,
    tls: &RedisTls,
) -> Result<Vec<SecretString>, SettingsError> {
    let Some(text) = from.secret(URL)? else {
        return Ok(Vec::new());
    };
    let text = text.expose_secret().to_owned();
    let urls = match mode {
        RedisMode::Single => Ok(vec![text.trim().to_owned()]),
        RedisMode::Sentinel | RedisMode::Cluster => url::parse_list(&text),
    };
    let invalid = |error| match error {
        UrlError::Malformed => from.invalid(URL, expected_url(mode)),
        UrlError::InvalidPart(expected) => from.invalid(URL, expected),
    };
    let urls = urls.map_err(invalid)?;
    for url in &urls {
        url::validate(url).map_err(invalid)?;
        // The error is dropped: it may contain a part of the URL.
        let info = url.as_str().into_connection_info().ok();
        let info = info.ok_or_else(|| from.invalid(URL, expected_url(mode)))?;
        check_credentials(from, &info)?;
        match info.addr() {
            ConnectionAddr::TcpTls { .. } => {
                let client = Client::build_with_tls(info.clone(), tls.certificates());
                client.map_err(|_may_contain_secrets| {
                    let expected =
                        "expected certificates and keys in PEM, and for each certificate its key";
                    from.invalid("redis.tls_ca_file", expected)
                })?;
            }
            ConnectionAddr::Unix(_) if mode != RedisMode::Single => {
                return Err(from.invalid(URL, expected_url(mode)));
            }
            _ => {}
        }
        if mode == RedisMode::Cluster && info.redis_settings().db() != 0 {
            return Err(from.invalid(URL, "expected database 0: a Redis Cluster has no other"));
        }
    }
    Ok(urls.into_iter().map(SecretString::from).collect())
}

/// User and password are allowed in the URL or in settings of their own, not in both.
fn check_credentials(from: &Layers, info: &ConnectionInfo) -> Result<(), SettingsError> {
    let own = info.redis_settings();
    if own.username().is_none() && own.password().is_none() {
        return Ok(());
    }
    for setting in ["redis.username", "redis.password"] {
        if !from.text(setting)?.is_empty() {
            let expected = "expected nothing, because redis.url contains a user or a password: remove them from \
                            the URL, or leave redis.username and redis.password empty";
            return Err(from.invalid(setting, expected));
        }
    }
    Ok(())
}

fn expected_url(mode: RedisMode) -> &'static str {
    match mode {
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

fn sentinel_master(from: &Layers, mode: RedisMode) -> Result<String, SettingsError> {
    let setting = "redis.sentinel_master";
    let name = from.text(setting)?;
    match mode {
        RedisMode::Sentinel if name.is_empty() => {
            let expected = "expected the name of the primary on the sentinels";
            Err(from.invalid(setting, expected))
        }
        _ => Ok(name),
    }
}

fn tls(from: &Layers) -> Result<RedisTls, SettingsError> {
    let certificate = pem(from, "redis.tls_cert_file")?;
    let key = pem(from, "redis.tls_key_file")?;
    let client = match (certificate, key) {
        (Some(certificate), Some(key)) => Some(ClientCertificate {
            certificate,
            key: key.into(),
        }),
        (None, None) => None,
        (Some(_), None) => {
            return Err(from.invalid(
                "redis.tls_key_file",
                "expected the key of redis.tls_cert_file",
            ));
        }
        (None, Some(_)) => {
            let expected = "expected the certificate of redis.tls_key_file";
            return Err(from.invalid("redis.tls_cert_file", expected));
        }
    };
    Ok(RedisTls {
        ca: pem(from, "redis.tls_ca_file")?,
        client,
    })
}

fn pem(from: &Layers, setting: &str) -> Result<Option<Vec<u8>>, SettingsError> {
    let path = not_empty(from.text(setting)?).map(PathBuf::from);
    let read = |path: PathBuf| {
        let text = fs::read(path);
        text.map_err(|reason| from.invalid(setting, &format!("expected a readable file: {reason}")))
    };
    path.map(read).transpose()
}

fn prefix(from: &Layers) -> Result<String, SettingsError> {
    let prefix = from.text("redis.prefix")?;
    let is_visible = prefix.bytes().all(|b| b.is_ascii_graphic());
    if is_visible && (1..=64).contains(&prefix.len()) && !prefix.contains(['{', '}']) {
        return Ok(prefix);
    }
    let expected = "expected 1 to 64 visible ASCII characters, no spaces, no { or }";
    Err(from.invalid("redis.prefix", expected))
}
