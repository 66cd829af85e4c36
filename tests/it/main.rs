//! The integration tests in one program: it links once, and its tests share a Redis server.
//!
//! Every test is independent: it needs no order, uses its own key prefix, and waits for the expected
//! state with a deadline instead of sleeping.
//!
//! "Contract section N" in a test is that section of `docs/contract.md`.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed precondition fails the test"
)]

mod admin;
mod architecture;
mod auth;
mod backends;
mod binaries;
mod bodies;
mod body_limits;
mod bookings;
mod charsets;
mod cleanup;
mod cleanup_replicas;
mod clocks;
mod consistency_check;
mod contention;
mod crashes;
mod downloads;
mod ended_services;
mod errors;
mod expiry;
mod file_parts;
mod full_stores;
mod idempotency;
mod json_bodies;
mod key_kinds;
mod key_names;
mod limits;
mod malformed;
mod matching;
mod memory_bounds;
mod model;
mod multipart_bodies;
mod openapi;
mod outages;
mod process;
mod properties;
mod protocol;
mod redis_checks;
mod replicas;
mod requests;
mod round_trips;
mod routes;
mod services;
mod storage;
mod store;
mod support;
mod telemetry;
mod topologies;
mod ttl;
mod ui;
mod uploads;
mod vocabulary;
