//! Redis as operators run it: failing over, growing, moving slots, behind TLS, with few rights, and with
//! replicas that a change waits for.

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
