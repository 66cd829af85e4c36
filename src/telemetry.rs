//! What the program tells about itself: its log, and its metrics.
//!
//! All layers may name this part, for all of them have something to tell; it names none of them, only
//! `settings`. Both belong to the process, not to one service in it.

pub use self::log::{TelemetryError, start};

pub mod log;
pub mod metrics;
