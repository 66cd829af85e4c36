//! The program as operators see it: processes, telemetry, memory.

mod memory_bounds;
mod process;
mod telemetry;
