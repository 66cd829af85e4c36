//! Switchboard: an independent implementation of the Service API.
//!
//! A request passes through three layers; each uses only those below:
//!
//! - [`http`]: routes, bodies, errors and headers; the only layer that uses actix.
//! - [`service`]: the semantics of creating, using and ending a service.
//! - [`store`] and [`backend`], side by side: persistence, in Redis or in this process, the only layer that uses
//!   Redis; and requests to backends.
//!
//! [`model`] has the plain types that all layers share, and [`memory_budget`] bounds the memory of
//! buffers in http and service. [`app`] assembles the layers, [`settings`] is the only reader of files and
//! environment, and all layers use [`telemetry`] for logs, metrics and traces.

pub mod app;
pub mod backend;
pub mod cli;
pub mod healthcheck;
pub mod http;
mod http_client;
pub mod memory_budget;
pub mod model;
pub mod password_hash;
pub mod service;
pub mod settings;
pub mod shutdown;
pub mod store;
pub mod telemetry;
mod tls_errors;
