//! Shared fixtures of all tests: a real Redis, the service on a free port, a client.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;
use switchboard::{app, model::Timestamp, settings::Settings, store::WallClock};
use tokio::{sync::oneshot, task::JoinHandle};

pub(crate) use self::{
    catalog::CatalogFile,
    messages::{Bodies, TestResponse},
    multipart::{Multipart, disposition},
    raw_connection::RawConnection,
    servers::{RedisKind, TestRedis, connection_config},
};

pub(crate) mod backends;
pub(crate) mod bookings;
pub(crate) mod browser;
mod catalog;
pub(crate) mod certificate;
pub(crate) mod chat;
pub(crate) mod collector;
pub(crate) mod dedicated_redis;
pub(crate) mod ends;
pub(crate) mod event_stream;
pub(crate) mod identity_provider;
mod messages;
pub(crate) mod metrics;
mod multipart;
pub(crate) mod ports;
pub(crate) mod program;
pub(crate) mod properties;
pub(crate) mod proxy;
mod raw_connection;
pub(crate) mod readiness;
pub(crate) mod round_robin;
pub(crate) mod sentinel;
pub(crate) mod servers;
pub(crate) mod statistics;
pub(crate) mod stores;
pub(crate) mod webhooks;

/// Makes three tests of each listed function: with the service on the embedded store, on Redis, and on a
/// Redis Cluster.
macro_rules! on_every_kind_of_store {
    ($($name:ident),* $(,)?) => {
        mod on_memory {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::support::TestApp::on_memory().await).await;
            })*
        }
        mod on_redis {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::support::TestApp::on_redis().await).await;
            })*
        }
        mod on_cluster {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::support::TestApp::on_cluster().await).await;
            })*
        }
    };
}
pub(crate) use on_every_kind_of_store;

/// Makes a test of each listed function on Redis: for behavior that does not depend on the store.
macro_rules! on_redis_only {
    ($($name:ident),* $(,)?) => {
        mod on_redis {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::support::TestApp::on_redis().await).await;
            })*
        }
    };
}
pub(crate) use on_redis_only;

/// A unique key prefix.
pub(crate) fn random_prefix() -> String {
    format!("t{}:", uuid::Uuid::new_v4().simple())
}

/// The time of this machine; Redis and the embedded store of a test use the same clock.
pub(crate) fn now() -> Timestamp {
    WallClock::default().now()
}

