//! The settings: the compiled-in `config/default.toml`, then a settings file, then the environment;
//! later layers override earlier ones.
//!
//! All settings are validated before anything starts. An unknown setting is an error like an invalid
//! one: otherwise a misspelled limit would silently have its default. Errors contain the value, except
//! for secrets and for text that may be a misplaced one (`settings/secrets.rs`).
//!
//! Except for `main`, no other module reads files or the environment.

mod admin;
mod agents;
mod api;
mod auth;
mod backend;
mod catalog;
mod comet;
mod cors;
mod environment;
mod error;
mod files;
mod layers;
mod limits;
mod log;
mod memory;
mod metrics;
mod operators;
mod pem;
mod phone;
mod rate_limit;
mod redis;
mod route_groups;
mod secrets;
mod server;
mod setting_names;
mod single_sign_on;
mod storage;
#[cfg(test)]
mod tests;
mod tls;
mod traces;
mod users;
mod values;
mod webhooks;

use std::{collections::BTreeSet, ffi::OsString, path::Path};

use serde::Deserialize;

pub use self::{
    admin::Admin,
    agents::Agents,
    api::Api,
    auth::{Auth, Credentials},
    backend::Backend,
    catalog::Catalog,
    comet::Comet,
    cors::Cors,
    error::SettingsError,
    limits::Limits,
    log::{Log, LogFormat, LoggedRequests},
    memory::Memory,
    metrics::Metrics,
    operators::{OperatorCredential, Operators},
    phone::Phone,
    rate_limit::RateLimit,
    redis::{Redis, RedisMode},
    route_groups::RouteGroups,
    server::Server,
    single_sign_on::SingleSignOn,
    storage::{CustomIds, Storage},
    tls::{Tls, TlsFiles, TlsFilesVersion},
    traces::{IgnoredVariable, Propagator, Traces},
    users::{MAX_USER_NAME_CHARACTERS, User, is_user_name, is_visible_name},
    webhooks::Webhooks,
};
use self::{environment::Environment, error::Contradiction, layers::Layers};

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// All settings, validated: every value is in the range of `config/default.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `[server]`: sockets, threads, timeouts of client connections.
    pub server: Server,
    /// `[tls]`: `None` means plain HTTP.
    pub tls: Option<Tls>,
    /// `[auth]`: authentication of clients.
    pub auth: Auth,
    /// `[admin]`: the password of the admin API and the console.
    pub admin: Admin,
    /// `[operators]`: users of the admin API and the console.
    pub operators: Operators,
    /// `[single_sign_on]`: sign-in to the console by `OpenID` Connect.
    pub single_sign_on: SingleSignOn,
    /// `[agents]`: agents of chats.
    pub agents: Agents,
    /// `[cors]`: cross-origin requests.
    pub cors: Cors,
    /// `[rate_limit]`: rate limits.
    pub rate_limit: RateLimit,
    /// `[api]`: variants of the API's behavior.
    pub api: Api,
    /// `[storage]`: the Storage API.
    pub storage: Storage,
    /// `[redis]`: the shared store.
    pub redis: Redis,
    /// `[memory]`: the embedded store.
    pub memory: Memory,
    /// `[comet]`: push by `CometD`.
    pub comet: Comet,
    /// `[backend]`: connections to the backends of services.
    pub backend: Backend,
    /// `[webhooks]`: delivery of events to webhooks.
    pub webhooks: Webhooks,
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
    #[serde(skip)]
    pub traces: Option<Traces>,
    /// `OTEL_PROPAGATORS`: the formats of the trace context in headers.
    #[serde(skip)]
    pub propagators: Vec<Propagator>,
    /// `OTEL_...` variables that are ignored.
    #[serde(skip)]
    pub ignored_variables: Vec<IgnoredVariable>,
    #[serde(skip)]
    environment: Environment,
}

impl Settings {
    /// Loads the compiled-in defaults, overridden by `file` if there is one, overridden by
    /// `environment`.
    ///
    /// Of the environment, usually `std::env::vars_os()`, only names that begin with
    /// `SWITCHBOARD__` and the variables of OpenTelemetry are used. The catalog is not read: see
    /// [`Catalog::text`].
    ///
    /// # Errors
    ///
    /// The first error found: an unreadable file, invalid TOML, an unknown name, an invalid value.
    /// The message has the name of the setting, its origin, its value and what is allowed.
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
        let layers = Layers::load(file, &environment)?;
        let mut settings: Self = layers.deserialize()?;
        settings
            .validate()
            .map_err(|(setting, expected)| layers.invalid(setting, expected))?;
        settings.environment = Environment::new(environment)?;
        (
            settings.traces,
            settings.propagators,
            settings.ignored_variables,
        ) = traces::from_environment(&settings.environment);
        Ok(settings)
    }

    /// Checks the settings that depend on each other.
    fn validate(&mut self) -> Result<(), Contradiction> {
        self.tls = self.tls.take().map_or(Ok(None), Tls::enabled)?;
        self.agents.validate()?;
        self.validate_operators()?;
        self.single_sign_on.validate()?;
        self.redis.validate()
    }

    /// Checks that no operator has the name of another user of the console, whose rights it would share.
    fn validate_operators(&self) -> Result<(), Contradiction> {
        let password = self.admin.password.as_ref();
        let admin = password.and(self.admin.username.as_ref());
        let agents = self.agents.users.iter().map(|user| &user.name);
        let programs = self.agents.api_keys.iter().map(|user| &user.name);
        let others: BTreeSet<&String> = agents.chain(programs).chain(admin).collect();
        let mut names = self.operators.users.iter().map(|user| &user.name);
        if names.any(|name| others.contains(name)) {
            return Err((
                "operators.users",
                "expected names other than `admin.username`, whose password is `admin.password`, and those of \
                 `agents.users` and `agents.api_keys`",
            ));
        }
        Ok(())
    }

    /// Whether the admin API and the console are enabled: any user can sign in.
    #[must_use]
    pub fn is_admin_enabled(&self) -> bool {
        let has_users = !self.operators.users.is_empty() || self.single_sign_on.is_enabled();
        self.admin.password.is_some() || has_users
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
}
