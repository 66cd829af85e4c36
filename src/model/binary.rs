//! Binary values: immutable bytes with their own id, and the descriptor that refers to them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The size of a chunk of a binary; only the last chunk may be smaller.
pub const CHUNK_BYTES: usize = 256 * 1024;

/// The id of the bytes of one upload. It is never reused, so it serves as the strong `ETag`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BlobId(String);

impl BlobId {
    /// Generates a new id.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::new_v4().simple().to_string())
    }

    /// Returns the id as text: 32 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for BlobId {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// The descriptor of a binary, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binary {
    /// The id of the bytes.
    pub blob: BlobId,
    /// The content type from the client.
    pub content_type: String,
    /// The file name from the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// The number of bytes.
    pub size: u64,
}

impl Binary {
    /// Returns the number of chunks.
    #[must_use]
    pub fn chunks(&self) -> u64 {
        self.size.div_ceil(CHUNK_BYTES as u64)
    }
}
