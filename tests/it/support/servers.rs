//! Real Redis servers: one, one behind sentinels, or a Cluster.

use std::{
    collections::HashMap,
    panic,
    process::Command,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use redis::{AsyncConnectionConfig, Client, ConnectionAddr, aio::MultiplexedConnection, cmd};
use redis_test::{
    cluster::{RedisCluster, RedisClusterConfiguration},
    sentinel::RedisSentinelCluster,
    server::RedisServer,
};

use super::{TIMEOUT, eventually, ports::free_port};

/// The kind of a Redis deployment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum RedisKind {
    Single,
    Sentinel,
    Cluster,
}

enum Servers {
    Single(RedisServer),
    Sentinel(RedisSentinelCluster),
    Cluster(RedisCluster),
}

/// A Redis for tests; stops when the last test drops it.
pub(crate) struct TestRedis {
    servers: Servers,
}

impl TestRedis {
    /// One server that all running tests share.
    pub(crate) fn shared() -> Arc<Self> {
        Self::shared_kind(RedisKind::Single)
    }

    /// The same of another kind.
    pub(crate) fn shared_kind(kind: RedisKind) -> Arc<Self> {
        static SHARED: [Mutex<Weak<TestRedis>>; 3] = [const { Mutex::new(Weak::new()) }; 3];
        let shared = &SHARED[kind as usize];
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let redis = Arc::new(Self::dedicated_kind(kind));
            *shared = Arc::downgrade(&redis);
            redis
        })
    }

    /// One server of a single test, which can count commands or break it.
    pub(crate) fn dedicated() -> Self {
        Self::dedicated_kind(RedisKind::Single)
    }

    /// A Cluster of three primaries with a replica each.
    pub(crate) fn cluster_with_replicas() -> Self {
        let six = RedisClusterConfiguration {
            ports: (0..6).map(|_| free_port()).collect(),
            ..RedisClusterConfiguration::single_replica_config()
        };
        Self::new(Servers::Cluster(RedisCluster::new(six)))
    }

    /// A primary with two replicas and three sentinels that have discovered all of them. They detect the
    /// failure of the primary after a second, and repeat a split vote soon (by default after six minutes).
    pub(crate) async fn sentinels_with_replicas() -> Self {
        let redis = Self::new(Servers::Sentinel(start_sentinels(2, 3)));
        if let Servers::Sentinel(all) = &redis.servers {
            for sentinel in &all.sentinel_servers {
                let mut connection = connection_to(&sentinel.addr).await;
                let mut set = cmd("SENTINEL");
                set.arg("SET").arg("master0").arg("quorum").arg(2);
                set.arg("down-after-milliseconds").arg(1_000);
                set.arg("failover-timeout").arg(3_000);
                set.exec_async(&mut connection).await.unwrap();
                eventually("the sentinel has discovered the others", async || {
                    let mut query = cmd("SENTINEL");
                    query.arg("MASTER").arg("master0");
                    let state: HashMap<String, String> =
                        query.query_async(&mut connection).await.unwrap();
                    let is_two = |name: &str| state.get(name).is_some_and(|count| count == "2");
                    (is_two("num-slaves") && is_two("num-other-sentinels")).then_some(())
                })
                .await;
            }
        }
        redis
    }

    /// Kills the server on `port`, like a machine failure.
    pub(crate) fn kill(&self, port: u16) {
        let servers = match &self.servers {
            Servers::Single(server) => std::slice::from_ref(server),
            Servers::Sentinel(all) => &all.servers,
            Servers::Cluster(all) => &all.servers,
        };
        let has_port =
            |server: &&RedisServer| server.host_and_port().is_some_and(|(_, at)| at == port);
        let server = servers.iter().find(has_port).unwrap();
        let line = format!("kill -KILL {}", server.process.id());
        let sent = Command::new("sh").args(["-c", &line]).status().unwrap();
        assert!(sent.success());
    }

    /// An existing server.
    pub(crate) fn single(server: RedisServer) -> Self {
        Self {
            servers: Servers::Single(server),
        }
    }

    fn new(servers: Servers) -> Self {
        let redis = Self { servers };
        for address in redis.all_addresses() {
            wait_until_ready(&address);
        }
        redis
    }

    /// The same of another kind. A Cluster has three primaries without replicas; behind sentinels there is
    /// a primary with one replica.
    pub(crate) fn dedicated_kind(kind: RedisKind) -> Self {
        let servers = match kind {
            RedisKind::Single => {
                let address = RedisServer::get_addr(free_port());
                Servers::Single(RedisServer::new_with_addr_and_modules(address, &[], false))
            }
            RedisKind::Sentinel => Servers::Sentinel(start_sentinels(1, 1)),
            RedisKind::Cluster => Servers::Cluster(RedisCluster::new(RedisClusterConfiguration {
                ports: (0..3).map(|_| free_port()).collect(),
                ..RedisClusterConfiguration::default()
            })),
        };
        Self::new(servers)
    }

    /// Addresses of the data servers.
    pub(crate) fn addresses(&self) -> Vec<ConnectionAddr> {
        match &self.servers {
            Servers::Single(server) => vec![server.addr.clone()],
            Servers::Sentinel(all) => vec![all.servers[0].addr.clone()],
            Servers::Cluster(all) => all
                .servers
                .iter()
                .map(|server| server.addr.clone())
                .collect(),
        }
    }

    /// The same, and those of the sentinels.
    fn all_addresses(&self) -> Vec<ConnectionAddr> {
        let mut all = self.addresses();
        if let Servers::Sentinel(servers) = &self.servers {
            let sentinels = servers.sentinel_servers.iter();
            all.extend(sentinels.map(|server| server.addr.clone()));
        }
        all
    }

    /// The URL of the first server.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.addresses()[0])
    }

    /// The settings of a service on this Redis.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        let list = |servers: &[RedisServer]| {
            let addresses = servers.iter().map(|server| server.addr.to_string());
            format!("redis://{}", addresses.collect::<Vec<_>>().join(","))
        };
        match &self.servers {
            Servers::Single(_) => vec![("redis.url", self.url())],
            Servers::Sentinel(all) => vec![
                ("redis.url", list(&all.sentinel_servers)),
                ("redis.mode", "sentinel".to_owned()),
                ("redis.sentinel_master", "master0".to_owned()),
            ],
            Servers::Cluster(all) => vec![
                ("redis.url", list(&all.servers[..2])),
                ("redis.mode", "cluster".to_owned()),
            ],
        }
    }

    /// A connection to the first server.
    pub(crate) async fn connection(&self) -> MultiplexedConnection {
        connection_to(&self.addresses()[0]).await
    }

    /// A connection to one of the servers.
    pub(crate) async fn connection_to(&self, address: &ConnectionAddr) -> MultiplexedConnection {
        connection_to(address).await
    }

    /// All keys that match `pattern`, on all servers.
    pub(crate) async fn keys(&self, pattern: &str) -> Vec<String> {
        let mut keys = Vec::new();
        for mut connection in self.connections().await {
            let all = cmd("KEYS").arg(pattern).to_owned();
            let found: Vec<String> = all.query_async(&mut connection).await.unwrap();
            keys.extend(found);
        }
        keys
    }

    /// One connection to each data server.
    pub(crate) async fn connections(&self) -> Vec<MultiplexedConnection> {
        let mut connections = Vec::new();
        for address in self.addresses() {
            connections.push(connection_to(&address).await);
        }
        connections
    }
}

