//! The admin API.

mod active_services;
mod audit_log;
mod backend_sessions;
mod bookings;
mod brute_force;
mod catalog_entries;
mod concurrent_edits;
mod credentials;
pub(crate) mod fixture;
mod group_usage;
mod groups;
mod hostile;
mod import_export;
pub(crate) mod lost_entries;
mod match_explanation;
mod node_status;
pub(crate) mod operators_fixture;
mod quarantine;
pub(crate) mod replicas;
mod roles;
mod service_auth;
mod service_search;
mod sessions;
mod statistics;
mod store;
