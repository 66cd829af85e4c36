//! Contract section 6: services that run on a backend.

mod create_on_backend;
mod failures;
mod http;
mod load_balancer;
mod ors;
mod terminate;
mod tls;
