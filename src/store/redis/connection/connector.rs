//! Opens connections to servers by address, all with the same credentials, certificates and timeouts.

use std::{io, time::Duration};

use deadpool_redis::{Manager, Pool, Runtime};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo,
    RedisConnectionInfo, RedisError, RedisResult,
    aio::{MultiplexedConnection, PubSub},
};
use secrecy::{ExposeSecret, SecretString};

use super::{
    clock::measure,
    driver::DrivenConnection,
    errors::{invalid_url, store_error},
    server_mode::{ServerMode, finding_of},
};
use crate::{
    model::{StoreError, readiness::Finding},
    settings::{self, RedisMode},
    store::{clock::AnchoredClock, redis::scripts},
    telemetry::metrics::RedisMetrics,
};

/// Opens connections to the servers of this Redis.
#[derive(Clone)]
pub(super) struct Connector {
    /// The first address of the URL, with the settings that all servers share.
    base: ConnectionInfo,
    mode: RedisMode,
    connect_timeout: Duration,
    response_timeout: Duration,
    pool_size: usize,
    pool_wait: Duration,
    replicas: Option<(usize, Duration)>,
    /// Counts the connections.
    pub(super) metrics: RedisMetrics,
}

impl Connector {
    /// # Errors
    /// [`StoreError::Bug`] if the URL or the certificates are invalid.
    pub(super) fn new(
        settings: &settings::Redis,
        metrics: &RedisMetrics,
    ) -> Result<Self, StoreError> {
        let url = settings.urls.first();
        let url = url.ok_or_else(|| StoreError::Bug("redis.url is not set".to_owned()))?;
        let mut base = url
            .expose_secret()
            .into_connection_info()
            .map_err(|error| invalid_url(&error))?;
        if matches!(
            base.addr(),
            ConnectionAddr::TcpTls {
                insecure: false,
                ..
            }
        ) {
            let client = Client::build_with_tls(base, settings.certificates());
            let client = client.map_err(|error| invalid_url(&error))?;
            base = client.get_connection_info().clone();
        }
        // The settings reject them in combination with credentials in the URL.
        let redis_settings = base.redis_settings().clone();
        let redis_settings = with_credentials(
            redis_settings,
            settings.username.as_ref(),
            settings.password.as_ref(),
        );
        let base = base.set_redis_settings(redis_settings);
        Ok(Self {
            base,
            mode: settings.mode,
            connect_timeout: settings.connect_timeout,
            response_timeout: settings.response_timeout,
            pool_size: settings.pool_size,
            pool_wait: settings.pool_wait_timeout,
            replicas: (settings.wait_replicas > 0)
                .then_some((settings.wait_replicas, settings.wait_timeout)),
            metrics: metrics.clone(),
        })
    }

    /// Returns a connector with the credentials of the sentinels and without a database.
    pub(super) fn for_sentinels(&self, settings: &settings::Redis) -> Self {
        let redis_settings = with_credentials(
            RedisConnectionInfo::default(),
            settings.sentinel_username.as_ref(),
            settings.sentinel_password.as_ref(),
        );
        Self {
            base: self.base.clone().set_redis_settings(redis_settings),
            ..self.clone()
        }
    }

    /// Returns the first address of the URL.
    pub(super) fn first_address(&self) -> &ConnectionAddr {
        self.base.addr()
    }

    /// Builds an address with or without TLS like the first one.
    pub(super) fn address(&self, host: &str, port: u16) -> ConnectionAddr {
        match self.base.addr() {
            ConnectionAddr::TcpTls {
                insecure,
                tls_params,
                ..
            } => ConnectionAddr::TcpTls {
                host: host.to_owned(),
                port,
                insecure: *insecure,
                tls_params: tls_params.clone(),
            },
            _ => ConnectionAddr::Tcp(host.to_owned(), port),
        }
    }

    /// Returns the database number of the URL.
    pub(super) fn database(&self) -> i64 {
        self.base.redis_settings().db()
    }

    /// Returns the timeout of opening a connection.
    pub(super) fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// Returns the number of replicas that must acknowledge a change, and the timeout.
    pub(super) fn wait_replicas(&self) -> Option<(usize, Duration)> {
        self.replicas
    }

    fn config(&self) -> AsyncConnectionConfig {
        AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(Some(self.response_timeout))
    }

    fn client(&self, to: &ConnectionAddr) -> RedisResult<Client> {
        Client::open(self.base.clone().set_addr(to.clone()))
    }

    /// Opens a plain connection, within the connect timeout.
    pub(super) async fn open(&self, to: &ConnectionAddr) -> RedisResult<MultiplexedConnection> {
        let (client, config) = (self.client(to)?, self.config());
        let opened = client.get_multiplexed_async_connection_with_config(&config);
        with_timeout(self.connect_timeout, opened).await
    }

