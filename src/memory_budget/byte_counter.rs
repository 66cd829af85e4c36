//! The size of serialized data, to reserve its memory before it is written.

use std::io::{self, Write};

/// Counts the bytes that are written to it, and drops them.
#[derive(Debug, Default)]
pub(crate) struct ByteCounter {
    /// The number of bytes so far.
    pub(crate) bytes: usize,
}

impl Write for ByteCounter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
