//! The byte stream of a connection, on which the bare responses of actix-http to rejected requests can be replaced.
//!
//! actix-http responds to a request that it cannot parse with a status line and `content-length: 0`, and has no hook
//! for another response. It writes these bytes after all earlier responses of the connection, and in the same poll its
//! future ends with the parse error. So bytes that end like such a response are not written at once: the stream queues
//! them, and the future around that of actix-http ([`super::rejected_requests`]) decides. If the future ended with a parse
//! error, the bare response is replaced; in all other cases, as for a stored text with the same bytes, the queue is
//! written as it is.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use actix_web::web::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use self::bare_response::BareResponse;

mod bare_response;

/// Bytes that actix-http reads from a connection over HTTP/1 before it processes them. By itself it reads 128 KiB, and
/// keeps a buffer of up to twice that size as long as the connection is open. No read returns more, because a full buffer
/// is doubled.
const MAX_READ_BYTES: usize = 16 * 1024;

/// Makes the bytes of a response to a request head that did not arrive in time; the argument is the date.
pub(super) type TimeoutResponse = Box<dyn Fn(&str) -> Vec<u8>>;

/// A connection. Its clones share the same connection.
pub(super) struct Connection<T>(Rc<RefCell<State<T>>>);

struct State<T> {
    io: T,
    /// For a connection over HTTP/1 only.
    timeout_response: Option<TimeoutResponse>,
    has_read: bool,
    has_written: bool,
    /// Bytes read since actix-http last waited for more.
    read_bytes: usize,
    /// Bytes that actix-http has written and `io` has not taken.
    queue: BytesMut,
    /// The response at the end of the queue that may be replaced.
    bare: Option<BareResponse>,
    needs_flush: bool,
}

impl<T> Clone for Connection<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Connection<T> {
    /// A connection over HTTP/1.
    pub(super) fn http1(io: T, timeout_response: TimeoutResponse) -> Self {
        Self::new(io, Some(timeout_response))
    }

    /// A connection over HTTP/2, of which nothing is replaced.
    pub(super) fn http2(io: T) -> Self {
        Self::new(io, None)
    }

    fn new(io: T, timeout_response: Option<TimeoutResponse>) -> Self {
        Self(Rc::new(RefCell::new(State {
            io,
            timeout_response,
            has_read: false,
            has_written: false,
            read_bytes: 0,
            queue: BytesMut::new(),
            bare: None,
            needs_flush: false,
        })))
    }

    /// Writes the queue as it is. To be called whenever actix-http waits; an error is reported by its next write too.
    pub(super) fn release(&self, cx: &mut Context<'_>) {
        let mut state = self.0.borrow_mut();
        state.bare = None;
        if (!state.queue.is_empty() || state.needs_flush)
            && let Poll::Ready(Err(_)) = state.poll_flush_queue(cx)
        {
            state.queue.clear();
            state.needs_flush = false;
        }
    }

    /// Replaces the bare response at the end of the queue by the result of `response` for its date. Returns whether there
    /// was one.
    pub(super) fn replace_bare_response(&self, response: impl FnOnce(&str) -> Vec<u8>) -> bool {
        let mut state = self.0.borrow_mut();
        let Some(bare) = state.bare.take() else {
            return false;
        };
        let length = state.queue.len() - bare.length;
        state.queue.truncate(length);
        state.queue.extend_from_slice(&response(&bare.date));
        true
    }
}

impl<T: AsyncWrite + Unpin> State<T> {
    fn poll_write_queue(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.queue.is_empty() {
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, &self.queue))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            drop(self.queue.split_to(written));
            self.needs_flush = true;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_flush_queue(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write_queue(cx))?;
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        self.needs_flush = false;
        if self.queue.capacity() > 0 {
            self.queue = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Connection<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.borrow_mut();
        let allowed = match state.timeout_response {
            Some(_) => MAX_READ_BYTES.saturating_sub(state.read_bytes),
            None => usize::MAX,
        };
        if allowed == 0 {
            state.read_bytes = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let read = if buffer.remaining() <= allowed {
            Pin::new(&mut state.io).poll_read(cx, buffer)
        } else {
            let mut part = ReadBuf::new(buffer.initialize_unfilled_to(allowed));
            let read = Pin::new(&mut state.io).poll_read(cx, &mut part);
            let bytes = part.filled().len();
            buffer.advance(bytes);
            read
        };
        let bytes = buffer.filled().len() - before;
        state.has_read |= bytes > 0;
        state.read_bytes = if read.is_pending() {
            0
        } else {
            state.read_bytes + bytes
        };
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Connection<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.0.borrow_mut();
        // Something follows, so it was no response to a rejected request.
        state.bare = None;
        if !state.queue.is_empty() {
            ready!(state.poll_write_queue(cx))?;
        }
        let bare = match state.timeout_response {
            Some(_) => BareResponse::at_end_of(bytes),
            None => None,
        };
        let is_first = !state.has_written;
        state.has_written = true;
        match (bare, &state.timeout_response) {
            // These bytes are no part of a stored text: nothing is written before the head of a response.
            (Some(bare), Some(response)) if bare.is_timeout => {
                if !is_first || !state.has_read || bare.length < bytes.len() {
                    return Pin::new(&mut state.io).poll_write(cx, bytes);
                }
                let response = response(&bare.date);
                state.queue.extend_from_slice(&response);
            }
            (Some(bare), Some(_)) => {
                state.queue.extend_from_slice(bytes);
                state.bare = Some(bare);
            }
            _ => return Pin::new(&mut state.io).poll_write(cx, bytes),
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.borrow_mut();
        if state.bare.is_some() {
            return Poll::Ready(Ok(()));
        }
        state.poll_flush_queue(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.borrow_mut();
        state.bare = None;
        ready!(state.poll_flush_queue(cx))?;
        Pin::new(&mut state.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.0.borrow_mut();
        if state.timeout_response.is_none() {
            return Pin::new(&mut state.io).poll_write_vectored(cx, pieces);
        }
        drop(state);
        let piece = pieces.iter().find(|piece| !piece.is_empty());
        self.poll_write(cx, piece.map_or(&[], |piece| &**piece))
    }

    fn is_write_vectored(&self) -> bool {
        let state = self.0.borrow();
        state.timeout_response.is_none() && state.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn a_read_over_http1_is_limited() {
        let content = vec![7; 4 * MAX_READ_BYTES];
        let mut connection = Connection::http1(
            tokio::io::join(&content[..], tokio::io::sink()),
            Box::new(|_| Vec::new()),
        );
        let mut space = vec![0; content.len()];
        let mut read = async || {
            let mut buffer = ReadBuf::new(&mut space);
            poll_fn(|cx| Pin::new(&mut connection).poll_read(cx, &mut buffer))
                .await
                .unwrap();
            buffer.filled().len()
        };
        assert_eq!([read().await, read().await], [MAX_READ_BYTES; 2]);
    }
}
