//! What the program tells about itself. Counts belong to a process, so these tests run the program.

mod metrics;
