//! Ports of servers that are started, or started again, after their port was chosen.

use std::{
    net::TcpListener,
    process,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

/// The first port, and the number of ports. The system chooses ports for listeners and connections above them and above
/// their ports of the cluster bus.
const FIRST: u16 = 10_000;
const COUNT: u32 = 10_000;
/// The distance between the port of a server and that of its cluster bus.
const BUS: u16 = 10_000;

/// A port that refuses connections and that no other test gets.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Tests of another process that run at the same time begin with another port.
    let start = process::id().wrapping_mul(97) % COUNT;
    for _ in 0..COUNT {
        let index = (start + NEXT.fetch_add(1, Relaxed)) % COUNT;
        let port = FIRST + u16::try_from(index).unwrap();
        if is_free(port) && is_free(port + BUS) {
            return port;
        }
    }
    panic!("no port is free");
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}
