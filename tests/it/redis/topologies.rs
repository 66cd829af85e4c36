//! Redis in production topologies: failover, scaling, resharding, TLS, restricted rights, and replicated
//! writes.

mod acl;
mod certificates;
mod credentials;
mod failover;
mod modes;
mod partly_down;
mod replicas;
mod resharding;
mod scale_out;
mod sentinels;
mod tls;
