//! The events of a watched storage, as JSON in chunks whose memory is reserved.

use std::io::{self, Write};

use bytes::Bytes;
use serde::{Serialize, Serializer, ser::SerializeMap};
use tokio::time::Instant;

use super::{ServiceError, storage::StorageStrings};
use crate::{
    memory_budget::{ByteCounter, MemoryBudget, Reservation},
    model::{Binary, Revision, StoreError},
};

/// The size of a chunk, so that the write buffer of a connection does not have all of an event.
const CHUNK_BYTES: usize = 32 * 1024;

/// What an event has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageEventKind {
    /// All keys.
    Snapshot,
    /// The keys that differ from those of the previous event.
    Change,
}

/// An event for the watchers of a storage.
#[derive(Debug)]
pub struct StorageEvent {
    /// What it has.
    pub kind: StorageEventKind,
    /// The revision after it.
    pub revision: Revision,
    /// The keys as a JSON object.
    pub json: Vec<Bytes>,
    /// The revision before a change.
    pub(super) from: Option<Revision>,
    pub(super) created: Instant,
    memory: Reservation,
}

impl StorageEvent {
    /// The event with all keys. Each value is dropped when it is serialized, so the memory that is reserved for the
    /// contents is used again.
    ///
    /// # Errors
    /// [`ServiceError::Overloaded`]
    pub(super) fn snapshot(contents: StorageStrings) -> Result<Self, ServiceError> {
        let mut length = ByteCounter::default();
        write_object(&mut length, &contents.pairs, &contents.binaries, &[]).map_err(bug)?;
        let mut memory = contents.memory;
        memory.grow(length.bytes.saturating_sub(memory.bytes()))?;
        let mut json = Chunks::new(length.bytes);
        let texts = contents.pairs.into_iter();
        write_object(&mut json, texts, &contents.binaries, &[]).map_err(bug)?;
        Ok(Self {
            kind: StorageEventKind::Snapshot,
            revision: contents.revision,
            json: json.finish(),
            from: None,
            created: Instant::now(),
            memory,
        })
    }

    /// The event with the keys that `differs` selects, and null for those that are `gone`, after the revision `from`.
    ///
    /// # Errors
    /// [`ServiceError::Overloaded`]
    pub(super) fn change(
        contents: &StorageStrings,
        differs: impl Fn(&str) -> bool,
        gone: &[&str],
        from: Option<Revision>,
        memory: &MemoryBudget,
    ) -> Result<Self, ServiceError> {
        let texts = || contents.pairs.iter().filter(|(name, _)| differs(name));
        let binaries = || contents.binaries.iter().filter(|(name, _)| differs(name));
        let mut length = ByteCounter::default();
        write_object(&mut length, texts(), binaries(), gone).map_err(bug)?;
        let memory = memory.reserve(length.bytes)?;
        let mut json = Chunks::new(length.bytes);
        write_object(&mut json, texts(), binaries(), gone).map_err(bug)?;
        Ok(Self {
            kind: StorageEventKind::Change,
            revision: contents.revision,
            json: json.finish(),
            from,
            created: Instant::now(),
            memory,
        })
    }

    /// The memory that is reserved for it.
    pub(super) fn bytes(&self) -> usize {
        self.memory.bytes()
    }
}

/// Serialization into memory cannot fail, so a failure is a bug.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn bug(error: serde_json::Error) -> StoreError {
    StoreError::Bug(error.to_string())
}

/// A name and a text, which can be borrowed.
trait Text {
    fn parts(&self) -> (&str, &str);
}

impl Text for (String, String) {
    fn parts(&self) -> (&str, &str) {
        (&self.0, &self.1)
    }
}

impl Text for &(String, String) {
    fn parts(&self) -> (&str, &str) {
        (&self.0, &self.1)
    }
}

/// Writes a JSON object of strings and binaries, and null for the keys that are `gone`.
fn write_object<'a>(
    out: impl Write,
    texts: impl IntoIterator<Item = impl Text>,
    binaries: impl IntoIterator<Item = &'a (String, Binary)>,
    gone: &[&str],
) -> Result<(), serde_json::Error> {
    let mut serializer = serde_json::Serializer::new(out);
    let mut map = serializer.serialize_map(None)?;
    for text in texts {
        let (name, text) = text.parts();
        map.serialize_entry(name, text)?;
    }
    for (name, binary) in binaries {
        map.serialize_entry(name, &BinaryValue::new(binary))?;
    }
    for name in gone {
        map.serialize_entry(name, &())?;
    }
    map.end()
}

