//! The end of taking connections, without breaking one.
//!
//! A socket that is closed resets the connections that wait in it, and a worker that stops closes those
//! it has not heard of yet; whoever has just sent a request on one does not know what became of it, and a
//! proxy must not send it elsewhere. So the door is closed first and the service stopped later: who comes
//! from then on is refused before anything was sent, and may go elsewhere.

use std::{io, net::TcpListener, time::Duration};

use actix_web::dev::ServerHandle;
use futures_util::future;
#[cfg(target_os = "linux")]
use socket2::{SockFilter, SockRef};
use tokio::time;

/// Until those who are at the door already are let in, or that no more is done: some turns of the loop
/// that does so.
const LET_IN: Duration = Duration::from_millis(50);
/// Until the first request of the last one is there: it was sent as soon as the door had opened.
const HEARD: Duration = Duration::from_millis(500);

/// A listening socket, beside the server that takes connections from it.
pub(super) struct Door(TcpListener);

impl Door {
    /// The door of what listens on `socket`.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn of(socket: &TcpListener) -> io::Result<Self> {
        socket.try_clone().map(Self)
    }
}

/// Closes the `doors` of `servers`; all who had come in by then have been heard when this returns. The
/// servers still have to be told to stop. Where the system does not know how, it returns at once.
pub(super) async fn close(doors: Vec<Door>, servers: &[ServerHandle]) {
    if doors.iter().any(|door| door.knock_no_more().is_err()) {
        return;
    }
    time::sleep(LET_IN).await;
    // Or they would complain of a socket that listens no more. They have been told, then, not yet done it.
    future::join_all(servers.iter().map(ServerHandle::pause)).await;
    time::sleep(LET_IN).await;
    if doors.iter().all(|door| door.refuse().is_ok()) {
        time::sleep(HEARD).await;
    }
}

#[cfg(target_os = "linux")]
impl Door {
    /// Passes over new connections: their first segment is tried again, and then refused. Those that
    /// are being made get through, and inherit the filter, which does not concern them.
    fn knock_no_more(&self) -> io::Result<()> {
        /// Where TCP's flags are in a segment, and the one that opens a connection.
        const FLAGS: u32 = 13;
        const SYN: u32 = 2;
        // In order: load the byte; if it has that bit go on, else pass over one; drop; take whole.
        SockRef::from(&self.0).attach_filter(&[
            SockFilter::new(0x30, 0, 0, FLAGS),
            SockFilter::new(0x45, 0, 1, SYN),
            SockFilter::new(0x06, 0, 0, 0),
            SockFilter::new(0x06, 0, 0, u32::MAX),
        ])
    }

    /// Listens no more: whoever knocks is refused at once.
    fn refuse(&self) -> io::Result<()> {
        SockRef::from(&self.0).shutdown(std::net::Shutdown::Read)
    }
}

#[cfg(not(target_os = "linux"))]
impl Door {
    fn knock_no_more(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn refuse(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
