//! A stream that lets requests leave together.
//!
//! What Redis spends on a small command is mostly the system calls around it, and they are spent once for
//! all commands that it finds waiting. So a write is held back until the worker has looked once more for
//! requests that have arrived: what these ask leaves with it. That costs a worker with nothing else to do
//! one look, and no time; under load it makes batches half as large again.

use std::{
    io,
    path::Path,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
    task::yield_now,
};

/// Gathers what is written to `stream`.
pub(super) struct Gather<S> {
    stream: S,
    /// What is about to be written has waited.
    waited: bool,
}

impl Gather<TcpStream> {
    pub(super) async fn tcp(host: &str, port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self::of(stream))
    }
}

impl Gather<UnixStream> {
    pub(super) async fn unix(path: &Path) -> io::Result<Self> {
        Ok(Self::of(UnixStream::connect(path).await?))
    }
}

impl<S> Gather<S> {
    fn of(stream: S) -> Self {
        Self {
            stream,
            waited: false,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gather<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gather<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.waited {
            self.waited = true;
            // Wakes this task after the runtime has looked for events, and not before.
            if pin!(yield_now()).poll(context).is_pending() {
                return Poll::Pending;
            }
        }
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.waited = written.is_pending();
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn every_write_is_held_back_once_and_then_goes_through() {
        let (near, mut far) = duplex(8);
        let mut gather = Gather::of(near);
        for bytes in [b"ab", b"cd"] {
            let mut polls = 0;
            let written = poll_fn(|context| {
                polls += 1;
                Pin::new(&mut gather).poll_write(context, bytes)
            });
            assert_eq!(written.await.unwrap(), 2);
            assert_eq!(polls, 2);
        }
        let mut arrived = [0; 4];
        far.read_exact(&mut arrived).await.unwrap();
        assert_eq!(&arrived, b"abcd");
    }

    #[tokio::test]
    async fn what_does_not_fit_at_once_is_written_all_the_same() {
        let (near, mut far) = duplex(3);
        let mut gather = Gather::of(near);
        let written = tokio::spawn(async move {
            gather.write_all(b"more than fits").await.unwrap();
            gather.shutdown().await.unwrap();
        });
        let mut arrived = Vec::new();
        far.read_to_end(&mut arrived).await.unwrap();
        assert_eq!(arrived, b"more than fits");
        written.await.unwrap();
    }
}
