//! What can be set, and where it comes from: the compiled-in `config/default.toml`, then a file,
//! then the environment, each over the one before.
//!
//! All of it is checked before anything is started, and a setting nobody knows is refused like one
//! that is wrong: a misspelled limit that silently keeps its default is found in an outage. No error
//! repeats a value, because a password may stand where it does not belong; only the path of a file
//! that cannot be read is told.
//!
//! Beside `main`, nothing else in this crate reads files or the environment.

mod callers;
mod environment;
mod error;
mod load;
mod log;
mod provenance;
mod redis;
mod secrets;
mod setting_names;
#[cfg(test)]
mod tests;
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
    callers::{
        Admin, Auth, Cors, Credentials, RateLimit, RouteGroups, Tls, TlsFiles, TlsFilesVersion,
    },
    error::{SettingOrigin, SettingsError},
    log::{Log, LogFormat, LoggedRequests, Metrics},
    redis::{ClientCertificate, Redis, RedisMode, RedisTls},
    traces::{IgnoredVariable, Sampling, Traces},
};
use self::{environment::Environment, provenance::Layers};

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

const SHIPPED_CATALOG: &str = include_str!("../config/catalog.toml");

/// All settings, checked: every value is within what `config/default.toml` allows for it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[server]`: sockets, threads, patience with clients.
    pub server: Server,
    /// `[tls]`: absent means plain HTTP.
    pub tls: Option<Tls>,
    /// `[auth]`: who may call.
    pub auth: Auth,
    /// `[admin]`: who may change what is configured.
    pub admin: Admin,
    /// `[cors]`: pages of which other origins may call.
    pub cors: Cors,
    /// `[rate_limit]`: how often.
    pub rate_limit: RateLimit,
    /// `[api]`: where the API leaves a choice.
    pub api: Api,
    /// `[redis]`: the shared store.
    pub redis: Redis,
    /// `[memory]`: the embedded store.
    pub memory: Memory,
    /// `[backend]`: how backends of services are reached.
    pub backend: Backend,
    /// `[catalog]`: the configured services.
    pub catalog: Catalog,
    /// `[phone]`: how phone numbers are read.
    pub phone: Phone,
    /// `[limits]`: what one request or one service may take.
    pub limits: Limits,
    /// `[log]`: what is logged, and how.
    pub log: Log,
    /// `[metrics]`: whether anything is counted.
    pub metrics: Metrics,
    /// `OTEL_...`: absent means that nothing is traced.
    pub traces: Option<Traces>,
    /// `OTEL_...` variables that are not followed.
    pub ignored_variables: Vec<IgnoredVariable>,
    environment: Environment,
}

/// `[server]`
#[derive(Clone, Debug)]
pub struct Server {
    /// `host:port`; the host may be a name, or IPv6 in brackets. Port 0 asks for a free one.
    pub listen: String,
    /// What is served there.
    pub public: RouteGroups,
    /// A second address, at which everything is served.
    pub private_listen: Option<String>,
    /// Who may say in `X-Forwarded-For` whom it speaks for.
    pub trusted_proxies: Vec<IpNet>,
    /// Worker threads, 1 to 256; where the setting is 0, already the number of CPUs.
    pub workers: usize,
    /// How long a client may take for the head of a request; never zero.
    pub request_header_timeout: Duration,
    /// How long a client may pause within a body, or leave an answer unread; never zero.
    pub body_idle_timeout: Duration,
    /// How long a connection may stay open between two requests; zero closes it after each.
    pub keep_alive: Duration,
    /// Connections that one worker serves at a time, at least 1.
    pub connections_per_worker: usize,
    /// How long requests are served on after the process was told to stop; zero is allowed.
    pub drain: Duration,
    /// How long requests under way may go on when the process is to stop; zero is allowed.
    pub shutdown: Duration,
}

/// `[api]`
#[derive(Clone, Debug)]
pub struct Api {
    /// HTTP status for unreadable JSON: 500 or 400.
    pub unreadable_json_status: u16,
}

