//! The whole suite in one program: it links once, and its tests share a Redis.
//!
//! Every test stands alone: it needs no order, takes a key prefix that no other has, and waits for
//! what it expects under a deadline instead of sleeping.

mod services;
mod support;
