//! Redis as operators run it: failing over, growing, moving slots, behind TLS, with few rights, and with
//! replicas that a change waits for.

mod certificates;
mod credentials;
mod failover;
mod joining;
mod modes;
mod moving;
mod partly_down;
mod replicas;
mod rights;
mod sentinels;
mod tls;
