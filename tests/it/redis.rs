//! Redis in production: outages, crashes, Sentinel, Cluster, several replicas. These tests start their own servers.

mod chat_history;
mod chat_signals;
mod cleanup_replicas;
mod comet;
mod crashes;
mod outages;
mod redis_checks;
mod replicas;
mod round_trips;
mod storage_watch;
mod topologies;
mod webhooks;