/// Long timeouts for connections of tests: the default is short for a machine that runs other tests.
pub(crate) fn connection_config() -> AsyncConnectionConfig {
    let config = AsyncConnectionConfig::new().set_connection_timeout(Some(TIMEOUT));
    config.set_response_timeout(Some(TIMEOUT))
}

async fn connection_to(address: &ConnectionAddr) -> MultiplexedConnection {
    let client = Client::open(address.clone()).unwrap();
    let config = connection_config();
    let connection = client.get_multiplexed_async_connection_with_config(&config);
    connection.await.unwrap()
}

/// A primary with its replicas and sentinels. The library chooses their ports, which others can take before they listen,
/// and waits for the primary for three seconds only: after a failure it starts others.
fn start_sentinels(replicas: u16, sentinels: u16) -> RedisSentinelCluster {
    let start = move || RedisSentinelCluster::new(1, replicas, sentinels);
    let mut attempts = (0..2).filter_map(|_| panic::catch_unwind(start).ok());
    attempts.next().unwrap_or_else(start)
}

/// Waits for the first response, after the server has opened its port.
#[expect(
    clippy::disallowed_methods,
    reason = "the tests that need this server wait for it"
)]
fn wait_until_ready(address: &ConnectionAddr) {
    let client = Client::open(address.clone()).unwrap();
    let started = Instant::now();
    while client.get_connection().is_err() {
        assert!(started.elapsed() < TIMEOUT, "redis-server does not start");
        std::thread::sleep(Duration::from_millis(5));
    }
}
