//! A request body with a size limit and an idle timeout.

use std::{
    cell::Cell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use actix_web::{
    error::PayloadError,
    rt::time::{Sleep, sleep},
    web::{Bytes, Payload},
};
use futures_util::Stream;

use super::collector::too_large;
use crate::http::ApiError;

/// The maximum size of a body, and its setting if there is one.
#[derive(Clone, Copy)]
pub(super) struct BodyLimit {
    pub(super) bytes: usize,
    pub(super) setting: Option<&'static str>,
}

/// A body with a size limit and an idle timeout.
pub(super) struct LimitedStream {
    payload: Payload,
    limit: BodyLimit,
    remaining_bytes: usize,
    idle_timeout: Duration,
    idle_timer: Option<Pin<Box<Sleep>>>,
    failure: StreamFailure,
}

/// The reason why a [`LimitedStream`] failed. It is shared outside of the stream, because the stream's item type has
/// no such error.
#[derive(Clone, Default)]
pub(super) struct StreamFailure(Rc<Cell<Option<LimitExceeded>>>);

#[derive(Clone, Copy)]
enum LimitExceeded {
    TooLarge(BodyLimit),
    IdleTimeout(Duration),
}

impl LimitedStream {
    /// Limits `payload` to `limit`, and the time between two chunks to `idle_timeout`.
    ///
    /// # Errors
    /// [`ApiError::TooLarge`] if the `declared` length exceeds the limit.
    pub(super) fn new(
        payload: Payload,
        declared: Option<u64>,
        limit: BodyLimit,
        idle_timeout: Duration,
    ) -> Result<Self, ApiError> {
        if declared.is_some_and(|length| length > limit.bytes as u64) {
            return Err(LimitExceeded::TooLarge(limit).into());
        }
        Ok(Self {
            payload,
            limit,
            remaining_bytes: limit.bytes,
            idle_timeout,
            idle_timer: None,
            failure: StreamFailure::default(),
        })
    }

    /// The maximum size in bytes.
    pub(super) fn max_bytes(&self) -> usize {
        self.limit.bytes
    }

    pub(super) fn failure(&self) -> StreamFailure {
        self.failure.clone()
    }

    fn fail(&self, cause: LimitExceeded) -> Poll<Option<Result<Bytes, PayloadError>>> {
        self.failure.0.set(Some(cause));
        let error = io::Error::from(io::ErrorKind::InvalidData);
        Poll::Ready(Some(Err(PayloadError::Io(error))))
    }
}

impl Stream for LimitedStream {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match Pin::new(&mut self.payload).poll_next(context) {
            Poll::Ready(Some(Ok(bytes))) => {
                self.idle_timer = None;
                match self.remaining_bytes.checked_sub(bytes.len()) {
                    Some(left) => self.remaining_bytes = left,
                    None => return self.fail(LimitExceeded::TooLarge(self.limit)),
                }
                Poll::Ready(Some(Ok(bytes)))
            }
            Poll::Ready(end) => Poll::Ready(end),
            Poll::Pending => {
                let timeout = self.idle_timeout;
                let timer = self
                    .idle_timer
                    .get_or_insert_with(|| Box::pin(sleep(timeout)));
                match timer.as_mut().poll(context) {
                    Poll::Ready(()) => self.fail(LimitExceeded::IdleTimeout(timeout)),
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }
}

impl StreamFailure {
    /// The error of a stream that failed with `error`.
    pub(super) fn to_api_error(&self, error: &PayloadError) -> ApiError {
        if let Some(cause) = self.0.get() {
            return cause.into();
        }
        ApiError::InvalidBody(match error {
            // actix-http reports a malformed chunk as this too.
            PayloadError::Incomplete(_) => {
                "the body is incomplete: the client closed the connection before all bytes of Content-Length or \
                 the last chunk arrived, or a chunk is malformed: each begins with a line of its size in \
                 hexadecimal digits, and ends with CRLF"
                    .to_owned()
            }
            PayloadError::EncodingCorrupted => {
                "the chunked encoding of the body is invalid: each chunk begins with a line that has its \
                 length in hexadecimal digits"
                    .to_owned()
            }
            PayloadError::Http2Payload(error) => {
                format!("the HTTP/2 stream was reset: {error}")
            }
            error => format!("the body cannot be read: {error}"),
        })
    }
}

impl From<LimitExceeded> for ApiError {
    fn from(cause: LimitExceeded) -> Self {
        match cause {
            LimitExceeded::TooLarge(BodyLimit { bytes, setting }) => match setting {
                Some(setting) => too_large("the body is over", bytes, " bytes", setting),
                None => Self::TooLarge(format!("the body is over {bytes} bytes")),
            },
            LimitExceeded::IdleTimeout(timeout) => Self::InvalidBody(format!(
                "no data arrived for {} s while reading the body (server.body_idle_timeout_seconds)",
                timeout.as_secs()
            )),
        }
    }
}
