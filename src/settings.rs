//! The settings: the compiled-in `config/default.toml`, then a settings file, then the environment;
//! later layers override earlier ones.
//!
//! All settings are validated before anything starts. An unknown setting is an error like an invalid
//! one: otherwise a misspelled limit would silently have its default. No error contains a value,
//! because it may be a misplaced password; only the paths of unreadable files are printed.
//!
//! Except for `main`, no other module reads files or the environment.

mod auth;
mod cors;
mod environment;
mod error;
mod load;
mod log;
mod provenance;
mod rate_limit;
mod redis;
mod route_groups;
mod secrets;
mod setting_names;
#[cfg(test)]
mod tests;
mod tls;
mod traces;

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use ipnet::IpNet;
use rlibphonenumber::Region;

pub use self::{
    auth::{Admin, Auth, Credentials},
    cors::Cors,
    error::{SettingOrigin, SettingsError},
    log::{Log, LogFormat, LoggedRequests, Metrics},
    rate_limit::RateLimit,
    redis::{ClientCertificate, Redis, RedisMode, RedisTls},
    route_groups::RouteGroups,
    tls::{Tls, TlsFiles, TlsFilesVersion},
    traces::{IgnoredVariable, Sampling, Traces},
};
use self::{environment::Environment, provenance::Layers};

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

const SHIPPED_CATALOG: &str = include_str!("../config/catalog.toml");

/// All settings, validated: every value is in the range of `config/default.toml`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[server]`: sockets, threads, timeouts of client connections.
    pub server: Server,
    /// `[tls]`: `None` means plain HTTP.
    pub tls: Option<Tls>,
    /// `[auth]`: authentication of clients.
    pub auth: Auth,
    /// `[admin]`: authentication of operators.
    pub admin: Admin,
    /// `[cors]`: cross-origin requests.
    pub cors: Cors,
    /// `[rate_limit]`: rate limits.
    pub rate_limit: RateLimit,
    /// `[api]`: variants of the API's behavior.
    pub api: Api,
    /// `[redis]`: the shared store.
    pub redis: Redis,
    /// `[memory]`: the embedded store.
    pub memory: Memory,
    /// `[backend]`: connections to the backends of services.
    pub backend: Backend,
    /// `[catalog]`: the configured services.
    pub catalog: Catalog,
    /// `[phone]`: parsing of phone numbers.
    pub phone: Phone,
    /// `[limits]`: maximum sizes of requests and services.
    pub limits: Limits,
    /// `[log]`: content and format of the log.
    pub log: Log,
    /// `[metrics]`: whether metrics are enabled.
    pub metrics: Metrics,
    /// `OTEL_...`: `None` disables tracing.
    pub traces: Option<Traces>,
    /// `OTEL_...` variables that are ignored.
    pub ignored_variables: Vec<IgnoredVariable>,
    environment: Environment,
}

/// `[server]`
#[derive(Clone, Debug)]
pub struct Server {
    /// `host:port`; the host is a name, an IPv4 address, or IPv6 in brackets. Port 0 binds a free one.
    pub listen: String,
    /// The route groups of `listen`.
    pub public: RouteGroups,
    /// A second address, which serves all route groups.
    pub private_listen: Option<String>,
    /// Proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<IpNet>,
    /// Worker threads, 1 to 256; 0 in the setting is replaced by the number of CPUs.
    pub workers: usize,
    /// Timeout for the head of a request; never zero.
    pub request_header_timeout: Duration,
    /// Timeout for a pause in a request body or in reading a response; never zero.
    pub body_idle_timeout: Duration,
    /// Timeout of an idle connection between two requests; zero closes it after each.
    pub keep_alive: Duration,
    /// Maximum number of connections of one worker, at least 1.
    pub connections_per_worker: usize,
    /// Time after SIGTERM in which new requests are still served; may be zero.
    pub drain: Duration,
    /// Time after `drain` for requests in flight to finish; may be zero.
    pub shutdown: Duration,
}

/// `[api]`
#[derive(Clone, Debug)]
pub struct Api {
    /// HTTP status for malformed JSON: 500 or 400.
    pub unreadable_json_status: u16,
}

