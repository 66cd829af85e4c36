//! Who may call, from which page, and how often.

mod cors;
mod credentials;
mod rate_limit;
mod route_groups;
mod slow_clients;
mod tls;
