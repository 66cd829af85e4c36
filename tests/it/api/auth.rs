//! Authentication, CORS, rate limits, listeners and TLS.

mod cors;
mod credentials;
mod rate_limit;
mod route_groups;
mod slow_clients;
mod tls;
