//! `[redis]`: the shared store.

use std::{fs, path::PathBuf, time::Duration};

use redis::{
    Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, TlsCertificates,
};
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use super::{
    error::SettingsError,
    layers::Layers,
    read::{millis, not_empty},
};

const URL: &str = "redis.url";

/// `[redis]`
#[derive(Clone, Debug)]
pub struct Redis {
    /// URLs that the Redis client accepts, credentials included: one server, or those of sentinels or
    /// of members of a Cluster, all alike but for the address. None at all means the embedded store.
    pub urls: Vec<SecretString>,
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
    pub answer_timeout: Duration,
    /// Connections per worker and server beside the lane, at least 1.
    pub pool_size: usize,
    /// How long to wait for one of those; never zero.
    pub pool_wait: Duration,
    /// Requests of one worker that may wait for Redis at once, at least 1.
    pub max_waiting: usize,
    /// Replicas that must have a change before it is acknowledged; 0 waits for none.
    pub wait_replicas: usize,
    /// How long they may take; never zero.
    pub wait_timeout: Duration,
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
    pub(super) fn read(from: &Layers) -> Result<Self, SettingsError> {
        let mode = mode(from)?;
        let tls = tls(from)?;
        Ok(Self {
            urls: urls(from, mode, &tls)?,
            mode,
            sentinel_master: sentinel_master(from, mode)?,
            sentinel_username: not_empty(from.text("redis.sentinel_username")?),
            sentinel_password: not_empty(from.text("redis.sentinel_password")?)
                .map(SecretString::from),
            tls,
            prefix: prefix(from)?,
            connect_timeout: millis(from, "redis.connect_timeout_ms")?,
            answer_timeout: millis(from, "redis.answer_timeout_ms")?,
            pool_size: from.number("redis.pool_size", 1..=256)?,
            pool_wait: millis(from, "redis.pool_wait_ms")?,
            max_waiting: from.number("redis.max_waiting", 1..=1_000_000)?,
            wait_replicas: from.number("redis.wait_replicas", 0..=16)?,
            wait_timeout: millis(from, "redis.wait_timeout_ms")?,
        })
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

fn mode(from: &Layers) -> Result<RedisMode, SettingsError> {
    match from.text("redis.mode")?.as_str() {
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
    let Some(text) = not_empty(from.text(URL)?) else {
        return Ok(Vec::new());
    };
    let urls = match mode {
        RedisMode::Single => vec![text],
        RedisMode::Sentinel | RedisMode::Cluster => each_url(&text),
    };
    // Asked by reference, and errors dropped: they may tell a part of the URL.
    let infos: Option<Vec<ConnectionInfo>> = urls.iter().map(|url| understood(url)).collect();
    let infos = infos.ok_or_else(|| from.invalid(URL, expected_url(mode)))?;
    for info in &infos {
        match info.addr() {
            ConnectionAddr::TcpTls { insecure: true, .. } => {
                let expected = "expected no #insecure: a certificate that is not checked protects \
                                nothing; redis.tls_ca_file names whose signature counts";
                return Err(from.invalid(URL, expected));
            }
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
            // A list where one server is meant; it would be looked up as a name.
            ConnectionAddr::Tcp(host, _) if host.contains(',') => {
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

fn understood(url: &str) -> Option<ConnectionInfo> {
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    match scheme.to_ascii_lowercase().as_str() {
        "redis" | "rediss" | "unix" | "redis+unix" => url.into_connection_info().ok(),
        _ => None,
    }
}

/// The URLs of a list. What is only `host:port` is like the first one otherwise.
fn each_url(text: &str) -> Vec<String> {
    let mut parts = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    let first = parts.next().unwrap_or_default();
    let (before, rest) = first.split_at(first.find("://").map_or(0, |at| at + 3));
    let authority_ends = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, behind) = rest.split_at(authority_ends);
    let credentials = authority.rfind('@').map_or("", |at| &authority[..=at]);
    let others = parts.map(|part| {
        if part.contains("://") {
            part.to_owned()
        } else {
            [before, credentials, part, behind].concat()
        }
    });
    std::iter::once(first.to_owned()).chain(others).collect()
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