/// Timeout for an expected state on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Polls until there is a result; fails after [`TIMEOUT`].
pub(crate) async fn eventually<T>(what: &str, mut poll: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        if let Some(result) = poll().await {
            return result;
        }
        assert!(Instant::now() < deadline, "timed out: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Prints a duration, for `--nocapture`.
#[expect(clippy::print_stdout, reason = "output for --nocapture")]
pub(crate) fn print_duration(what: &str, duration: Duration) {
    println!("{what}: {duration:.0?}");
}

/// Percent-encodes a name for a path or a form.
pub(crate) fn encode(name: &str) -> String {
    utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()
}

/// Long timeouts of Redis for tests that are not about outages: the machine may be busy.
pub(crate) const LONG_TIMEOUTS: [(&str, &str); 3] = [
    ("redis.connect_timeout_ms", "20000"),
    ("redis.response_timeout_ms", "20000"),
    ("redis.pool_timeout_ms", "20000"),
];

/// The defaults with long timeouts of Redis and these overrides: (`section.key`, value).
pub(crate) fn settings(overrides: &[(&str, &str)]) -> Settings {
    program::install_crypto_provider();
    // Failed matches are frequent in tests.
    let base = [("rate_limit.failed_matches_per_number", "0")];
    let base = base.iter().chain(&LONG_TIMEOUTS);
    let variables = base.chain(overrides).map(|(name, value)| {
        let name = name.replace('.', "__").to_uppercase();
        (format!("SWITCHBOARD__{name}"), (*value).to_owned())
    });
    Settings::load(None, variables).unwrap()
}

/// A running service with a client.
pub(crate) struct TestApp {
    pub(crate) address: SocketAddr,
    pub(crate) private_address: Option<SocketAddr>,
    pub(crate) client: Client,
    pub(crate) prefix: String,
    pub(crate) redis: Option<Arc<TestRedis>>,
    /// The wall clock of the service; a test can change it.
    pub(crate) clock: WallClock,
    stop: Option<oneshot::Sender<()>>,
    server_task: Option<JoinHandle<()>>,
}

impl TestApp {
    pub(crate) async fn on_memory() -> Self {
        Self::start(None, &random_prefix(), &[]).await
    }

    pub(crate) async fn on_redis() -> Self {
        Self::start(Some(TestRedis::shared()), &random_prefix(), &[]).await
    }

    pub(crate) async fn on_cluster() -> Self {
        let redis = TestRedis::shared_kind(RedisKind::Cluster);
        Self::start(Some(redis), &random_prefix(), &[]).await
    }

    /// Another replica: same Redis, same prefix.
    pub(crate) async fn start_replica(&self) -> Self {
        Self::start(self.redis.clone(), &self.prefix, &[]).await
    }

    /// Another service on a store of the same kind, with these overrides of the defaults.
    pub(crate) async fn start_sibling(&self, overrides: &[(&str, &str)]) -> Self {
        Self::start(self.redis.clone(), &random_prefix(), overrides).await
    }

    pub(crate) async fn start(
        redis: Option<Arc<TestRedis>>,
        prefix: &str,
        overrides: &[(&str, &str)],
    ) -> Self {
        Self::start_with(redis, prefix, overrides, |_| ()).await
    }

    /// Starts a service with settings outside of their allowed ranges.
    pub(crate) async fn start_with(
        redis: Option<Arc<TestRedis>>,
        prefix: &str,
        overrides: &[(&str, &str)],
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let redis_settings = redis.as_ref().map(|redis| redis.settings());
        let redis_settings = redis_settings.unwrap_or_default();
        let mut all = vec![
            ("server.listen", "127.0.0.1:0"),
            ("server.workers", "2"),
            ("redis.prefix", prefix),
        ];
        all.extend(
            redis_settings
                .iter()
                .map(|(name, value)| (*name, value.as_str())),
        );
        all.extend_from_slice(overrides);
        let mut settings = settings(&all);
        change(&mut settings);
        let clock = WallClock::default();
        let running = app::start_with_clock(settings, clock.clone())
            .await
            .unwrap();
        let (address, private_address) = (running.address, running.private_address);
        let (stop, stopped) = oneshot::channel();
        let server_task = tokio::spawn(async move {
            running
                .run_until(async { drop(stopped.await) })
                .await
                .unwrap();
        });
        Self {
            address,
            private_address,
            client: Client::new(),
            prefix: prefix.to_owned(),
            redis,
            clock,
            stop: Some(stop),
            server_task: Some(server_task),
        }
    }

    /// Stops the service and waits until it has stopped.
    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        self.server_task.take().unwrap().await.unwrap();
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    pub(crate) fn put(&self, path: &str) -> RequestBuilder {
        self.request(Method::PUT, path)
    }

    pub(crate) fn delete(&self, path: &str) -> RequestBuilder {
        self.request(Method::DELETE, path)
    }

    /// Creates a `store` service with a form body; returns its path.
    pub(crate) async fn create(&self, form: &str) -> String {
        let request = self.post("/genesys/1/service/store").form_body(form);
        let response = TestResponse::send(request).await;
        assert_eq!(response.status, StatusCode::OK, "{}", response.text());
        let id = response.json()["_id"].as_str().unwrap().to_owned();
        format!("/genesys/1/service/{id}")
    }

    /// All strings of a service.
    pub(crate) async fn storage(&self, service: &str) -> Value {
        let response = TestResponse::send(self.get(&format!("{service}/storage"))).await;
        assert_eq!(response.status, StatusCode::OK, "{}", response.text());
        response.json()
    }

    /// The description of a service.
    pub(crate) async fn get_service(&self, service: &str) -> Value {
        let response = TestResponse::send(self.get(service)).await;
        assert_eq!(response.status, StatusCode::OK, "{}", response.text());
        response.json()
    }

    /// The Redis keys of this service that match `pattern` after the prefix; none on the embedded store.
    pub(crate) async fn redis_keys(&self, pattern: &str) -> Vec<String> {
        let Some(redis) = &self.redis else {
            return Vec::new();
        };
        let mut keys = redis.keys(&format!("{}{pattern}", self.prefix)).await;
        keys.retain(|key| !is_persistent_key(&self.prefix, key));
        keys
    }
}

/// Whether a key exists independently of services: keys of resource groups, the cleanup lease, the stored
/// catalog, the list of active services in the console (swept later), and keys that exist for milliseconds to
/// probe keyspace notifications.
pub(crate) fn is_persistent_key(prefix: &str, key: &str) -> bool {
    let rest = key.strip_prefix(prefix).unwrap_or_default();
    let has_prefix = |prefix: &&str| rest.starts_with(*prefix);
    rest == "lease:cleanup"
        || [
            "grp:",
            "end:",
            "probe:",
            "{catalog}:",
            "{chats}:",
            "{matches}:",
            "webhook:",
            "{webhooks}:",
        ]
        .iter()
        .any(has_prefix)
}
