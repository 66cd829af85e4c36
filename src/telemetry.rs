//! What the program tells about itself: its log, its metrics, and traces.
//!
//! All layers may name this part, for all of them have something to tell; it names none of them, only
//! `settings`. All three belong to the process, not to one service in it.

mod connection_errors;
pub mod log;
pub mod metrics;
pub mod traces;