/// `[memory]`
#[derive(Clone, Debug)]
pub struct Memory {
    /// Maximum size of the embedded store; the setting `memory.limit_mib` is in MiB.
    pub limit_bytes: usize,
}

/// `[backend]`
#[derive(Clone, Debug)]
pub struct Backend {
    /// Timeout for opening a connection; never zero.
    pub connect_timeout: Duration,
    /// Timeout from then until the response is complete; never zero.
    pub response_timeout: Duration,
    /// Maximum number of backends tried for one request, at least 1.
    pub max_attempts: usize,
    /// Maximum number of connections to one backend, at least 1.
    pub connections: usize,
    /// Maximum size of a response.
    pub max_response_bytes: usize,
    /// Consecutive failures after which the circuit breaker opens, at least 1.
    pub circuit_breaker_failures: u32,
    /// Time until an open circuit breaker allows a request again; never zero.
    pub circuit_reset_timeout: Duration,
    /// Trusted certificates, in PEM, in addition to those of the system.
    pub ca_certificates: Option<String>,
}

/// `[catalog]`
#[derive(Clone, Debug)]
pub struct Catalog {
    /// The catalog file; `None` means the shipped catalog.
    pub file: Option<PathBuf>,
    /// Interval of polling the store for changes by operators; never zero.
    pub poll_interval: Duration,
}

/// `[phone]`
#[derive(Clone, Debug)]
pub struct Phone {
    /// The country of numbers without a country code.
    pub default_region: Region,
}

/// `[limits]`; each is at least 1 and inclusive.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of one string value.
    pub string_bytes: usize,
    /// Bytes of one binary.
    pub binary_bytes: usize,
    /// Bytes of a request body.
    pub body_bytes: usize,
    /// Bytes of a JSON or form body.
    pub form_bytes: usize,
    /// Nesting depth of maps and arrays in JSON, at most 128.
    pub json_depth: usize,
    /// Fields of one request.
    pub fields: usize,
    /// Keys in one service.
    pub keys: usize,
    /// Total bytes of request bodies in memory.
    pub request_memory_bytes: usize,
    /// Total bytes of response bodies in memory.
    pub response_memory_bytes: usize,
    /// The longest TTL of a service.
    pub max_ttl: Duration,
}

impl Settings {
    /// Loads the compiled-in defaults, overridden by `file` if there is one, overridden by
    /// `environment`.
    ///
    /// Of the environment, usually `std::env::vars_os()`, only names that begin with
    /// `SWITCHBOARD__` and the variables of OpenTelemetry are used. The catalog is not read: see
    /// [`Settings::catalog_text`].
    ///
    /// # Errors
    ///
    /// The first error found: an unreadable file, invalid TOML, an unknown name, an invalid value.
    /// The message has the name of the setting and its origin.
    pub fn load<K, V>(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, SettingsError>
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let environment: Vec<(OsString, OsString)> = environment
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let mut settings = Self::from_layers(&Layers::load(file, environment.iter().cloned())?)?;
        settings.environment = Environment::from_variables(environment.into_iter())?;
        (settings.traces, settings.ignored_variables) =
            traces::from_environment(&settings.environment);
        Ok(settings)
    }

    /// The environment variable that a catalog refers to as `${name}`.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name)
    }

    /// The compiled-in defaults, independent of the environment.
    ///
    /// # Errors
    ///
    /// None if `config/default.toml` is valid, which a test checks.
    pub fn defaults() -> Result<Self, SettingsError> {
        Self::load(None, std::iter::empty::<(OsString, OsString)>())
    }

    /// The origin (for messages) and the TOML text of the catalog. Reads the file each time.
    ///
    /// # Errors
    ///
    /// [`SettingsError::CatalogFile`] if `catalog.file` is set and cannot be read as text.
    pub fn catalog_text(&self) -> Result<(String, String), SettingsError> {
        let Some(path) = &self.catalog.file else {
            return Ok(("shipped catalog".to_owned(), SHIPPED_CATALOG.to_owned()));
        };
        let text = fs::read_to_string(path).map_err(|reason| SettingsError::CatalogFile {
            path: path.clone(),
            reason,
        })?;
        Ok((path.display().to_string(), text))
    }
}
