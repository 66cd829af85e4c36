//! The end of taking connections, without breaking one.
//!
//! A socket that is closed resets the connections that wait in it, and a worker that stops closes those
//! it has not heard of yet; whoever has just sent a request on one does not know what became of it, and a
//! proxy must not send it elsewhere. So the door is closed first and the service stopped later: who comes
//! from then on is refused before anything was sent, and may go elsewhere.

use std::{io, net::TcpListener, time::Duration};

#[cfg(target_os = "linux")]
use socket2::SockRef;
use tokio::time;

/// Until those who were at the door are let in and have said what they want: they sent it as soon as
/// they were connected.
const DRAIN_DELAY: Duration = Duration::from_millis(500);

/// A listening socket, beside the server that takes connections from it.
pub(super) struct ListenerHandle(TcpListener);

impl ListenerHandle {
    /// The door of what listens on `socket`.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn new(socket: &TcpListener) -> io::Result<Self> {
        socket.try_clone().map(Self)
    }

    /// From now on whoever comes is refused at once; who is connected, accepted or not, stays.
    ///
    /// The socket listens on, but for a network interface that there is none of.
    #[cfg(target_os = "linux")]
    fn stop_accepting(&self) -> io::Result<()> {
        let nowhere = std::num::NonZero::new(i32::MAX.unsigned_abs());
        SockRef::from(&self.0).bind_device_by_index_v4(nowhere)
    }

    #[cfg(not(target_os = "linux"))]
    fn close(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Closes `doors`; all who had come in by then have been heard when this returns. The servers still have
/// to be told to stop. Where the system does not know how (Linux before 5.1), it returns at once.
pub(super) async fn stop_accepting_all(doors: Vec<ListenerHandle>) {
    if doors.iter().all(|door| door.stop_accepting().is_ok()) {
        time::sleep(DRAIN_DELAY).await;
    }
}
