//! Files that settings refer to.

use std::{
    fs::File,
    io::{Error, ErrorKind, Read, Result},
    path::Path,
};

/// Reads a file.
///
/// # Errors
/// The file cannot be read, or is larger than `max_bytes`.
pub(super) fn read(path: &Path, max_bytes: u64) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    let file = File::open(path)?;
    file.take(max_bytes.saturating_add(1))
        .read_to_end(&mut content)?;
    if content.len() as u64 > max_bytes {
        let reason = format!("it is larger than {max_bytes} bytes");
        return Err(Error::new(ErrorKind::InvalidData, reason));
    }
    Ok(content)
}
