//! Binary values: immutable bytes under an id of their own, and the descriptor that points there.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Bytes in one chunk of a binary; only the last may be shorter.
pub const CHUNK_BYTES: usize = 256 * 1024;

/// How long chunks that nothing names are kept after the last one.
pub(super) const UPLOAD_TTL: Duration = Duration::from_secs(600);
/// How long a binary that was replaced stays readable for downloads under way.
pub(super) const REPLACED_TTL: Duration = Duration::from_secs(60);

/// Names the bytes of one upload. Never used twice, so it serves as the strong `ETag`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BlobId(String);

impl BlobId {
    /// A new one.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::new_v4().simple().to_string())
    }

    /// The id as text: 32 hexadecimal digits.
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

/// What a service keeps of a binary: all but the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binary {
    /// Where the bytes are.
    pub blob: BlobId,
    /// Content type as the client sent it.
    pub content_type: String,
    /// File name as the client sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// Number of bytes.
    pub size: u64,
}

impl Binary {
    /// Number of chunks that hold the bytes.
    #[must_use]
    pub fn chunks(&self) -> u64 {
        self.size.div_ceil(CHUNK_BYTES as u64)
    }
}
