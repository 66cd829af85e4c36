//! The integration tests in one program: it links once, and its tests share a Redis server. Its modules group
//! the tests by what they need; `cargo test --test it api::` runs one group.
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

mod api;
mod code;
mod ops;
mod redis;
mod store;
mod support;
mod ui;
