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
};
use url::UrlError;

mod url;

const URL: &str = "redis.url";

/// `[redis]`
#[derive(Clone, Debug)]
pub struct Redis {
    /// URLs that the Redis client accepts, credentials included: one server, or those of sentinels or
    /// of members of a Cluster, all alike but for the address. None at all means the embedded store.
    pub urls: Vec<SecretString>,
    /// The user of the servers that have the data, where the URLs name none.
    pub username: Option<String>,
    /// Its password; also without a user. Never empty.
    pub password: Option<SecretString>,
    /// What stands behind them.
    pub mode: RedisMode,
    /// The name by which sentinels know the primary; empty in other modes.
    pub sentinel_master: String,
    /// What sentinels want to know of who asks; the URL has what the servers behind them want.
    pub sentinel_username: Option<String>,
    /// Its password.
    pub sentinel_password: Option<SecretString>,
    /// Certificates, for a URL of `rediss`.
    pub tls: RedisTls,
    /// What every key begins with: 1 to 64 visible ASCII characters without braces.
    pub prefix: String,
    /// For opening a connection; never zero.
    pub connect_timeout: Duration,
    /// For the answer to one command; never zero.
    pub response_timeout: Duration,
    /// Connections per worker and server beside the lane, at least 1.
    pub pool_size: usize,
    /// How long to wait for one of those; never zero.
    pub pool_wait_timeout: Duration,
    /// Requests of one worker that may wait for Redis at once, at least 1.
    pub max_in_flight: usize,
    /// Replicas that must have a change before it is acknowledged; 0 waits for none.
    pub wait_replicas: usize,
    /// How long they may take; never zero.
    pub wait_timeout: Duration,
    /// By how much the clock of a replica that is ready may differ from that of Redis; `None`: by whatever.
    pub max_clock_skew: Option<Duration>,
}

/// `redis.mode`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedisMode {
    /// One server.
    Single,
    /// Whichever server the sentinels name.
    Sentinel,
    /// A Redis Cluster.
    Cluster,
}

/// Certificates in PEM, as the files had them.
#[derive(Clone, Debug, Default)]
pub struct RedisTls {
    /// Whose signature under a server's certificate counts; absent: those that the system trusts.
    pub ca: Option<Vec<u8>>,
    /// Who we are.
    pub client: Option<ClientCertificate>,
}

/// A certificate and its key, in PEM.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// The certificate, and those between it and one that Redis trusts.
    pub certificate: Vec<u8>,
    /// Its private key.
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
    /// Where it is, for operators: addresses without credentials, and the mode.
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
    /// As the Redis client takes them.
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

/// A user name needs a password: Redis is told neither without one.
fn credentials(
    from: &Layers,
    username: &str,
    password: &str,
) -> Result<(Option<String>, Option<SecretString>), SettingsError> {
    let (user, secret) = (not_empty(from.text(username)?), from.secret(password)?);
    if user.is_some() && secret.is_none() {
        let expected = format!("expected a password, for {username} is set");
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
    let wrong = |wrong| match wrong {
        UrlError::Malformed => from.invalid(URL, expected_url(mode)),
        UrlError::InvalidPart(expected) => from.invalid(URL, expected),
    };
    let urls = urls.map_err(wrong)?;
    for url in &urls {
        url::validate(url).map_err(wrong)?;
        // Asked by reference, and the error dropped: it may tell a part of the URL.
        let info = url.as_str().into_connection_info().ok();
        let info = info.ok_or_else(|| from.invalid(URL, expected_url(mode)))?;
        check_credentials(from, &info)?;
        match info.addr() {
            ConnectionAddr::TcpTls { .. } => {
                let client = Client::build_with_tls(info.clone(), tls.certificates());
                client.map_err(|_told| {
                    let expected =
                        "expected certificates and a key in PEM, each pair of them together";
                    from.invalid("redis.tls_ca_file", expected)
                })?;
            }
            ConnectionAddr::Unix(_) if mode != RedisMode::Single => {
                return Err(from.invalid(URL, expected_url(mode)));
            }
            _ => {}
        }
        if mode == RedisMode::Cluster && info.redis_settings().db() != 0 {
            return Err(from.invalid(URL, "expected database 0: a Cluster has no other"));
        }
    }
    Ok(urls.into_iter().map(SecretString::from).collect())
}

/// User and password stand in the URL or beside it.
fn check_credentials(from: &Layers, info: &ConnectionInfo) -> Result<(), SettingsError> {
    let own = info.redis_settings();
    if own.username().is_none() && own.password().is_none() {
        return Ok(());
    }
    for setting in ["redis.username", "redis.password"] {
        if !from.text(setting)?.is_empty() {
            let expected = "expected nothing, for redis.url has a user or a password too: take them out of \
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
            "expected URLs of sentinels, divided by commas: redis://host:26379/database,host:26379"
        }
        RedisMode::Cluster => {
            "expected URLs of members of the Cluster, divided by commas: redis://host:6379,host:6379"
        }
    }
}

fn sentinel_master(from: &Layers, mode: RedisMode) -> Result<String, SettingsError> {
    let setting = "redis.sentinel_master";
    let name = from.text(setting)?;
    match mode {
        RedisMode::Sentinel if name.is_empty() => {
            let expected = "expected the name by which the sentinels know the primary";
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
        text.map_err(|reason| from.invalid(setting, &format!("expected a file to read: {reason}")))
    };
    path.map(read).transpose()
}

fn prefix(from: &Layers) -> Result<String, SettingsError> {
    let prefix = from.text("redis.prefix")?;
    let visible = prefix.bytes().all(|b| b.is_ascii_graphic());
    if visible && (1..=64).contains(&prefix.len()) && !prefix.contains(['{', '}']) {
        return Ok(prefix);
    }
    let expected = "expected 1 to 64 visible ASCII characters, no spaces, no { or }";
    Err(from.invalid("redis.prefix", expected))
}