/// A buffer of chunks, which allocates no more than its length.
struct Chunks {
    full: Vec<Bytes>,
    chunk: Vec<u8>,
    /// The bytes that follow those in chunks.
    remaining: usize,
}

impl Chunks {
    fn new(length: usize) -> Self {
        Self {
            full: Vec::with_capacity(length.div_ceil(CHUNK_BYTES)),
            chunk: Vec::new(),
            remaining: length,
        }
    }

    fn finish(mut self) -> Vec<Bytes> {
        self.full.push(self.chunk.into());
        self.full
    }
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.chunk.len() == self.chunk.capacity() {
            let next = Vec::with_capacity(self.remaining.clamp(1, CHUNK_BYTES));
            let full = std::mem::replace(&mut self.chunk, next);
            if !full.is_empty() {
                self.full.push(full.into());
            }
        }
        let written = bytes.len().min(self.chunk.capacity() - self.chunk.len());
        let (now, _later) = bytes.split_at(written);
        self.chunk.extend_from_slice(now);
        self.remaining = self.remaining.saturating_sub(written);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The value of a key that is a binary.
#[derive(Serialize)]
struct BinaryValue<'a> {
    #[serde(rename = "_binary")]
    binary: BinaryDescriptor<'a>,
}

#[derive(Serialize)]
struct BinaryDescriptor<'a> {
    content_type: &'a str,
    file_name: Option<&'a str>,
    size: u64,
    /// That of the binary, which identifies its version.
    etag: String,
}

impl<'a> BinaryValue<'a> {
    fn new(binary: &'a Binary) -> Self {
        Self {
            binary: BinaryDescriptor {
                content_type: &binary.content_type,
                file_name: binary.file_name.as_deref(),
                size: binary.size,
                etag: format!("\"{}\"", binary.blob.as_str()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 4_000_000;

    fn contents(memory: &MemoryBudget, texts: &[&str]) -> StorageStrings {
        let named = texts.iter().enumerate();
        let pairs: Vec<_> = named
            .map(|(n, text)| (format!("Key{n}"), (*text).to_owned()))
            .collect();
        let bytes = pairs.iter().map(|(name, text)| name.len() + text.len());
        StorageStrings {
            revision: Revision::new(7),
            memory: memory.reserve(bytes.sum()).unwrap(),
            pairs,
            binaries: Vec::new(),
        }
    }

    #[test]
    fn exactly_the_bytes_of_the_json_are_reserved() {
        let memory = MemoryBudget::new("limits.test", LIMIT);
        let text = "\u{1}\"x".repeat(30_000);
        let contents = contents(&memory, &[&text, "", &text]);
        let change =
            StorageEvent::change(&contents, |name| name != "Key1", &["Key9"], None, &memory);
        let change = change.unwrap();
        let json = change.json.concat();
        let expected = serde_json::json!({"Key0": text, "Key2": text, "Key9": null});
        let read: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!((read, change.bytes()), (expected, json.len()));
        drop(change);
        let snapshot = StorageEvent::snapshot(contents).unwrap();
        let json = snapshot.json.concat();
        let expected = serde_json::json!({"Key0": text, "Key1": "", "Key2": text});
        let read: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!((read, snapshot.bytes()), (expected, json.len()));
        assert_eq!(memory.used(), json.len());
        let capacity = |chunk: &Bytes| Vec::from(chunk.clone()).capacity();
        assert!(
            snapshot
                .json
                .iter()
                .all(|chunk| capacity(chunk) <= CHUNK_BYTES)
        );
    }

    #[test]
    fn a_snapshot_uses_the_memory_of_the_contents_again() {
        let memory = MemoryBudget::new("limits.test", LIMIT);
        let text = "x".repeat(1_400_000);
        let snapshot = StorageEvent::snapshot(contents(&memory, &[&text, &text])).unwrap();
        assert_eq!(memory.used(), snapshot.bytes());
        drop(snapshot);
        // As JSON it is six times as long, which exceeds the maximum.
        let text = "\u{1}".repeat(1_400_000);
        let refused = StorageEvent::snapshot(contents(&memory, &[&text]));
        assert!(matches!(refused, Err(ServiceError::Overloaded(_))));
        assert_eq!(memory.used(), 0);
    }
}
