//! A replica that is stopping responds on every connection that it accepts.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use crate::support::{eventually, program::Program};

const CLIENTS: usize = 32;

/// Creates a service on a connection of its own, and returns the status line of the response; `None` if the
/// connection is refused.
async fn create(address: SocketAddr) -> Option<io::Result<String>> {
    let mut socket = TcpStream::connect(address).await.ok()?;
    let mut send = async || {
        let request = "POST /genesys/1/service/store HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                       Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=1";
        socket.write_all(request.as_bytes()).await?;
        let mut response = String::new();
        socket.read_to_string(&mut response).await?;
        Ok(response.lines().next().unwrap_or_default().to_owned())
    };
    Some(send().await)
}

#[tokio::test]
async fn no_accepted_connection_is_left_without_a_response() {
    // A refused connection is the only sign by which a proxy detects the stop.
    let mut program = Program::serve(&[("server.drain_seconds", "1")]);
    let address = program.address().await;
    let (mut clients, served) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
    for _ in 0..CLIENTS {
        let served = Arc::clone(&served);
        clients.spawn(async move {
            let mut count = 0;
            while let Some(response) = create(address).await {
                assert_eq!(response.unwrap(), "HTTP/1.1 200 OK", "after {count}");
                count += 1;
                if count == 1 {
                    served.fetch_add(1, Relaxed);
                }
            }
        });
    }
    eventually("each client has a response", async || {
        (served.load(Relaxed) == CLIENTS).then_some(())
    })
    .await;
    program.signal("TERM");
    clients.join_all().await;
    let ended = program.wait().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.log_messages("ERROR"), Vec::<String>::new());
}