    /// Opens a connection for commands: the server has responded, all scripts are loaded, and its mode
    /// matches `redis.mode`; with sentinels it is a primary. Also returns the time of the server.
    ///
    /// # Errors
    /// The reason why the server cannot be used.
    pub(super) async fn connect(
        &self,
        to: &ConnectionAddr,
    ) -> Result<(DrivenConnection, (AnchoredClock, Duration)), Finding> {
        let connected = async {
            let client = self.client(to)?;
            let mut driven = DrivenConnection::open(&client, &self.config()).await?;
            if self.mode == RedisMode::Sentinel {
                require_primary(&mut driven.connection).await?;
            }
            if self.mode == RedisMode::Single {
                let mode = ServerMode::detect(&mut driven.connection).await;
                if let Some(mismatch) = mode.and_then(|mode| mode.mismatch(self.mode)) {
                    return Ok(Err(mismatch));
                }
            }
            load_scripts(&mut driven.connection).await?;
            let time = measure(&mut driven.connection).await?;
            Ok(Ok((driven, time)))
        };
        match with_timeout(self.connect_timeout, connected).await {
            Ok(connected) => connected,
            Err(error) => Err(self.diagnose_refusal(to, &error).await),
        }
    }

    /// Determines why a server rejected a connection: a server in another mode may also reject the
    /// database or the credentials.
    async fn diagnose_refusal(&self, to: &ConnectionAddr, error: &RedisError) -> Finding {
        let is_response = !matches!(error.kind(), ErrorKind::Io | ErrorKind::Parse);
        if self.mode == RedisMode::Single && is_response {
            let bare = Self {
                base: self
                    .base
                    .clone()
                    .set_redis_settings(RedisConnectionInfo::default()),
                ..self.clone()
            };
            let detected = async {
                let mut connection = bare.open(to).await.ok()?;
                ServerMode::detect(&mut connection).await
            };
            let mode = tokio::time::timeout(self.connect_timeout, detected).await;
            if let Some(mismatch) = mode
                .ok()
                .flatten()
                .and_then(|mode| mode.mismatch(self.mode))
            {
                return mismatch;
            }
        }
        finding_of(error)
    }

    /// Creates a pool whose connections run on the current runtime.
    pub(super) fn pool(&self, to: &ConnectionAddr) -> Result<Pool, StoreError> {
        let info = self.base.clone().set_addr(to.clone());
        let manager =
            Manager::new_with_config(info, self.config()).map_err(|error| invalid_url(&error))?;
        Pool::builder(manager)
            .max_size(self.pool_size)
            .wait_timeout(Some(self.pool_wait))
            .create_timeout(Some(self.connect_timeout))
            .recycle_timeout(Some(self.response_timeout))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| StoreError::Bug(error.to_string()))
    }

    /// Opens a connection for subscriptions.
    pub(super) async fn subscriber(&self, to: &ConnectionAddr) -> Result<PubSub, StoreError> {
        let client = self.client(to).map_err(|error| invalid_url(&error))?;
        let subscriber = with_timeout(self.connect_timeout, client.get_async_pubsub());
        subscriber.await.map_err(|error| store_error(&error))
    }

    /// Waits for a response on a connection that has no timeout of its own.
    pub(super) async fn with_response_timeout<T>(
        &self,
        response: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, StoreError> {
        let response = with_timeout(self.response_timeout, response).await;
        response.map_err(|error| store_error(&error))
    }
}

fn with_credentials(
    mut redis_settings: RedisConnectionInfo,
    username: Option<&String>,
    password: Option<&SecretString>,
) -> RedisConnectionInfo {
    if let Some(username) = username {
        redis_settings = redis_settings.set_username(username);
    }
    if let Some(password) = password {
        redis_settings = redis_settings.set_password(password.expose_secret());
    }
    redis_settings
}

/// Loads all scripts. Redis loses them when it restarts.
pub(super) async fn load_scripts(connection: &mut MultiplexedConnection) -> RedisResult<()> {
    let mut load = redis::pipe();
    for script in scripts::all() {
        load.cmd("SCRIPT").arg("LOAD").arg(script.code()).ignore();
    }
    load.query_async(connection).await
}

/// Sentinels may still return a server that has been demoted.
async fn require_primary(connection: &mut MultiplexedConnection) -> RedisResult<()> {
    let role: Vec<redis::Value> = redis::cmd("ROLE").query_async(connection).await?;
    let role = role.first().map(redis::from_redis_value_ref::<String>);
    match role.transpose()?.as_deref() {
        Some("master") => Ok(()),
        _ => Err(RedisError::from((
            ErrorKind::Client,
            "the server is not a primary",
        ))),
    }
}

async fn with_timeout<T>(
    duration: Duration,
    response: impl Future<Output = RedisResult<T>>,
) -> RedisResult<T> {
    let response = tokio::time::timeout(duration, response).await;
    response.map_err(|_elapsed| io::Error::from(io::ErrorKind::TimedOut))?
}
