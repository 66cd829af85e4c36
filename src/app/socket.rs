//! Binding a listening socket.

use std::{
    io,
    net::{Ipv4Addr, SocketAddrV6, TcpListener},
};

use socket2::{Domain, Protocol, Socket, Type};

/// Maximum number of connections in the backlog; the system caps it (`net.core.somaxconn`).
const MAX_BACKLOG: i32 = i32::MAX;

/// Binds `address`, `host:port`, and listens on it.
///
/// `[::]` is every address of the machine: it accepts IPv4 connections too, independent of the system's default for
/// IPv6 sockets, and means all IPv4 addresses if the system has no IPv6.
///
/// # Errors
/// The error of the operating system.
pub(super) fn listen(address: &str) -> io::Result<TcpListener> {
    match address.parse::<SocketAddrV6>() {
        Ok(any) if any.ip().is_unspecified() => {
            let Some(socket) = ipv6_socket() else {
                return TcpListener::bind((Ipv4Addr::UNSPECIFIED, any.port()));
            };
            match dual_stack(socket, any) {
                Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
                    TcpListener::bind((Ipv4Addr::UNSPECIFIED, any.port()))
                }
                bound => bound,
            }
        }
        _ => TcpListener::bind(address),
    }
}

/// `None` if the system does not support IPv6.
fn ipv6_socket() -> Option<Socket> {
    Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP)).ok()
}

fn dual_stack(socket: Socket, address: SocketAddrV6) -> io::Result<TcpListener> {
    socket.set_only_v6(false)?;
    // As in the standard library: the port can be bound again right after the process has ended.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(MAX_BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv6Addr, SocketAddr, TcpStream};

    use super::*;

    #[test]
    fn the_unspecified_ipv6_address_accepts_ipv4_and_ipv6() {
        let listener = listen("[::]:0").unwrap();
        let bound = listener.local_addr().unwrap();
        TcpStream::connect((Ipv4Addr::LOCALHOST, bound.port())).unwrap();
        if bound.is_ipv6() {
            TcpStream::connect((Ipv6Addr::LOCALHOST, bound.port())).unwrap();
        }
        let in_use = listen(&format!("[::]:{}", bound.port())).unwrap_err();
        assert_eq!(in_use.kind(), io::ErrorKind::AddrInUse, "{in_use}");
    }

    #[test]
    fn any_other_address_is_bound_unchanged() {
        let listener = listen("127.0.0.1:0").unwrap();
        assert!(listener.local_addr().unwrap().ip().is_loopback());
        let named = listen("localhost:0").unwrap().local_addr().unwrap();
        assert!(named.ip().is_loopback());
        assert!(matches!(
            listen("0.0.0.0:0").unwrap().local_addr().unwrap(),
            SocketAddr::V4(_)
        ));
    }
}
