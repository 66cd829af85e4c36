//! A load balancer without sticky sessions: each connection goes to the next server.

use std::net::SocketAddr;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// The load balancer, until it is dropped. Its open connections remain.
pub(crate) struct RoundRobin {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl RoundRobin {
    /// Balances connections over `servers`. A server that refuses a connection is skipped.
    pub(crate) async fn new(servers: Vec<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut next = 0;
            while let Ok((client, _)) = listener.accept().await {
                let mut order = servers.clone();
                order.rotate_left(next % servers.len());
                next += 1;
                tokio::spawn(forward(client, order));
            }
        });
        Self { address, task }
    }
}

impl Drop for RoundRobin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(mut client: TcpStream, servers: Vec<SocketAddr>) {
    for server in servers {
        if let Ok(mut server) = TcpStream::connect(server).await {
            drop(copy_bidirectional(&mut client, &mut server).await);
            return;
        }
    }
}
