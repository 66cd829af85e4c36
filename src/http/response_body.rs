//! Response bodies whose memory is reserved until they are sent. They are written in chunks, so that the write buffer
//! of the connection does not contain a second copy.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    vec::IntoIter,
};

use actix_web::{
    body::{BodySize, MessageBody},
    web::Bytes,
};

use crate::{
    memory_budget::{ByteCounter, Reservation},
    service::StorageStrings,
};

/// The size of a chunk that is written to a connection.
const CHUNK_BYTES: usize = 32 * 1024;

/// A body with its memory reservation.
pub(super) struct BufferedBody {
    bytes: Bytes,
    _memory: Reservation,
}

/// A JSON object of strings, serialized while it is sent.
pub(super) struct JsonStringsBody {
    length: u64,
    strings: IntoIter<(String, String)>,
    progress: WriteProgress,
    chunk: Bytes,
    _memory: Reservation,
}

/// The progress of the serialization.
#[derive(PartialEq, Eq)]
enum WriteProgress {
    NotStarted,
    InProgress,
    Complete,
}

impl BufferedBody {
    pub(super) fn new(bytes: Bytes, memory: Reservation) -> Self {
        Self {
            bytes,
            _memory: memory,
        }
    }
}

impl MessageBody for BufferedBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.bytes.len() as u64)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(next_chunk(&mut self.bytes).map(Ok))
    }
}

impl JsonStringsBody {
    /// Serializes each string once to compute the length.
    ///
    /// # Errors
    /// None in practice: all strings are valid JSON.
    pub(super) fn new(strings: StorageStrings) -> Result<Self, serde_json::Error> {
        // The braces, and a colon and a comma for each string; the last one has no comma.
        let mut length = 2;
        for (name, value) in &strings.pairs {
            length += json_length(name)? + json_length(value)? + 2;
        }
        Ok(Self {
            length: length - u64::from(!strings.pairs.is_empty()),
            strings: strings.pairs.into_iter(),
            progress: WriteProgress::NotStarted,
            chunk: Bytes::new(),
            _memory: strings.memory,
        })
    }

    /// Serializes the next members, about one chunk.
    fn write_chunk(&mut self) -> Result<Bytes, serde_json::Error> {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        while chunk.len() < CHUNK_BYTES && self.progress != WriteProgress::Complete {
            let separator = if self.progress == WriteProgress::NotStarted {
                b'{'
            } else {
                b','
            };
            let Some((name, value)) = self.strings.next() else {
                let end: &[u8] = if self.progress == WriteProgress::NotStarted {
                    b"{}"
                } else {
                    b"}"
                };
                chunk.extend_from_slice(end);
                self.progress = WriteProgress::Complete;
                break;
            };
            self.progress = WriteProgress::InProgress;
            chunk.push(separator);
            serde_json::to_writer(&mut chunk, &name)?;
            chunk.push(b':');
            serde_json::to_writer(&mut chunk, &value)?;
        }
        Ok(chunk.into())
    }
}

impl MessageBody for JsonStringsBody {
    type Error = serde_json::Error;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.length)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, serde_json::Error>>> {
        if self.chunk.is_empty() {
            match self.write_chunk() {
                Ok(chunk) => self.chunk = chunk,
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
        Poll::Ready(next_chunk(&mut self.chunk).map(Ok))
    }
}

fn next_chunk(bytes: &mut Bytes) -> Option<Bytes> {
    let length = bytes.len().min(CHUNK_BYTES);
    (length > 0).then(|| bytes.split_to(length))
}

/// The length of a string as JSON.
fn json_length(text: &str) -> Result<u64, serde_json::Error> {
    let mut counter = ByteCounter::default();
    serde_json::to_writer(&mut counter, text)?;
    Ok(counter.bytes as u64)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use actix_web::body::to_bytes;
    use futures_util::FutureExt;
    use proptest::prelude::*;

    use super::*;
    use crate::{memory_budget::MemoryBudget, model::Revision};

    fn strings_body(pairs: Vec<(String, String)>) -> JsonStringsBody {
        let memory = MemoryBudget::new("limits.test", 1_000).reservation();
        let strings = StorageStrings {
            revision: Revision::default(),
            pairs,
            binaries: Vec::new(),
            memory,
        };
        JsonStringsBody::new(strings).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn body_is_one_object_of_the_declared_length(
            pairs in prop::collection::btree_map(
                ".{0,9}",
                ("(?s).{0,9}|[\"\\\\\\x00-\\x1f]{0,5}", 0_usize..20_000)
                    .prop_map(|(text, times)| text.repeat(times)),
                0..6,
            )
        ) {
            let body = strings_body(pairs.clone().into_iter().collect());
            let size = body.size();
            let bytes = to_bytes(body).now_or_never().unwrap().unwrap();
            prop_assert_eq!(size, BodySize::Sized(bytes.len() as u64));
            let read: BTreeMap<String, String> = serde_json::from_slice(&bytes).unwrap();
            prop_assert_eq!(read, pairs);
        }
    }
}
