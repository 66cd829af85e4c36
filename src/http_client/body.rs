//! Reads bodies of responses up to a limit.

use bytes::{Bytes, BytesMut};
use reqwest::Response;

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// It exceeds the limit.
    TooLarge,
    /// The connection was closed, or the response is malformed.
    Connection,
}

/// Reads a body of at most `limit` bytes. A single chunk is not copied.
pub(crate) async fn read_response_body(
    response: &mut Response,
    limit: usize,
) -> Result<Bytes, BodyError> {
    let too_large = |bytes: usize| bytes > limit;
    let announced = response.content_length().unwrap_or_default();
    if too_large(usize::try_from(announced).unwrap_or(usize::MAX)) {
        return Err(BodyError::TooLarge);
    }
    let (mut first, mut joined) = (Bytes::new(), BytesMut::new());
    loop {
        let chunk = response.chunk().await;
        let Some(chunk) = chunk.map_err(|_error| BodyError::Connection)? else {
            break;
        };
        if too_large(first.len() + joined.len() + chunk.len()) {
            return Err(BodyError::TooLarge);
        }
        if first.is_empty() && joined.is_empty() {
            first = chunk;
        } else {
            joined.extend_from_slice(&std::mem::take(&mut first));
            joined.extend_from_slice(&chunk);
        }
    }
    Ok(if joined.is_empty() {
        first
    } else {
        joined.freeze()
    })
}
