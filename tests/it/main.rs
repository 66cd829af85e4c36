//! The whole suite in one program: it links once, and its tests share a Redis.
//!
//! Every test stands alone: it needs no order, takes a key prefix that no other has, and waits for
//! what it expects under a deadline instead of sleeping.
//!
//! "Contract section N" in a test is that section of `docs/contract.md`.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "what a test cannot go on without has failed it"
)]

mod admin;
mod audits;
mod backends;
mod binaries;
mod bodies;
mod body_limits;
mod bookings;
mod callers;
mod charsets;
mod clean_up;
mod clocks;
mod crashes;
mod crowd;
mod downloads;
mod ends;
mod errors;
mod file_parts;
mod full_stores;
mod giving_back;
mod gone;
mod house;
mod idempotency;
mod json_bodies;
mod key_names;
mod limits;
mod lives;
mod malformed;
mod matching;
mod memory_bounds;
mod model;
mod multipart_bodies;
mod openapi;
mod outages;
mod pages;
mod program;
mod properties;
mod protocol;
mod redis_checks;
mod replicas;
mod requests;
mod round_trips;
mod routes;
mod services;
mod slots;
mod storage;
mod store;
mod support;
mod telling;
mod topologies;
mod uploads;
