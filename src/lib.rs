//! Switchboard: an independent implementation of the Service API.
//!
//! A request goes through three layers, and each knows only the one below:
//!
//! - [`http`]: routes, bodies, errors and headers; the only layer that knows actix.
//! - [`service`]: what creating, asking and ending a service mean.
//! - [`store`]: where services live, Redis or this process; the only layer that knows Redis.
//!
//! [`model`] has the plain types that all of them share, [`memory_budget`] bounds what http and service buffer. [`app`] joins them,
//! [`settings`] is the only reader of files and environment, and [`telemetry`], which
//! all of them may name, is what they tell about themselves.

pub mod app;
pub mod cli;
pub mod healthcheck;
pub mod http;
pub mod memory_budget;
pub mod model;
pub mod service;
pub mod settings;
pub mod shutdown;
pub mod store;
pub mod telemetry;
mod tls_client;
mod tls_errors;
