//! A sentinel that says what a test wants: stale, slow, silent, or without any idea.

use std::{
    net::{self, SocketAddr},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    runtime::Builder,
    sync::oneshot,
    time,
};

/// What a sentinel says of its primary.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SentinelReply {
    /// The server at this port of this machine, under this epoch; without one it refuses to tell it.
    Primary(u16, Option<u64>),
    /// The same, so much later.
    Delayed(u16, Duration),
    /// It knows none.
    Unknown,
    /// An error.
    Error,
    /// It never answers.
    Hang,
}

pub(crate) struct FakeSentinel {
    address: SocketAddr,
    reply: Arc<Mutex<SentinelReply>>,
    _stop: oneshot::Sender<()>,
}

impl FakeSentinel {
    pub(crate) fn start(says: SentinelReply) -> Self {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let (stop, stopped) = oneshot::channel();
        let sentinel = Self {
            address: listener.local_addr().unwrap(),
            reply: Arc::new(Mutex::new(says)),
            _stop: stop,
        };
        let says = Arc::clone(&sentinel.reply);
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        thread::spawn(move || {
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                let serve = async {
                    loop {
                        let (stream, _) = listener.accept().await.unwrap();
                        tokio::spawn(handle_connection(stream, Arc::clone(&says)));
                    }
                };
                tokio::select! {
                    () = serve => {}
                    _ = stopped => {}
                }
            });
        });
        sentinel
    }

    pub(crate) fn set_reply(&self, says: SentinelReply) {
        *self.reply.lock().unwrap() = says;
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }
}

async fn handle_connection(stream: TcpStream, says: Arc<Mutex<SentinelReply>>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let words = read_command(&mut stream).await?;
        let says = *says.lock().unwrap();
        let known = words.first()? == "SENTINEL";
        let reply = match (words.get(1).map(String::as_str), says) {
            _ if !known => "-ERR unknown command\r\n".to_owned(),
            (_, SentinelReply::Hang) => return std::future::pending().await,
            (_, SentinelReply::Error) => "-ERR something is wrong\r\n".to_owned(),
            (_, SentinelReply::Unknown) => "*-1\r\n".to_owned(),
            (Some("GET-MASTER-ADDR-BY-NAME"), SentinelReply::Primary(port, _)) => {
                address_reply(port)
            }
            (Some("GET-MASTER-ADDR-BY-NAME"), SentinelReply::Delayed(port, late)) => {
                time::sleep(late).await;
                address_reply(port)
            }
            (_, SentinelReply::Primary(_, Some(epoch))) => {
                format!(
                    "*2\r\n$12\r\nconfig-epoch\r\n{}",
                    bulk_string(&epoch.to_string())
                )
            }
            (_, SentinelReply::Primary(_, None) | SentinelReply::Delayed(..)) => {
                "-NOPERM this user may not\r\n".to_owned()
            }
        };
        stream.write_all(reply.as_bytes()).await.ok()?;
    }
}

/// One command as clients write them.
async fn read_command(stream: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let count: usize = line.trim().strip_prefix('*')?.parse().ok()?;
    let mut words = Vec::new();
    for _ in 0..count {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let length: usize = line.trim().strip_prefix('$')?.parse().ok()?;
        let mut word = vec![0; length + 2];
        stream.read_exact(&mut word).await.ok()?;
        words.push(String::from_utf8_lossy(&word[..length]).to_uppercase());
    }
    Some(words)
}

fn address_reply(port: u16) -> String {
    format!(
        "*2\r\n{}{}",
        bulk_string("127.0.0.1"),
        bulk_string(&port.to_string())
    )
}

fn bulk_string(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}
