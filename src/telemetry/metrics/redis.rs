//! Metrics of the connections to Redis, and the results of the checks of its servers.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use prometheus_client::{
    collector::Collector,
    encoding::DescriptorEncoder,
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

use super::scrape;
use crate::model::{CheckResult, CheckRow};

/// Returns the number of idle and busy connections of a pool, and `None` if the pool no longer exists.
pub type PoolStats = Box<dyn Fn() -> Option<(usize, usize)> + Send>;
/// The last definite result of each check of each server, by check and server.
type CheckResults = BTreeMap<&'static str, BTreeMap<String, CheckRow>>;

/// Connections to Redis, and checks of its servers.
#[derive(Debug, Clone, Default)]
pub struct RedisMetrics {
    /// Open multiplexed connections.
    pub connections: Gauge,
    /// Multiplexed connections that were lost.
    pub disconnects: Counter,
    servers: Arc<Servers>,
}

#[derive(Default)]
struct Servers {
    pools: Mutex<Vec<PoolStats>>,
    checks: Mutex<CheckResults>,
}

impl RedisMetrics {
    /// Exports the connections of a pool for as long as the pool exists.
    pub fn register_pool(&self, pool: PoolStats) {
        let mut pools = lock(&self.servers.pools);
        pools.retain(|pool| pool().is_some());
        pools.push(pool);
    }

    /// Records the result of a check of one server. An unknown result means that Redis denies the command: then no result
    /// is exported for the server.
    pub fn record_check(&self, row: &CheckRow) {
        let mut results = lock(&self.servers.checks);
        let servers = results.entry(row.check).or_default();
        if row.result == CheckResult::Unknown {
            servers.remove(&row.server);
        } else {
            servers.insert(row.server.clone(), row.clone());
        }
    }

    /// The checks that failed last, by check and server.
    #[must_use]
    pub fn failed_checks(&self) -> Vec<CheckRow> {
        let results = lock(&self.servers.checks);
        let rows = results.values().flat_map(BTreeMap::values);
        let failed = rows.filter(|row| row.result == CheckResult::Fail);
        failed.cloned().collect()
    }

    /// Removes the results of all other servers.
    pub fn retain_servers(&self, current: &[String]) {
        for servers in lock(&self.servers.checks).values_mut() {
            servers.retain(|server, _| current.contains(server));
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Open multiplexed connections to Redis";
        registry.register("redis_connections", help, self.connections.clone());
        let help = "Multiplexed connections to Redis that were lost";
        registry.register("redis_disconnects", help, self.disconnects.clone());
        registry.register_collector(Box::new(Arc::clone(&self.servers)));
    }
}

impl Collector for Servers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let pools = lock(&self.pools);
        let (idle, busy) = pools
            .iter()
            .filter_map(|pool| pool())
            .fold((0, 0), |sum, pool| (sum.0 + pool.0, sum.1 + pool.1));
        drop(pools);
        let states = [([("state", "idle")], idle), ([("state", "busy")], busy)];
        let help = "Pooled connections to Redis, by state.";
        scrape::gauges(&mut encoder, "redis_pool_connections", help, states)?;

        let results = lock(&self.checks);
        let results = results.iter().filter(|(_, servers)| !servers.is_empty());
        let results = results.map(|(check, servers)| {
            let passed = servers.values().all(|row| row.result == CheckResult::Pass);
            ([("check", *check)], u32::from(passed))
        });
        let help = "1 if all Redis servers pass the check, else 0; absent if Redis denies the command of the \
                    check.";
        scrape::gauges(&mut encoder, "redis_check", help, results)
    }
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Servers").finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
