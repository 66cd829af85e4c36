//! Whoever is let in is answered, by a replica that is stopping as well.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use crate::support::program::Program;

/// Creates a service on a connection of its own, and gives the answer's status line; nothing where it is
/// not let in.
async fn create(address: SocketAddr) -> Option<io::Result<String>> {
    let mut socket = TcpStream::connect(address).await.ok()?;
    let mut ask = async || {
        let request = "POST /genesys/1/service/store HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                       Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=1";
        socket.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await?;
        Ok(answer.lines().next().unwrap_or_default().to_owned())
    };
    Some(ask().await)
}

#[tokio::test]
async fn nobody_is_let_in_and_then_left_without_an_answer() {
    // Proxies notice no other way that a replica stops than by being refused.
    let mut program = Program::serve(&[("server.drain_seconds", "1")]);
    let address = program.address().await;
    let mut clients = JoinSet::new();
    for _ in 0..32 {
        clients.spawn(async move {
            let mut done = 0;
            while let Some(answer) = create(address).await {
                assert_eq!(answer.unwrap(), "HTTP/1.1 200 OK", "after {done}");
                done += 1;
            }
            done
        });
    }
    program.signal("TERM");
    let done: Vec<usize> = clients.join_all().await;
    assert!(done.iter().all(|done| *done > 0), "{done:?}");
    let ended = program.wait().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.log_messages("ERROR"), Vec::<String>::new());
}