/// `[memory]`
#[derive(Clone, Debug)]
pub struct Memory {
    /// Bytes the embedded store may hold; the setting `memory.limit_mib` counts in MiB.
    pub limit_bytes: usize,
}

/// `[backend]`
#[derive(Clone, Debug)]
pub struct Backend {
    /// Until a connection stands; never zero.
    pub connect_timeout: Duration,
    /// From then on until the answer is whole; never zero.
    pub response_timeout: Duration,
    /// Backends tried for one request, at least 1.
    pub max_attempts: usize,
    /// Connections to one backend at a time, at least 1.
    pub connections: usize,
    /// Bytes of an answer.
    pub max_response_bytes: usize,
    /// Requests in a row without an answer after which a backend is not asked, at least 1.
    pub circuit_breaker_failures: u32,
    /// For how long it is not asked then; never zero.
    pub circuit_reset_timeout: Duration,
    /// Certificates, in PEM, that are trusted beside those of the system.
    pub ca_certificates: Option<String>,
}

/// `[catalog]`
#[derive(Clone, Debug)]
pub struct Catalog {
    /// Where the configured services are read from; absent means the shipped catalogue.
    pub file: Option<PathBuf>,
    /// How often it is looked at whether operators have changed something; never zero.
    pub poll_interval: Duration,
}

/// `[phone]`
#[derive(Clone, Debug)]
pub struct Phone {
    /// The country of numbers that do not name one.
    pub default_region: Region,
}

/// `[limits]`; every one is at least 1, and the limit itself is still allowed.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of one string value.
    pub string_bytes: usize,
    /// Bytes of one binary value.
    pub binary_bytes: usize,
    /// Bytes of a whole request body.
    pub body_bytes: usize,
    /// Bytes of a JSON or form body.
    pub form_bytes: usize,
    /// Levels of maps and arrays within each other in JSON, 128 at most.
    pub json_depth: usize,
    /// Name/value pairs in one request.
    pub fields: usize,
    /// Keys in one service.
    pub keys: usize,
    /// Bytes that bodies of requests may take in memory, all together.
    pub request_memory_bytes: usize,
    /// Bytes that bodies of responses may take in memory, all together.
    pub response_memory_bytes: usize,
    /// The longest life of a service.
    pub max_ttl: Duration,
}

impl Settings {
    /// The compiled-in defaults, under `file` if there is one, under `environment`.
    ///
    /// Of the environment, usually `std::env::vars_os()`, only names that begin with
    /// `SWITCHBOARD__` count, and those of OpenTelemetry that say where traces go. The catalogue is not looked at: see [`Settings::catalog_text`].
    ///
    /// # Errors
    ///
    /// The first thing found wrong: a file that cannot be read or is no TOML, an unknown name, a
    /// value that is not allowed. The message names the setting and its origin.
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

    /// The variable of the environment that a catalogue names as `${name}`.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name)
    }

    /// The compiled-in defaults alone, whatever the environment.
    ///
    /// # Errors
    ///
    /// None, as long as `config/default.toml` is right, which a test sees to.
    pub fn defaults() -> Result<Self, SettingsError> {
        Self::load(None, std::iter::empty::<(OsString, OsString)>())
    }

    /// The catalogue of configured services as TOML text, and before it where the text came from,
    /// for messages. Reads the file each time.
    ///
    /// # Errors
    ///
    /// [`SettingsError::CatalogFile`] if `catalog.file` is set and cannot be read as text.
    pub fn catalog_text(&self) -> Result<(String, String), SettingsError> {
        let Some(path) = &self.catalog.file else {
            return Ok(("shipped catalogue".to_owned(), SHIPPED_CATALOG.to_owned()));
        };
        let text = fs::read_to_string(path).map_err(|reason| SettingsError::CatalogFile {
            path: path.clone(),
            reason,
        })?;
        Ok((path.display().to_string(), text))
    }
}
