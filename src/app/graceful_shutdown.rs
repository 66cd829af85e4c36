//! Stop accepting connections without breaking any.
//!
//! Closing a listening socket resets the connections in its backlog, and a worker that stops closes
//! connections on which it has not read yet. A client that has just sent a request on one cannot
//! determine whether it was processed, and a proxy must not retry it. Therefore the listener stops accepting
//! first, and the server stops later: new connections are refused before anything is sent, so that clients
//! can use another replica.

use std::{io, net::TcpListener, time::Duration};

#[cfg(target_os = "linux")]
use socket2::SockRef;
use tokio::time;

/// Time until the connections in the backlog are accepted and their requests read, which were sent right
/// after connecting.
const DRAIN_DELAY: Duration = Duration::from_secs(1);

/// A listening socket, in addition to the server that accepts connections from it.
pub(super) struct ListenerHandle(TcpListener);

impl ListenerHandle {
    /// A handle for the listener on `socket`.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(super) fn new(socket: &TcpListener) -> io::Result<Self> {
        socket.try_clone().map(Self)
    }

    /// Refuses new connections; existing ones, accepted or not, remain.
    ///
    /// The socket still listens, but on a network interface that does not exist.
    #[cfg(target_os = "linux")]
    fn stop_accepting(&self) -> io::Result<()> {
        let no_interface = std::num::NonZero::new(i32::MAX.unsigned_abs());
        SockRef::from(&self.0).bind_device_by_index_v4(no_interface)
    }

    #[cfg(not(target_os = "linux"))]
    fn stop_accepting(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Refuses new connections on all listeners, and returns when the earlier ones were accepted. The servers
/// must be stopped afterwards. Where the system does not support it (Linux before 5.1), this returns at once.
pub(super) async fn stop_accepting_all(listeners: Vec<ListenerHandle>) {
    if listeners
        .iter()
        .all(|listener| listener.stop_accepting().is_ok())
    {
        time::sleep(DRAIN_DELAY).await;
    }
}
