//! Telemetry: the log, metrics and traces of the process.
//!
//! All layers may use this module; it uses only `settings`.

mod connection_errors;
pub mod log;
pub mod metrics;
pub mod traces;
