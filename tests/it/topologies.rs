//! Redis as operators run it: failing over, growing, moving slots, behind TLS, with few rights, and with
//! replicas that a change waits for.

mod credentials;
mod failover;
mod joining;
mod moving;
mod replicas;
mod rights;
mod tls;
